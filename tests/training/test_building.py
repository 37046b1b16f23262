"""A basic GNN is built by the name of its layer, from its seed alone."""

from __future__ import annotations

import pytest
import torch
from torch_geometric.nn import GCN

from benthic.errors import InputError
from benthic.training import build


@pytest.mark.parametrize(
    ("conv", "name"),
    [
        ("gcn", "GCN"),
        ("GCN", "GCN"),
        ("sage", "GraphSAGE"),
        ("graphsage", "GraphSAGE"),
        ("gat", "GAT"),
        ("gin", "GIN"),
        ("edgecnn", "EdgeCNN"),
        ("deep_gcn", "DeepGCN"),
        ("graph_transformer", "GraphTransformer"),
    ],
)
def test_basic_gnns_are_built_by_the_name_of_their_layer(conv, name, data):
    model = build(conv, 5, 8, 3, num_layers=3)
    assert type(model).__name__ == name
    assert model(data.x, data.edge_index).shape == (30, 3)


def test_building_is_seeded_and_leaves_the_random_state():
    before = torch.get_rng_state()
    one, two, other = (build("gcn", 5, 8, 3, num_layers=2, seed=s) for s in (1, 1, 2))
    assert torch.equal(before, torch.get_rng_state())
    weights = [model.convs[0].lin.weight for model in (one, two, other)]
    assert torch.equal(weights[0], weights[1])
    assert not torch.equal(weights[0], weights[2])


@pytest.mark.parametrize("conv", ["gcm", "", "n", "pna", "cnnn"])
def test_an_unknown_layer_lists_the_names_nearest_first(conv):
    with pytest.raises(
        InputError, match=f"conv: found '{conv}'; choose one of "
    ) as error:
        build(conv, 5, 8, 3, num_layers=2)
    for name in ("gcn", "graphsage", "gin", "gat", "edgecnn"):
        assert name in error.value.remedy
    if conv == "gcm":
        assert error.value.remedy.startswith("choose one of gcn")


def test_a_users_own_basic_gnn_does_not_change_the_names():
    class MyGCN(GCN):
        pass

    assert type(build("gcn", 5, 8, 3, num_layers=1)) is GCN
    assert MyGCN is not GCN


@pytest.mark.parametrize("num_layers", [0, -3])
def test_no_layers_are_refused(num_layers):
    with pytest.raises(
        InputError, match=f"num_layers: found {num_layers}; give a depth"
    ):
        build("gcn", 5, 8, 3, num_layers=num_layers)
