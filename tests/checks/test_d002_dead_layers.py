from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from benchmarks.networks import GCNII, seeded
from tests.checks.planted import blocks, case, fit
from torch import nn
from torch_geometric.data import Data
from torch_geometric.nn import GAT, GCN, GIN, GraphSAGE

from benthic.checks import DeadLayers
from benthic.diagnosis import diagnose

check = DeadLayers()
DATA = blocks()


def zero(*modules: nn.Module) -> None:
    for module in modules:
        for parameter in module.parameters():
            parameter.zero_()


KILLS: dict[str, Callable[[nn.Module], object]] = {
    "zero first layer": lambda m: zero(m.convs[0]),
    "zero first weights": lambda m: m.convs[0].lin.weight.zero_(),
    "zero middle layer": lambda m: zero(m.convs[1]),
    "zero last layer": lambda m: zero(m.convs[-1]),
    "zero last weights": lambda m: m.convs[-1].lin.weight.zero_(),
    "zero everything": zero,
    "tiny weights": lambda m: m.convs[0].lin.weight.mul_(1e-30),
    "huge negative bias": lambda m: m.convs[0].bias.fill_(-1e3),
    "negative weights on positive states": lambda m: (
        m.convs[0].bias.fill_(10.0),
        m.convs[1].lin.weight.fill_(-1.0),
        m.convs[1].bias.zero_(),
    ),
}


@pytest.fixture(scope="module")
def healthy() -> nn.Module:
    return fit(GCN(8, 16, 3, 3), DATA)


@pytest.mark.parametrize("way", KILLS)
def test_a_network_is_found_dead_whichever_way_it_was_killed(healthy, way):
    model = GCN(8, 16, 3, 3).eval()
    model.load_state_dict(healthy.state_dict())
    with torch.no_grad():
        KILLS[way](model)
    diagnosis = diagnose(model, DATA, influence=False)
    assert diagnosis.verdict == "D002"
    assert diagnosis.findings[0].evidence["dead_layers"]


@pytest.mark.parametrize("kind", [GraphSAGE, GAT, GIN])
def test_a_zeroed_layer_of_any_kind_is_dead(kind):
    model = kind(8, 16, 3, 16)
    with torch.no_grad():
        zero(model.convs[1])
    assert check(case(model, DATA)).kind == "issue"


def test_units_that_died_in_training_revive_without_activations():
    model = fit(seeded(0, GCN, 8, 16, 4, 3), DATA, lr=3.0)
    outcome = check(case(model, DATA))
    assert outcome.kind == "issue"
    assert outcome.evidence["alive_without_activations"]
    assert "learning rate" in outcome.advice[0]


def test_adam_with_l2_shrinks_the_weights_of_a_deep_network_to_nothing():
    model = fit(seeded(0, GCN, 8, 16, 12, 3), DATA, epochs=150, weight_decay=5e-4)
    outcome = check(case(model, DATA))
    assert outcome.kind == "issue"
    assert outcome.evidence["smallest_weight_norm_ratio"] < 0.05
    assert "AdamW" in outcome.advice[0]


def test_a_healthy_network_passes(healthy):
    outcome = check(case(healthy, DATA))
    assert outcome.kind == "passed"
    assert outcome.evidence["largest_dead_fraction"] < 0.1


def test_small_weights_around_an_identity_map_are_alive():
    model = fit(GCNII(8, 16, 3, 8), DATA)
    with torch.no_grad():
        for conv in model.convs[:-1]:
            conv.weight1.mul_(0.01)
    assert check(case(model, DATA)).kind == "passed"


def test_a_small_norm_alone_is_no_death(healthy):
    model = GCN(8, 16, 3, 3).eval()
    model.load_state_dict(healthy.state_dict())
    with torch.no_grad():
        model.convs[0].lin.weight.mul_(1e-3)
        model.convs[0].bias.mul_(1e-3)
    assert check(case(model, DATA)).kind == "passed"


def test_some_zero_rows_are_a_tip():
    model = GCN(8, 2, 2, 3, bias=False)
    with torch.no_grad():
        model.convs[0].lin.weight.copy_(torch.eye(2, 8) - torch.eye(2, 8).roll(2, 1))
    outcome = check(case(model, DATA))
    assert outcome.kind == "tip"
    assert 0.1 < outcome.evidence["dead_fraction"] < 0.5


def test_it_needs_no_labels(healthy):
    unlabelled = Data(x=DATA.x, edge_index=DATA.edge_index)
    assert check(case(healthy, unlabelled)).kind == "passed"
    with torch.no_grad():
        zero(dead := GCN(8, 16, 3, 3))
    assert check(case(dead, unlabelled)).kind == "issue"
