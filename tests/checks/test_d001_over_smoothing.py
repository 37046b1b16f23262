from __future__ import annotations

import pytest
import torch
from benchmarks.networks import SGC, seeded
from tests.checks.planted import blocks, case, fit
from torch import nn
from torch_geometric.data import Data
from torch_geometric.nn import GCN
from torch_geometric.utils import to_dense_adj

from benthic.checks import OverSmoothing

check = OverSmoothing()


def sgc(data: Data, num_hops: int) -> nn.Module:
    return fit(seeded(0, SGC, 8, 3, num_hops), data, lr=0.2)


def test_hundreds_of_propagations_wipe_the_labels_out():
    data = blocks()
    outcome = check(case(sgc(data, 256), data))
    assert outcome.kind == "issue"
    assert outcome.evidence["num_hops"] == 256
    at_best = outcome.evidence["weights_off_accuracy_at_best"]
    at_reach = outcome.evidence["weights_off_accuracy_at_reach"]
    assert at_best > 0.9
    assert at_reach < 0.5


def test_two_propagations_do_not_although_the_rows_are_alike():
    data = blocks(noise=0.2)
    data.x = data.x + 1.0  # a common direction: high cosine, no harm
    examined = case(sgc(data, 2), data)
    outcome = check(examined)
    assert examined.hidden[-1].mean_cosine > 0.5
    assert outcome.kind == "passed"
    assert "harmless" in outcome.reason


@pytest.mark.parametrize("noise", [0.5, 1.0])
def test_a_healthy_two_layer_gcn_passes(noise):
    data = blocks(noise=noise)
    assert check(case(fit(GCN(8, 16, 2, 3), data), data)).kind == "passed"


class Averaging(nn.Module):
    """A layer that is not PyG's: 256 averages over neighbors, then its weights."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.lin = nn.Linear(channels, channels)

    def forward(self, x, adjacency):
        for _ in range(256):
            x = adjacency @ x
        return self.lin(x)


class Stack(nn.Module):
    def __init__(self, num_layers: int) -> None:
        super().__init__()
        self.layers = nn.ModuleList(Averaging(8) for _ in range(num_layers))
        self.head = nn.Linear(8, 3)

    def forward(self, x, edge_index):
        adjacency = to_dense_adj(edge_index, max_num_nodes=len(x))[0]
        adjacency = (adjacency + torch.eye(len(x))).softmax(-1)
        adjacency = adjacency if edge_index.numel() else torch.eye(len(x))
        x = self.layers[0].lin(x)
        for layer in self.layers:
            x = layer(x, adjacency)
        return self.head(x)


def test_layers_named_by_the_user_are_judged_by_the_graph_off_control():
    data = blocks(noise=0.3)

    class FirstReads(Stack):
        def forward(self, x, edge_index):
            adjacency = to_dense_adj(edge_index, max_num_nodes=len(x))[0]
            adjacency = adjacency + torch.eye(len(x))
            adjacency = adjacency / adjacency.sum(1, keepdim=True)
            x = self.layers[0].lin(x)
            for layer in self.layers[1:]:
                x = layer(x, adjacency)
            return self.head(x)

    model = FirstReads(3)
    names = ["layers.0.lin", "layers.1", "layers.2"]
    outcome = check(case(model, data, layers=names))
    assert outcome.kind == "issue"
    assert outcome.evidence["probe_fall"] > 0.3
    assert outcome.evidence["probe_fall_graph_off"] < 0.1


def test_an_untrained_shallow_network_is_not_over_smoothed():
    data = blocks()
    assert check(case(GCN(8, 16, 2, 3), data)).kind == "passed"


def test_without_labels_nobody_can_tell():
    data = blocks()
    unlabelled = Data(x=data.x, edge_index=data.edge_index)
    assert check(case(GCN(8, 16, 4, 3), unlabelled)).kind == "not applicable"


def test_a_model_that_needs_its_edges_cannot_be_asked_without():
    class NeedsEdges(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.gnn = GCN(8, 16, 2, 3)

        def forward(self, x, edge_index):
            if not edge_index.numel():
                raise ValueError("no edges")
            return self.gnn(x, edge_index)

    examined = case(NeedsEdges(), blocks())
    assert examined.graph_off.layers == ()
    assert check(examined).kind in ("passed", "not applicable")
