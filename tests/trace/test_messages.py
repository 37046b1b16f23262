"""Heterogeneous models are read by node type, and their relations compared."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from tests.trace.true_states import (
    traced,
)
from torch import nn
from torch_geometric.nn import (
    HANConv,
    HeteroConv,
    HGTConv,
    SAGEConv,
    to_hetero,
)

from benthic.metrics import (
    mean_norm,
    rayleigh_quotient,
)
from benthic.supervision import Supervision
from benthic.trace import Trace


class Listed(nn.Module):
    def __init__(self):
        super().__init__()
        self.convs = nn.ModuleList([SAGEConv(6, 8), SAGEConv(8, 8)])

    def forward(self, x, edge_index):
        for conv in self.convs:
            x = conv(x, edge_index).relu()
        return x


class Attributes(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1, self.conv2 = SAGEConv(6, 8), SAGEConv(8, 8)

    def forward(self, x, edge_index):
        x = self.conv1(x, edge_index).relu()
        return self.conv2(x, edge_index).relu()


def relation_sum(member, x_dict, edge_index_dict):
    out = {}
    for (src, name, dst), edges in edge_index_dict.items():
        conv = member(f"{src}__{name}__{dst}")
        sent = conv((x_dict[src], x_dict[dst]), edges)
        out[dst] = out[dst] + sent if dst in out else sent
    return {node_type: h.relu() for node_type, h in out.items()}


def assert_reads_types(trace, expected):
    found = {(layer.name, layer.node_type): layer for layer in trace.layers}
    assert set(found) == set(expected)
    for key, states in expected.items():
        assert found[key].norm == pytest.approx(float(mean_norm(states)), rel=1e-5)
        assert found[key].num_nodes == states.size(0)


@pytest.mark.parametrize(
    ("cls", "names"),
    [(Listed, ["convs.0", "convs.1"]), (Attributes, ["conv1", "conv2"])],
)
def test_to_hetero_is_read_by_node_type(cls, names, hetero):
    model = to_hetero(cls(), hetero.metadata(), aggr="sum")
    with torch.no_grad():
        trace = traced(model, hetero.x_dict, hetero.edge_index_dict)
        x_dict, expected = hetero.x_dict, {}
        for name in names:
            x_dict = relation_sum(
                lambda key, name=name: model.get_submodule(f"{name}.{key}"),
                x_dict,
                hetero.edge_index_dict,
            )
            expected |= {(name, t): x for t, x in x_dict.items()}
    assert_reads_types(trace, expected)
    assert trace.num_hops == 2
    user = next(layer for layer in trace.layers if layer.node_type == "user")
    expected = rayleigh_quotient(
        relation_sum(
            lambda key: model.get_submodule(f"{names[0]}.{key}"),
            hetero.x_dict,
            hetero.edge_index_dict,
        )["user"],
        hetero["user", "follows", "user"].edge_index,
        normalization="rw",
    )
    assert user.rayleigh_quotient == pytest.approx(float(expected), rel=1e-5)


def test_messages_of_two_relations_are_compared(hetero):
    model = to_hetero(Listed(), hetero.metadata(), aggr="sum")
    trace = traced(model, hetero.x_dict, hetero.edge_index_dict)
    relations = {(r.name, r.node_type): r for r in trace.relations}
    assert set(relations) == {
        (name, t) for name in ("convs.0", "convs.1") for t in ("user", "item")
    }
    reading = relations["convs.0", "item"]
    sent = []
    for relation in ("user__buys__item", "user__views__item"):
        conv = model.get_submodule(f"convs.0.{relation}")
        edges = hetero[tuple(relation.split("__"))].edge_index
        sent.append(conv((hetero["user"].x, hetero["item"].x), edges).detach())
    expected = float(F.cosine_similarity(*sent, dim=-1).mean())
    assert reading.relations == ("user__buys__item", "user__views__item")
    assert reading.cosine == pytest.approx(expected, rel=1e-5)


class HeteroStack(nn.Module):
    def __init__(self, metadata, in_block):
        super().__init__()
        convs = [
            HeteroConv({e: SAGEConv(w, 8) for e in metadata[1]}, aggr="mean")
            for w in (6, 8, 8)
        ]
        self.layers = nn.ModuleList(map(HeteroBlock, convs) if in_block else convs)
        self.in_block = in_block

    def forward(self, x_dict, edge_index_dict):
        self.states = []
        for layer in self.layers:
            x_dict = layer(x_dict, edge_index_dict)
            if not self.in_block:
                x_dict = {t: x.relu() for t, x in x_dict.items()}
            self.states.append(x_dict)
        return x_dict


class HeteroBlock(nn.Module):
    def __init__(self, conv):
        super().__init__()
        self.conv = conv

    def forward(self, x_dict, edge_index_dict):
        out = self.conv(x_dict, edge_index_dict)
        return {t: x.relu() for t, x in out.items()}


@pytest.mark.parametrize("in_block", [False, True])
def test_a_stack_of_hetero_convs_is_read_by_node_type(in_block, hetero):
    model = HeteroStack(hetero.metadata(), in_block)
    trace = traced(model, hetero.x_dict, hetero.edge_index_dict)
    expected = {
        (f"layers.{i}", t): x
        for i, x_dict in enumerate(model.states)
        for t, x in x_dict.items()
    }
    assert_reads_types(trace, expected)
    assert trace.num_hops == 3
    assert {r.node_type for r in trace.relations} == {"user", "item"}
    users = [layer for layer in trace.layers if layer.node_type == "user"]
    assert users[0].rayleigh_quotient == pytest.approx(
        float(
            rayleigh_quotient(
                model.states[0]["user"],
                hetero["user", "follows", "user"].edge_index,
                normalization="rw",
            )
        ),
        rel=1e-5,
    )


@pytest.mark.parametrize("cls", [HGTConv, HANConv])
def test_heterogeneous_attention_is_read_by_node_type(cls, hetero):
    class Stack(nn.Module):
        def __init__(self):
            super().__init__()
            metadata = hetero.metadata()
            self.a, self.b = cls(6, 8, metadata, heads=2), cls(8, 8, metadata, heads=2)

        def forward(self, x_dict, edge_index_dict):
            first = self.a(x_dict, edge_index_dict)
            first = {t: x.relu() for t, x in first.items()}
            self.states = first, self.b(first, edge_index_dict)
            return self.states[1]

    model = Stack().eval()
    trace = traced(model, hetero.x_dict, hetero.edge_index_dict)
    expected = {
        (name, t): x
        for name, x_dict in zip("ab", model.states, strict=True)
        for t, x in x_dict.items()
    }
    assert_reads_types(trace, expected)
    assert trace.num_hops == 2


def test_shared_relations_are_numbered_by_call(hetero):
    class Shared(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv = SAGEConv(6, 6)

        def forward(self, x, edge_index):
            x = self.conv(x, edge_index).relu()
            return self.conv(x, edge_index)

    model = to_hetero(Shared(), hetero.metadata())
    trace = traced(model, hetero.x_dict, hetero.edge_index_dict)
    names = [(layer.name, layer.node_type) for layer in trace.layers]
    assert sorted(names) == sorted(
        [("conv", "user"), ("conv", "item"), ("conv#2", "user"), ("conv#2", "item")]
    )


def test_labels_are_read_on_their_own_node_type(hetero):
    hetero["user"].y = torch.arange(12) % 2
    hetero["user"].train_mask = torch.arange(12) < 6
    hetero["user"].val_mask = torch.arange(12) >= 6
    model = to_hetero(Listed(), hetero.metadata())
    with torch.no_grad(), Trace(model, supervision=Supervision.of(hetero)) as trace:
        model(hetero.x_dict, hetero.edge_index_dict)
    for layer in trace.layers:
        assert (layer.probe_accuracy is None) == (layer.node_type == "item")
        if layer.node_type == "item":
            assert "'user'" in layer.undefined["probe_accuracy"]
