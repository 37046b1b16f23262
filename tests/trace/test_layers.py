"""Layers are found in any model as its author drew them, or named."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import nn
from torch_geometric.nn import (
    GAT,
    GCN,
    GIN,
    DeepGCNLayer,
    DirGNNConv,
    GATConv,
    GCNConv,
    GINConv,
    GPSConv,
    GraphSAGE,
    HeteroConv,
    MessagePassing,
    SAGEConv,
    SGConv,
    SGFormer,
    to_hetero,
)

from benthic.errors import InputError
from benthic.nn import accelerate
from benthic.trace import find_layers
from benthic.trace.layers import hears_everyone


def names(model, given=None):
    return [layer.name for layer in find_layers(model, given)]


@pytest.mark.parametrize("cls", [GCN, GraphSAGE, GAT, GIN])
def test_layers_of_basic_gnns_are_found(cls):
    model = cls(4, 8, num_layers=3)
    assert names(model) == ["convs.0", "convs.1", "convs.2"]
    assert all(len(layer.convs) == 1 for layer in find_layers(model))


def test_a_model_that_is_a_layer_has_no_path():
    assert names(GCNConv(4, 8)) == [""]


class Block(nn.Module):
    def __init__(self, *parts):
        super().__init__()
        self.parts = nn.ModuleList()
        for i, part in enumerate(parts):
            self.add_module(f"part{i}", part)


def attention():
    return nn.MultiheadAttention(8, 2)


@pytest.mark.parametrize(
    "parts",
    [
        (lambda: GCNConv(8, 8), lambda: nn.LayerNorm(8)),
        (lambda: GCNConv(8, 8), attention),
        (attention, lambda: nn.Linear(8, 8)),
        (lambda: nn.Sequential(nn.Linear(8, 8)), lambda: SAGEConv(8, 8)),
    ],
)
def test_a_block_of_one_step_is_one_layer(parts):
    model = Block(nn.ModuleList(Block(*(p() for p in parts)) for _ in range(2)))
    assert names(model) == ["part0.0", "part0.1"]


def test_a_block_of_two_steps_is_two_layers():
    model = nn.ModuleList(Block(GCNConv(8, 8), GCNConv(8, 8)) for _ in range(2))
    assert names(model) == ["0.part0", "0.part1", "1.part0", "1.part1"]


def test_a_block_outside_a_container_is_taken_apart():
    assert names(Block(Block(GCNConv(8, 8)), nn.Linear(8, 3))) == ["part0.part0"]


def test_what_pyg_builds_around_layers_is_one_layer():
    model = nn.ModuleList([GPSConv(8, GCNConv(8, 8), heads=2), GPSConv(8, None, 2)])
    assert names(model) == ["0", "1"]
    assert names(Block(DirGNNConv(GCNConv(8, 8)))) == ["part0"]
    assert names(Block(HeteroConv({("a", "to", "a"): SAGEConv(4, 4)}))) == ["part0"]


def test_the_network_inside_a_gin_layer_is_no_layer():
    assert names(nn.ModuleList([GINConv(nn.Sequential(nn.Linear(4, 4)))])) == ["0"]


def test_transformer_layers_are_found():
    layer = nn.TransformerEncoderLayer(8, 2)
    model = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)
    assert names(model) == ["layers.0", "layers.1"]
    whole = nn.Transformer(8, 2, 1, 1, batch_first=True)
    assert names(whole) == ["encoder.layers.0", "decoder.layers.0"]


def test_a_block_knows_the_layer_that_may_be_called_without_it():
    block = DeepGCNLayer(GCNConv(8, 8), nn.LayerNorm(8), nn.ReLU())
    (layer,) = find_layers(nn.ModuleList([block]))
    assert layer.modules == {"": block}
    assert layer.hearts == (block.conv,)
    assert find_layers(GCNConv(8, 8))[0].hearts == ()


class Plain(nn.Module):
    def __init__(self):
        super().__init__()
        self.convs = nn.ModuleList([SAGEConv(4, 4), SAGEConv(4, 4)])
        self.last = SAGEConv(4, 4)

    def forward(self, x, edge_index):
        for conv in self.convs:
            x = conv(x, edge_index)
        return self.last(x, edge_index)


@pytest.mark.parametrize("relations", [1, 3])
def test_the_relations_of_to_hetero_are_one_layer(relations):
    edge_types = [("a", f"to{i}", "a") for i in range(relations)]
    layers = find_layers(to_hetero(Plain(), (["a"], edge_types)))
    assert [layer.name for layer in layers] == ["convs.0", "convs.1", "last"]
    for layer in layers:
        assert layer.per_relation
        assert set(layer.modules) == {f"a__to{i}__a" for i in range(relations)}


def test_named_layers_are_taken_as_they_are():
    model = nn.Sequential(nn.Linear(4, 4), nn.ReLU(), nn.Linear(4, 4))
    assert names(model, ["2", "0"]) == ["2", "0"]


def test_one_module_under_two_names_is_one_layer():
    conv = GCNConv(4, 4)
    model = nn.ModuleList([conv, conv])
    assert names(model) == ["0"]
    assert names(model, ["1", "0"]) == ["1"]


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (
            ["convs.7"],
            r"layers: found 'convs\.7', which is no module of GCN",
        ),
        (["convs.0.lin", "convs.0"], r"'convs\.0\.lin' inside 'convs\.0'"),
        (["", "convs.0"], r"'convs\.0' inside ''"),
        ([], r"layers: found no name"),
    ],
)
def test_names_that_cannot_be_traced_are_refused(given, message):
    with pytest.raises(InputError, match=message):
        find_layers(GCN(4, 8, num_layers=2), given)


def test_a_model_without_layers_is_refused_with_the_remedy():
    with pytest.raises(InputError, match=r"no message-passing.* in Linear; name its"):
        find_layers(nn.Linear(3, 3))


class Mean(MessagePassing):
    def __init__(self):
        super().__init__(aggr="mean")


@pytest.mark.parametrize(
    ("conv", "normalization"),
    [
        (GCNConv(4, 4), "sym"),
        (GCNConv(4, 4, normalize=False), None),
        (SGConv(4, 4), "sym"),
        (SAGEConv(4, 4), "rw"),
        (SAGEConv(4, 4, aggr="max"), None),
        (GATConv(4, 4), "rw"),
        (GINConv(nn.Identity()), None),
        (Mean(), "rw"),
        (nn.MultiheadAttention(4, 2), None),
    ],
)
def test_the_laplacian_follows_from_the_operator(conv, normalization):
    assert find_layers(nn.ModuleList([conv]))[0].normalization == normalization


@pytest.mark.parametrize(
    "conv", [GCNConv(4, 4), GCNConv(4, 4, normalize=False), SAGEConv(4, 4)], ids=repr
)
def test_an_accelerated_layer_has_the_laplacian_of_the_layer_it_was(conv):
    before, after = (
        find_layers(nn.ModuleList([layer]))[0].normalization
        for layer in (conv, accelerate(copy.deepcopy(conv)))
    )
    assert before == after


def test_shared_parameters_count_once():
    conv = SAGEConv(4, 4)
    hetero = HeteroConv({("a", "to", "a"): conv, ("a", "of", "a"): conv})
    (layer,) = find_layers(hetero)
    assert len(layer.parameters) == len(list(conv.parameters()))


def test_global_attention_is_recognized_also_where_it_is_no_layer():
    assert hears_everyone(nn.ModuleList([attention()]))
    assert hears_everyone(SGFormer(4, 8, 3))
    assert not hears_everyone(GAT(4, 8, num_layers=1))


def test_finding_layers_changes_nothing():
    model = GCN(4, 8, num_layers=2)
    before = {key: value.clone() for key, value in model.state_dict().items()}
    find_layers(model)
    assert all(torch.equal(before[k], v) for k, v in model.state_dict().items())
    assert not any(module._forward_hooks for module in model.modules())


def test_a_name_in_place_of_a_list_of_names_is_refused():
    with pytest.raises(InputError, match=r"give a list: \['convs.0'\]"):
        find_layers(GCN(4, 8, num_layers=1), "convs.0")
