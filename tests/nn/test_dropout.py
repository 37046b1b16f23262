"""Dropout drops the share that it was told, and its mask follows the seed."""

from __future__ import annotations

import copy
import pickle

import pytest
import torch
import torch.nn.functional as F
from tests import every_derivative
from torch import nn

from benthic.checks.controls import without_activations, without_dropout
from benthic.errors import InputError
from benthic.nn.dropout import (
    FastDropout,
    ReLUBeforeDropout,
    draw_masks,
    dropout,
    relu_dropout,
    streams,
)

BOTH = pytest.mark.parametrize("drop", [dropout, relu_dropout])


def seeded(drop, x, p, seed=0):
    torch.manual_seed(seed)
    return drop(x, p)


@BOTH
@pytest.mark.parametrize("p", [0.1, 0.25, 0.5, 0.6, 0.9])
def test_the_share_is_met_and_the_mean_stays(drop, p):
    count = 400_000
    out = seeded(drop, torch.ones(count), p)
    share = float((out == 0).float().mean())
    assert share == pytest.approx(p, abs=5 * (p * (1 - p) / count) ** 0.5)
    assert float(out.mean()) == pytest.approx(1, abs=0.03)
    kept = out[out > 0]
    torch.testing.assert_close(
        kept, torch.full_like(kept, 1 / (1 - p)), rtol=1e-3, atol=0
    )


@BOTH
def test_entries_are_dropped_independently(drop):
    out = seeded(drop, torch.ones(200_000), 0.5).sign() - 0.5
    for lag in (1, 2, 4, 8, 64):
        correlation = float((out[lag:] * out[:-lag]).mean()) * 4
        assert abs(correlation) < 0.02, lag


@BOTH
def test_nothing_is_dropped_outside_training_or_at_zero(drop):
    x = torch.rand(50)
    assert torch.equal(drop(x, 0.5, False), x)
    assert torch.equal(drop(x, 0.0), x)


@BOTH
def test_everything_is_dropped_at_one_with_gradients_of_zero(drop):
    x = torch.rand(50, requires_grad=True)
    out = drop(x, 1.0)
    assert not out.any()
    (grad,) = torch.autograd.grad(out.sum(), x)
    assert not grad.any()


@BOTH
@pytest.mark.parametrize("p", [-0.1, 1.1, float("nan")])
def test_a_share_beyond_one_is_refused(drop, p):
    with pytest.raises(InputError, match=r"p: found .*; give a share from 0"):
        drop(torch.ones(2), p)
    with pytest.raises(InputError, match="p: found"):
        FastDropout(p)


@BOTH
def test_the_seed_decides(drop):
    x = torch.rand(1000)
    assert torch.equal(seeded(drop, x, 0.5), seeded(drop, x, 0.5))
    assert not torch.equal(seeded(drop, x, 0.5), seeded(drop, x, 0.5, seed=1))


@BOTH
@pytest.mark.parametrize("shape", [(), (0, 3), (1,), (3, 5, 7)])
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.float16])
def test_any_shape_and_type_stays_what_it_is(drop, shape, dtype):
    out = drop(torch.ones(shape, dtype=dtype), 0.5)
    assert (out.shape, out.dtype) == (torch.Size(shape), dtype)


@pytest.mark.parametrize("p", [0.3, 0.5])
def test_the_gradient_is_the_mask(p):
    x = torch.randn(500, dtype=torch.float64, requires_grad=True)
    out = seeded(dropout, x, p)
    (grad,) = torch.autograd.grad(out.sum(), x)
    torch.testing.assert_close(grad * x, out)


@BOTH
def test_every_derivative_is_that_of_finite_differences(drop):
    x = torch.randn(4, 3, dtype=torch.float64, requires_grad=True)
    assert every_derivative.is_right(lambda x: seeded(drop, x, 0.5), x, draws=True)


@pytest.mark.parametrize("p", [0.3, 0.5])
def test_relu_and_dropout_in_one_are_the_two_to_the_last_bit(p):
    x = torch.randn(40, 50, dtype=torch.float64, requires_grad=True)
    one = seeded(relu_dropout, x, p)
    two = seeded(dropout, x.relu(), p)
    assert torch.equal(one, two)
    cotangent = torch.randn_like(one)
    (grad_one,) = torch.autograd.grad(one, x, cotangent, create_graph=True)
    (grad_two,) = torch.autograd.grad(two, x, cotangent)
    torch.testing.assert_close(grad_one, grad_two)


def test_relu_and_dropout_in_one_store_their_result_alone():
    x = torch.randn(40, 50, requires_grad=True)
    saved = []

    def keep(tensor):
        saved.append(tensor)
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        out = relu_dropout(x, 0.5)
    assert len(saved) == 1
    assert torch.equal(saved[0], out)


@BOTH
def test_members_of_a_batch_are_dropped_each_on_its_own(drop):
    out = torch.func.vmap(drop, randomness="different")(torch.ones(3, 2000))
    shares = (out == 0).float().mean(1)
    assert ((shares - 0.5).abs() < 0.06).all()
    assert not torch.equal(out[0], out[1])


