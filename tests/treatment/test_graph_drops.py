"""Edges and messages are dropped inside layers, and nothing else is touched."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch_geometric.nn import GCNConv, GINEConv, RGCNConv, SAGEConv

from benthic.nn.drop import DropEdge, DropMessage, DropPath
from benthic.treatment import treat


class Relations(nn.Module):
    def __init__(self):
        super().__init__()
        self.a, self.b = RGCNConv(6, 8, 3), RGCNConv(8, 3, 3)

    def forward(self, x, edge_index, edge_type):
        return self.b(self.a(x, edge_index, edge_type).relu(), edge_index, edge_type)


class Bipartite(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = SAGEConv((6, 4), 8)

    def forward(self, x, y, edge_index):
        return self.conv((x, y), edge_index)


class Weighted(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = GCNConv(6, 8)

    def forward(self, x, edge_index, edge_weight):
        return self.conv(x, edge_index, edge_weight)


class Attributed(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = GINEConv(nn.Linear(6, 8), edge_dim=2)

    def forward(self, x, edge_index, edge_attr):
        return self.conv(x, edge_index, edge_attr)


def kept_by(treated, conv, *inputs):
    seen = []
    conv.register_forward_pre_hook(
        lambda _, args, kwargs: seen.append((*args, *kwargs.values())), with_kwargs=True
    )
    treated(*inputs)
    return seen[0]


@pytest.mark.parametrize("model", [Weighted(), Attributed(), Relations()])
def test_what_comes_per_edge_goes_with_its_edge(model, x, edge_index):
    number = torch.arange(edge_index.size(1))
    per_edge = {
        Weighted: number.float(),
        Attributed: number.float()[:, None].expand(-1, 2).contiguous(),
        Relations: number % 3,
    }[type(model)]
    treated = treat(model, DropEdge(0.5), fast=False)
    conv = next(treated.children())
    _, edges, rows = kept_by(treated, conv, x, edge_index, per_edge)
    known = {
        (*e, *torch.atleast_1d(r).tolist())
        for e, r in zip(edge_index.t().tolist(), per_edge, strict=True)
    }
    kept = {
        (*e, *torch.atleast_1d(r).tolist())
        for e, r in zip(edges.t().tolist(), rows, strict=True)
    }
    assert kept < known
    assert len(rows) == edges.size(1)


def test_as_many_edges_as_nodes_do_not_mislead(x):
    edge_index = torch.stack([torch.arange(20), torch.arange(20).roll(1)])
    treated = treat(Weighted(), DropEdge(0.5))
    given, edges, weight = kept_by(
        treated, treated.conv, x, edge_index, torch.arange(20.0)
    )
    assert given is x
    assert len(weight) == edges.size(1) < 20
    assert torch.equal(edges[0].float(), weight)


def test_both_directions_live_and_die_together_within_one_type(x, edge_index):
    treated = treat(Weighted(), DropEdge(0.5))
    weight = torch.ones(edge_index.size(1))
    _, edges, _ = kept_by(treated, treated.conv, x, edge_index, weight)
    pairs = {tuple(edge) for edge in edges.t().tolist()}
    assert pairs == {(j, i) for i, j in pairs}


@pytest.mark.parametrize("drop", [DropEdge(0.5), DropPath(0.5)])
def test_between_two_types_each_edge_is_its_own(drop, x):
    y = torch.randn(20, 4)
    i, j = torch.randint(0, 20, (2, 200))
    edge_index = torch.stack([torch.cat([i, j]), torch.cat([j, i])])
    treated = treat(Bipartite(), drop)
    _, edges = kept_by(treated, treated.conv, x, y, edge_index)
    pairs = {tuple(edge) for edge in edges.t().tolist()}
    assert 0 < len(pairs)
    assert pairs != {(j, i) for i, j in pairs}


def test_messages_are_dropped_in_training_only(x, edge_index):
    treated = treat(Weighted(), DropMessage(1.0))
    weight = torch.ones(edge_index.size(1))
    out = treated(x, edge_index, weight)
    torch.testing.assert_close(out, treated.conv.bias.expand_as(out))
    model = Weighted().eval()
    out = treat(model, DropMessage(1.0))(x, edge_index, weight)
    torch.testing.assert_close(out, model(x, edge_index, weight))
