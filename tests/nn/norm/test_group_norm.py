"""The fast group norm is PyG's, which has the states of each group."""

from __future__ import annotations

import copy

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.autograd import gradcheck, gradgradcheck
from torch_geometric.nn import DiffGroupNorm

from benthic.nn.norm.group_norm import FastDiffGroupNorm


def twins(channels=6, groups=3, **options):
    torch.manual_seed(0)
    plain = DiffGroupNorm(channels, groups, lamda=0.7, **options).double()
    for parameter in plain.norm.parameters():
        torch.nn.init.normal_(parameter)
    fast = FastDiffGroupNorm(channels, groups, lamda=0.7, **options).double()
    fast.load_state_dict(plain.state_dict())
    return plain, fast


def passes(norm, x):
    x = x.clone().requires_grad_()
    out = norm(x)
    cotangent = torch.cos(torch.arange(out.numel())).to(out.dtype).view_as(out)
    return out, *torch.autograd.grad(
        out, [x, *norm.parameters()], cotangent, allow_unused=True
    )


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"affine": False},
        {"track_running_stats": False},
        {"momentum": 0.5, "eps": 0.1},
        {"momentum": None},
    ],
)
def test_it_trains_as_pygs_does_and_ends_in_the_same_state(options):
    plain, fast = twins(**options)
    for seed in range(3):
        generator = torch.Generator().manual_seed(seed)
        x = 3 + torch.randn(20, 6, generator=generator).double()
        torch.testing.assert_close(passes(fast, x), passes(plain, x))
    torch.testing.assert_close(dict(fast.state_dict()), dict(plain.state_dict()))
    torch.testing.assert_close(passes(fast.eval(), x), passes(plain.eval(), x))


@settings(max_examples=25)
@given(
    nodes=st.integers(2, 30),
    channels=st.integers(1, 8),
    groups=st.integers(1, 12),
    seed=st.integers(0, 99),
)
def test_any_size_gives_pygs_result(nodes, channels, groups, seed):
    plain, fast = twins(channels, groups)
    x = torch.randn(nodes, channels, generator=torch.Generator().manual_seed(seed))
    torch.testing.assert_close(passes(fast, x.double()), passes(plain, x.double()))


@pytest.mark.parametrize("groups", [1, 3])
@pytest.mark.parametrize("mean", [0.0, 1e3, 1e6])
def test_single_precision_is_as_close_to_double_as_pygs_is(mean, groups):
    plain, fast = twins(groups=groups)
    torch.nn.init.normal_(plain.lin.weight, std=1 / max(mean, 1))
    fast.load_state_dict(plain.state_dict())
    generator = torch.Generator().manual_seed(0)
    x = (mean + torch.randn(200, 6, generator=generator)).float()
    exact = copy.deepcopy(plain)(x.double())
    errors = [
        float((norm.float()(x) - exact).detach().abs().max()) for norm in (plain, fast)
    ]
    assert errors[1] <= 2 * errors[0] + 1e-5


def test_equal_states_stay_finite_with_their_gradient():
    _, fast = twins()
    for part in passes(fast, torch.full((20, 6), 5.0).double()):
        assert part.isfinite().all()


def test_derivatives_are_those_of_finite_differences():
    _, fast = twins(2, 2, track_running_stats=False)
    x = torch.randn(4, 2, dtype=torch.float64, requires_grad=True)
    assert gradcheck(fast, x, check_forward_ad=True, check_batched_grad=True)
    assert gradgradcheck(fast, x)


def test_it_keeps_no_states_of_groups_for_the_backward_pass():
    _, fast = twins(8, 10)
    sizes = []
    with torch.autograd.graph.saved_tensors_hooks(
        lambda x: sizes.append(x.untyped_storage().nbytes()) or x, lambda x: x
    ):
        fast(torch.randn(50, 8, dtype=torch.float64, requires_grad=True))
    assert max(sizes) < 50 * 10 * 8 * 8 / 3  # bytes of [N, G, C]


LISTENERS = {
    "forward hook": lambda norm: norm.register_forward_hook(lambda *call: -call[2]),
    "backward hook": lambda norm: norm.register_full_backward_hook(
        lambda _, grads, __: (2 * grads[0],)
    ),
    "backward pre-hook": lambda norm: norm.register_full_backward_pre_hook(
        lambda _, grads: (2 * grads[0],)
    ),
    "hook on every module": lambda _: nn.modules.module.register_module_forward_hook(
        lambda module, _, out: 2 * out if type(module) is nn.BatchNorm1d else None
    ),
    "forward of its own": lambda norm: setattr(norm, "forward", torch.sin),
}


@pytest.mark.parametrize("listener", LISTENERS)
def test_who_listens_to_batch_norm_is_heard(listener):
    plain, fast = twins()
    x = torch.randn(5, 6).double()
    unheard = passes(copy.deepcopy(plain), x)
    handles = [LISTENERS[listener](norm.norm) for norm in (plain, fast)]
    expected, out = passes(plain, x), passes(fast, x)
    if handles[0] is not None:
        [handle.remove() for handle in handles]
    torch.testing.assert_close(out, expected)
    assert not torch.equal(out[1], unheard[1])


@pytest.mark.parametrize("missing", ["running_mean", "running_var"])
def test_a_batch_norm_without_its_buffers_is_left_to_torch(missing):
    plain, fast = twins()
    for norm in (plain, fast):
        setattr(norm.norm, missing, None)
    x, answers = torch.randn(5, 6).double(), []
    for norm in (plain, fast):
        try:
            answers.append(norm(x).tolist())
        except (RuntimeError, ValueError) as error:
            answers.append(str(error))
    assert answers[0] == answers[1]


def test_a_single_row_is_refused_in_batch_norms_words():
    _, fast = twins()
    with pytest.raises(ValueError, match="more than 1 value per channel"):
        fast(torch.randn(1, 6).double())


def test_half_precision_and_transforms_are_taken_as_before():
    plain, fast = (norm.eval() for norm in twins())
    x = torch.randn(3, 5, 6).double()
    torch.testing.assert_close(torch.func.vmap(fast)(x), torch.func.vmap(plain)(x))
    plain, fast = (norm.bfloat16().train() for norm in (plain, fast))
    assert torch.equal(fast(x[0].bfloat16()), plain(x[0].bfloat16()))
