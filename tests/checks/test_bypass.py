from __future__ import annotations

import gc
import weakref
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from benthic.checks.bypass import gradient_before

torch.manual_seed(0)
X = torch.randn(12, 5)


class Stack(nn.Module):
    """Maps after a first state, which a share of each result may come from."""

    def __init__(self, alpha: float, before: nn.Module, gain: float = 0.1) -> None:
        super().__init__()
        self.lin_in = nn.Linear(5, 4)
        self.before = before
        self.maps = nn.ModuleList(nn.Linear(4, 4) for _ in range(6))
        self.alpha, self.gain = alpha, gain

    def forward(self, x: Tensor) -> Tensor:
        first = self.first = self.lin_in(x)
        state = self.before(first)
        for layer in self.maps:
            state = self.gain * layer(state) + self.alpha * first
        return state


def norms_of(model: nn.Module, layer: nn.Module, x: Tensor = X) -> list[float]:
    with gradient_before(layer) as norms:
        out = model(x)
        torch.autograd.grad(out.square().sum(), list(model.parameters()))
    return norms


@pytest.mark.parametrize(
    "before",
    [
        nn.Identity(),
        nn.ReLU(),
        nn.LayerNorm(4),
        nn.Sequential(nn.LayerNorm(4), nn.ReLU(), nn.Dropout(0.0)),
        nn.Sequential(nn.Linear(4, 4), nn.Tanh()),
    ],
    ids=repr,
)
def test_what_comes_around_the_layers_is_found_whatever_lies_before_the_first(before):
    model = Stack(0.5, before)
    norms = norms_of(model, model.maps[0])
    out = model(X)
    (total,) = torch.autograd.grad(out.square().sum(), model.first)
    # The first state hands on 6 shares; what comes through the maps is little.
    assert max(norms) == pytest.approx(float(total.norm()), rel=0.05)


def test_without_a_way_around_only_the_input_counts_however_small_its_origin():
    # A norm makes the gradient by a state of 1e-4 that much larger.
    model = Stack(0.0, nn.LayerNorm(4))
    nn.init.normal_(model.lin_in.weight, std=1e-4)
    nn.init.zeros_(model.lin_in.bias)
    norms = norms_of(model, model.maps[0])
    assert max(norms) == norms[0]
    model(X).square().sum().backward()
    amplified = model.lin_in.bias.grad.norm()
    assert amplified > 100 * norms[0]


def test_data_has_no_gradient_and_a_table_of_states_has():
    layer = nn.Linear(5, 2)
    assert norms_of(nn.Sequential(layer), layer) == []

    class Featureless(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.table = nn.Parameter(torch.randn(12, 5))
            self.layer = nn.Linear(5, 5)

        def forward(self, _: Any) -> Tensor:
            return 0.01 * self.layer(self.table.tanh()) + self.table

    model = Featureless()
    norms = norms_of(model, model.layer)
    (around,) = norms[1:]
    assert around > 10 * norms[0]
    out = model(X)
    assert around == pytest.approx(float(2 * out.detach().norm()), rel=1e-5)
    assert not model.table._backward_hooks


def test_only_the_first_call_of_a_shared_layer_counts():
    layer = nn.Linear(5, 5)

    class Shared(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.lin_in = nn.Linear(5, 5)
            self.layer = layer

        def forward(self, x: Tensor) -> Tensor:
            x = self.lin_in(x)
            for _ in range(8):
                x = 0.01 * self.layer(x)
            return x

    assert max(norms_of(Shared(), layer)) < 1e-12


def test_the_graph_of_the_pass_is_freed():
    model = Stack(0.5, nn.LayerNorm(4))
    gc.disable()
    try:
        norms_of(model, model.maps[0])
        state = weakref.ref(model.first)
        del model.first
        assert state() is None
    finally:
        gc.enable()