@BOTH
def test_members_share_no_mask_of_a_tensor_that_they_share(drop):
    x = torch.rand(200)

    def one(scale):
        return drop(x, 0.5) * scale

    generators = [torch.Generator().manual_seed(seed) for seed in (5, 6)]
    with streams(generators):
        out = torch.func.vmap(one, randomness="different")(torch.ones(2))
    for row, seed in zip(out, (5, 6), strict=True):
        assert torch.equal(row, seeded(drop, x, 0.5, seed))


def test_members_share_a_mask_where_they_are_to():
    x = torch.rand(200)
    out = torch.func.vmap(lambda scale: dropout(x) * scale, randomness="same")(
        torch.ones(2)
    )
    assert torch.equal(out[0], out[1])
    assert (out[0] == 0).any()


@BOTH
@pytest.mark.parametrize("p", [0.5, 0.3])
def test_streams_give_a_member_the_masks_of_a_separate_run(drop, p):
    x = torch.rand(3, 500)
    generators = [torch.Generator().manual_seed(seed) for seed in (5, 6, 7)]

    def twice(x):
        return drop(drop(x, p), p)

    with streams(generators):
        together = torch.func.vmap(twice, randomness="different")(x)
    for row, seed, out in zip(x, (5, 6, 7), together, strict=True):
        torch.manual_seed(seed)
        torch.testing.assert_close(out, twice(row))


@BOTH
def test_a_batch_has_the_gradients_of_its_members(drop):
    x = torch.randn(3, 50, dtype=torch.float64, requires_grad=True)
    out = torch.func.vmap(drop, randomness="different")(x)
    (grad,) = torch.autograd.grad(out.sum(), x)
    torch.testing.assert_close(grad * x.detach(), out.detach())


def test_streams_end_with_their_block():
    generator = torch.Generator().manual_seed(0)
    with pytest.raises(ZeroDivisionError), streams([generator]):
        raise ZeroDivisionError
    assert draw_masks(torch.ones(2, 5), 0.5).shape == (2, 5)


@BOTH
def test_controls_that_switch_dropout_off_reach_it(drop):
    x = torch.rand(50)
    with without_dropout():
        assert torch.equal(drop(x, 0.9), x)


def test_controls_that_switch_activations_off_reach_the_relu():
    x = torch.randn(50)
    with without_activations(), without_dropout():
        assert torch.equal(relu_dropout(x, 0.9), x)


def test_the_module_is_torchs_dropout_to_whoever_asks():
    module = FastDropout(0.3)
    assert isinstance(module, nn.Dropout)
    assert repr(module) == "FastDropout(p=0.3, inplace=False)"
    x = torch.rand(30)
    assert torch.equal(module.eval()(x), x)
    assert (module.train()(x) == 0).any()


def test_in_place_it_writes_to_what_it_is_given():
    module = FastDropout(0.5)
    module.inplace = True
    x = torch.ones(1000)
    assert module(x) is x
    assert set(x.tolist()) == {0, 2}


def test_in_place_after_a_relu_it_drops_once():
    act, drop = pair()
    drop.inplace = True
    out = drop(act(torch.ones(100_000)))
    assert float((out == 0).float().mean()) == pytest.approx(0.5, abs=0.02)


def pair(p=0.5):
    drop = FastDropout(p)
    return ReLUBeforeDropout(drop), drop


def test_a_relu_before_dropout_drops_once():
    act, drop = pair()
    out = drop(act(torch.ones(100_000)))
    assert float((out == 0).float().mean()) == pytest.approx(0.5, abs=0.02)
    assert out.max() == 2


@pytest.mark.parametrize("which", [0, 1])
def test_in_evaluation_of_either_it_is_a_relu(which):
    modules = pair()
    modules[which].eval()
    x = torch.randn(1000)
    assert torch.equal(modules[0](x), F.relu(x))


@pytest.mark.parametrize("which", [0, 1])
def test_with_hooks_each_does_its_own_work(which):
    modules = pair()
    seen = []
    modules[which].register_forward_hook(lambda *call: seen.append(call[2]))
    x = torch.randn(1000)
    act, drop = modules
    between = act(x)
    assert torch.equal(between, F.relu(x))
    assert (drop(between)[x > 0] == 0).any()
    assert len(seen) == 1


def test_a_change_of_the_share_counts_at_once():
    act, drop = pair()
    drop.p = 0.0
    x = torch.randn(1000)
    assert torch.equal(drop(act(x)), F.relu(x))


@pytest.mark.parametrize(
    "clone", [copy.deepcopy, lambda pair: pickle.loads(pickle.dumps(pair))]
)
def test_copies_belong_together(clone):
    act, drop = clone(pair())
    drop.p = 0.25
    assert float((drop(act(torch.ones(100_000))) == 0).float().mean()) == pytest.approx(
        0.25, abs=0.02
    )
