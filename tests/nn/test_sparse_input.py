"""The sparse map of features is the dense one, and drops only what is there."""

from __future__ import annotations

import copy

import pytest
import torch
import torch.nn.functional as F
from tests import every_derivative

from benthic.nn.dropout import streams
from benthic.nn.propagation import GraphCache
from benthic.nn.sparse_input import InputLinear, map_features


def words(rows=30, columns=40, share=0.05, dtype=torch.float64):
    generator = torch.Generator().manual_seed(0)
    x = torch.rand(rows, columns, generator=generator, dtype=dtype)
    return x * (torch.rand(rows, columns, generator=generator) < share)


def seeded(function, *args):
    torch.manual_seed(0)
    return function(*args)


@pytest.fixture
def layer():
    torch.manual_seed(0)
    layer = InputLinear(40, 5).double()
    torch.nn.init.normal_(layer.bias)
    return layer


@pytest.mark.parametrize("share", [0.0, 0.05, 0.5])
def test_it_is_the_dense_map_with_its_gradients(share, layer):
    x = words(share=share)
    cotangent = torch.randn(30, 5, dtype=torch.float64)
    expected = F.linear(x, layer.weight, layer.bias)
    torch.testing.assert_close(layer(x), expected)
    parameters = [layer.weight, layer.bias]
    torch.testing.assert_close(
        torch.autograd.grad(layer(x), parameters, cotangent),
        torch.autograd.grad(expected, parameters, cotangent),
    )


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_and_autocast_take_the_dense_map(dtype, layer):
    x, half = words().to(dtype), copy.deepcopy(layer).to(dtype)
    assert torch.equal(half(x), F.linear(x, half.weight, half.bias))
    layer, x = layer.float(), words().float()
    with torch.autocast("cpu", dtype):
        assert torch.equal(layer(x), F.linear(x, layer.weight, layer.bias))
        layer(x).sum().backward()
    assert layer.weight.grad.dtype == torch.float32


def test_a_map_without_bias_has_none():
    layer = InputLinear(40, 5, bias=False).double()
    assert [name for name, _ in layer.named_parameters()] == ["weight"]
    x = words()
    torch.testing.assert_close(layer(x), x @ layer.weight.t())


def test_only_what_is_not_zero_is_dropped():
    x = words(200, 300)
    eye = torch.eye(300, dtype=torch.float64)
    torch.manual_seed(0)
    out = map_features(x, eye, None, 0.5, GraphCache())
    kept = out[x != 0] != 0
    assert float(kept.float().mean()) == pytest.approx(0.5, abs=0.05)
    torch.testing.assert_close(out[x != 0][kept], 2 * x[x != 0][kept])
    assert not out[x == 0].any()


def test_the_gradient_goes_through_the_same_mask():
    x = words()
    weight = torch.randn(4, 40, dtype=torch.float64, requires_grad=True)
    torch.manual_seed(0)
    out = map_features(x, weight, None, 0.5, GraphCache())
    torch.manual_seed(0)
    eye = torch.eye(40, dtype=torch.float64)
    dropped = map_features(x, eye, None, 0.5, GraphCache())
    torch.testing.assert_close(out, dropped @ weight.t())
    cotangent = torch.randn_like(out)
    (grad,) = torch.autograd.grad(out, weight, cotangent)
    torch.testing.assert_close(grad, cotangent.t() @ dropped)


@pytest.mark.parametrize("p", [0.0, 0.5])
def test_every_derivative_is_that_of_finite_differences(p):
    x, patterns = words(6, 20), GraphCache()

    def mapped(weight, bias):
        return seeded(map_features, x, weight, bias, p, patterns)

    weight = torch.randn(3, 20, dtype=torch.float64, requires_grad=True)
    bias = torch.randn(3, dtype=torch.float64, requires_grad=True)
    assert every_derivative.is_right(mapped, weight, bias, draws=p > 0)


@pytest.mark.parametrize("share", [0.05, 0.5])
def test_everything_is_dropped_at_one(share):
    layer = InputLinear(40, 5, p=1.0).double()
    assert not layer(words(share=share)).any()


def test_it_drops_in_training_alone(layer):
    layer.p = 0.5
    x = words()
    expected = F.linear(x, layer.weight, layer.bias)
    torch.testing.assert_close(layer.eval()(x), expected)
    assert not torch.allclose(layer.train()(x), expected)


def test_features_that_ask_for_a_gradient_get_one(layer):
    x = words().requires_grad_()
    (grad,) = torch.autograd.grad(layer(x).sum(), x)
    torch.testing.assert_close(grad, layer.weight.sum(0).expand(30, -1))


def test_features_written_to_in_place_are_read_anew(layer):
    x = words()
    layer(x)
    x[0, 0] = 7
    torch.testing.assert_close(layer(x), F.linear(x, layer.weight, layer.bias))


def test_features_of_inference_mode_may_be_written_to_as_well(layer):
    with torch.inference_mode():
        x = words()
        for _ in range(2):
            torch.testing.assert_close(layer(x), F.linear(x, layer.weight, layer.bias))
            x[0, 0] = 7


def test_a_batch_of_weights_is_its_members_with_streams_and_gradients():
    x = words()
    weight = torch.randn(3, 5, 40, dtype=torch.float64, requires_grad=True)
    patterns = GraphCache()
    generators = [torch.Generator().manual_seed(seed) for seed in (1, 2, 3)]

    def one(weight):
        return map_features(x, weight, None, 0.5, patterns)

    with streams(generators):
        out = torch.func.vmap(one, randomness="different")(weight)
    expected = []
    for seed, member in zip((1, 2, 3), weight, strict=True):
        torch.manual_seed(seed)
        expected.append(one(member))
    torch.testing.assert_close(out, torch.stack(expected))
    torch.testing.assert_close(
        torch.autograd.grad(out.square().sum(), weight),
        torch.autograd.grad(torch.stack(expected).square().sum(), weight),
    )


def test_a_batch_of_features_is_its_members(layer):
    x = torch.stack([words(), 2 * words()])
    out = torch.func.vmap(layer)(x)
    torch.testing.assert_close(out, F.linear(x, layer.weight, layer.bias))


def test_a_copy_maps_alike_and_keeps_no_features(layer):
    x = words()
    layer(x)
    twin = copy.deepcopy(layer)
    assert len(twin._patterns._entries) == 0
    torch.testing.assert_close(twin(x), layer(x))


def test_it_says_what_it_is():
    assert repr(InputLinear(8, 3, p=0.5)) == "InputLinear(8, 3, p=0.5)"
