from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from tests.checks.planted import blocks, case
from torch import nn
from torch_geometric.data import HeteroData
from torch_geometric.nn import GCN, GCNConv, HeteroConv, SAGEConv, to_hetero

from benthic.checks import RelationCollapse
from benthic.forward import call_model

check = RelationCollapse()
NODE, HEARS, LIKES = "node", ("node", "hears", "node"), ("node", "likes", "node")


def two_relations(*, same: bool) -> HeteroData:
    one, two = blocks(), blocks(seed=1)
    data = HeteroData()
    data[NODE].x, data[NODE].y = one.x, one.y
    data[NODE].train_mask, data[NODE].val_mask = one.train_mask, one.val_mask
    data[HEARS].edge_index = one.edge_index
    data[LIKES].edge_index = one.edge_index if same else two.edge_index.flip(1)
    return data


class Two(nn.Module):
    """One heterogeneous layer with a weight per relation, and a head."""

    def __init__(self, *, same: bool) -> None:
        super().__init__()
        first, second = GCNConv(8, 16), GCNConv(8, 16)
        if same:
            second.load_state_dict(first.state_dict())
        self.conv = HeteroConv({HEARS: first, LIKES: second})
        self.lin = nn.Linear(16, 3)

    def forward(self, x_dict, edge_index_dict):
        x = self.conv(x_dict, edge_index_dict)[NODE]
        return {NODE: self.lin(F.relu(x))}


def trained(model: nn.Module, data: HeteroData) -> nn.Module:
    optimizer = torch.optim.Adam(model.lin.parameters(), lr=0.05)
    mask = data[NODE].train_mask
    for _ in range(100):
        optimizer.zero_grad()
        loss = F.cross_entropy(call_model(model, data)[NODE][mask], data[NODE].y[mask])
        loss.backward()
        optimizer.step()
    return model


def test_the_same_weights_on_the_same_edges_say_the_same():
    data = two_relations(same=True)
    outcome = check(case(Two(same=True), data))
    assert outcome.kind == "issue"
    assert outcome.evidence["cosine"] == pytest.approx(1.0, abs=1e-5)
    assert outcome.evidence["relations"] == ["node__hears__node", "node__likes__node"]


def test_where_nothing_is_lost_it_is_a_tip():
    data = two_relations(same=True)
    model = trained(Two(same=True), data)
    assert check(case(model, data)).kind == "tip"


def test_relations_with_weights_of_their_own_pass():
    data = two_relations(same=True)
    outcome = check(case(Two(same=False), data))
    assert outcome.kind == "passed"
    assert abs(outcome.evidence["cosine"]) < 0.95


def test_a_network_made_by_to_hetero_is_read_too():
    data = two_relations(same=False)

    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv = SAGEConv(8, 3)

        def forward(self, x, edge_index):
            return self.conv(x, edge_index)

    model = to_hetero(Net(), data.metadata())
    assert check(case(model, data)).kind == "passed"
    convs = list(model.conv.values())
    convs[1].load_state_dict(convs[0].state_dict())
    with torch.no_grad():
        for conv in convs:  # a bias that drowns what the neighbors say
            conv.lin_l.bias.fill_(1e3)
    assert check(case(model, data)).kind == "issue"


def test_one_kind_of_edge_cannot_collapse():
    assert check(case(GCN(8, 16, 2, 3), blocks())).kind == "not applicable"
