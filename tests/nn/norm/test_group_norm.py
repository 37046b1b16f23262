"""The fast group norm is PyG's, which has the states of each group."""

from __future__ import annotations

import copy

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
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
    return out, *torch.autograd.grad(out, [x, *norm.parameters()], cotangent)


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


@pytest.mark.parametrize("mean", [0.0, 1e3])
def test_single_precision_is_as_close_to_double_as_pygs_is(mean):
    plain, fast = twins()
    x = mean + torch.randn(200, 6).double()
    exact = plain(x)
    errors = [
        float((norm.float()(x.float()) - exact).detach().abs().max())
        for norm in (copy.deepcopy(plain), copy.deepcopy(fast))
    ]
    assert errors[1] <= 2 * errors[0] + 1e-6


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
    assert max(sizes) <= 50 * 10 * 8  # the shares of the groups


def test_who_listens_to_batch_norm_hears_it():
    plain, fast = twins()
    heard = []
    fast.norm.register_forward_hook(lambda *call: heard.append(call[2].shape))
    x = torch.randn(5, 6).double()
    torch.testing.assert_close(fast(x), plain(x))
    assert heard == [(5, 18)]


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
