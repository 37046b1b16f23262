"""The widths of layers are those that they return."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch_geometric.nn import (
    MLP,
    DeepGCNLayer,
    EdgeConv,
    GATConv,
    GATv2Conv,
    GCN2Conv,
    GCNConv,
    GENConv,
    GINConv,
    GINEConv,
    GPSConv,
    GraphConv,
    HeteroConv,
    HGTConv,
    RGCNConv,
    SAGEConv,
    TransformerConv,
)

from benthic.trace import find_layers
from benthic.treatment.widths import layer_widths


def widths(module):
    (layer,) = find_layers(nn.ModuleList([module]))
    return layer_widths(layer)


@pytest.mark.parametrize(
    "conv",
    [
        GCNConv(6, 8),
        SAGEConv(6, 8),
        GraphConv((6, 6), 8),
        GATConv(6, 4, heads=2),
        GATConv(6, 8, heads=2, concat=False),
        GATv2Conv(6, 4, heads=2),
        TransformerConv(6, 4, heads=2),
        GENConv(6, 8),
        GINConv(MLP([6, 16, 8])),
        GINConv(nn.Sequential(nn.Linear(6, 9), nn.ReLU(), nn.Linear(9, 8))),
    ],
    ids=str,
)
def test_known_widths_are_those_of_a_run(conv, x, edge_index):
    found = widths(conv)[""]
    assert found == (6, conv(x, edge_index).size(-1)) == (6, 8)


def test_blocks_and_layers_with_one_width():
    assert widths(GPSConv(8, GCNConv(8, 8)))[""] == (8, 8)
    assert widths(DeepGCNLayer(GCNConv(8, 8), nn.LayerNorm(8)))[""] == (8, 8)
    assert widths(GCN2Conv(8, 0.1))[""] == (8, 8)
    assert widths(GINEConv(nn.Linear(6, 8), edge_dim=3))[""] == (6, 8)
    assert widths(RGCNConv(6, 8, 3))[""] == (6, 8)


def test_what_cannot_be_told_is_unknown():
    assert widths(EdgeConv(nn.Linear(12, 8)))[""] == (None, 8)
    assert str(widths(GCNConv(-1, 8))[""]) == "? -> 8"


def test_a_layer_of_several_types_has_the_widths_of_its_targets():
    relations = {
        ("user", "buys", "item"): SAGEConv((6, 5), 8),
        ("item", "bought_by", "user"): SAGEConv((5, 6), 8),
        ("user", "follows", "user"): SAGEConv(6, 8),
    }
    assert widths(HeteroConv(relations)) == {"item": (5, 8), "user": (6, 8)}
    assert widths(HeteroConv(relations, aggr="cat")) == {
        "item": (5, 8),
        "user": (6, 16),
    }
    metadata = ["user", "item"], [("user", "buys", "item")]
    assert widths(HGTConv({"user": 6, "item": 5}, 8, metadata)) == {
        "user": (6, 8),
        "item": (5, 8),
    }
    assert torch.is_tensor(relations["user", "follows", "user"].lin_l.weight)
