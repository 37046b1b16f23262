from __future__ import annotations

import pytest
import torch
from tests.checks.planted import blocks, case, distant, fit
from torch import nn
from torch_geometric.data import Data
from torch_geometric.nn import GCN, GPSConv, SGConv

from benthic.checks import UnderReaching
from benthic.diagnosis import diagnose

check = UnderReaching()
FAR = distant(hops=4)


@pytest.mark.parametrize("num_layers", [1, 2, 3])
def test_a_label_four_hops_away_is_beyond_fewer_layers(num_layers):
    diagnosis = diagnose(fit(GCN(3, 16, num_layers, 2), FAR, epochs=30), FAR)
    assert diagnosis.verdict == "D007"
    evidence = diagnosis.findings[0].evidence
    assert evidence["num_hops"] == num_layers
    assert evidence["needed_num_hops"] == 4
    assert "4 hops" in diagnosis.findings[0].advice[0]


@pytest.mark.parametrize("num_layers", [4, 5])
def test_enough_layers_reach_it(num_layers):
    assert check(case(GCN(3, 16, num_layers, 2), FAR)).kind == "passed"


def test_one_layer_of_four_propagations_reaches_it():
    assert check(case(SGConv(3, 2, K=4), FAR)).kind == "passed"


@pytest.mark.parametrize("num_layers", [1, 2])
def test_a_near_signal_asks_for_no_depth(num_layers):
    data = blocks(noise=0.3)
    model = fit(GCN(8, 16, num_layers, 3), data, epochs=40)
    assert check(case(model, data)).kind == "passed"


def test_a_layer_that_hears_every_node_reaches_everything():
    class Global(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv = GPSConv(3, None, heads=1)
            self.lin = nn.Linear(3, 2)

        def forward(self, x, edge_index):
            return self.lin(self.conv(x, edge_index))

    assert check(case(Global(), FAR)).kind == "passed"


def test_layers_whose_hops_nobody_counts_are_not_accused():
    model = nn.Sequential(nn.Linear(3, 8), nn.ReLU(), nn.Linear(8, 2))
    assert check(case(model, FAR, layers=["0", "2"])).kind == "passed"


def test_without_labels_nobody_can_tell():
    data = Data(x=torch.ones(4, 3), edge_index=torch.tensor([[0, 1], [1, 2]]))
    assert check(case(GCN(3, 16, 2, 2), data)).kind == "not applicable"
