"""Constants are computed outside the transforms of torch, which go on after them."""

from __future__ import annotations

import torch
from torch.fx.experimental.proxy_tensor import make_fx

from benthic.nn.torch_func import (
    in_transform,
    is_batched_gradient,
    is_recorded,
    is_wrapped,
    outside_transforms,
)


def test_what_is_computed_outside_is_a_plain_tensor_and_the_transform_goes_on():
    seen = []

    def loss(x):
        with outside_transforms():
            constant = torch.arange(3.0) * 2
            seen.extend([in_transform(), is_wrapped(constant)])
        seen.extend([in_transform(), is_wrapped(x)])
        return (constant * x * x).sum()

    grad = torch.func.vmap(torch.func.grad(loss))(torch.ones(2, 3))
    assert seen == [False, False, True, True]
    assert grad.tolist() == [[0.0, 4.0, 8.0]] * 2


def test_an_error_outside_leaves_the_transform_as_it_was():
    def loss(x):
        try:
            with outside_transforms():
                raise ValueError
        except ValueError:
            return (x * x).sum()

    assert torch.func.grad(loss)(torch.ones(2)).tolist() == [2.0, 2.0]
    assert not in_transform()


def test_several_gradients_at_once_are_told_from_one():
    seen = []
    x = torch.ones(3, requires_grad=True)
    y = x * 2
    y.register_hook(lambda grad: seen.append(is_batched_gradient(grad)))
    torch.autograd.grad(y, x, torch.ones(3), retain_graph=True)
    torch.autograd.grad(y, x, torch.eye(3), is_grads_batched=True)
    assert seen == [False, True]


def test_whoever_writes_down_what_is_computed_is_noticed():
    seen = []

    def look(x):
        seen.append(is_recorded(x))
        return x.sin()

    x = torch.ones(3)
    look(x)
    torch.func.grad(lambda x: look(x).sum())(x)
    torch.func.vmap(look)(x)
    assert not any(seen)
    seen.clear()
    torch.func.functionalize(look)(x)
    make_fx(look)(x)
    torch.jit.trace(look, x, check_trace=False)
    assert seen
    assert all(seen)
