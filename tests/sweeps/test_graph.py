from __future__ import annotations

import pytest
import torch
from torch_geometric.data import Data

from benthic.sweeps import graph as room
from benthic.sweeps.cells import Job, Settings
from benthic.sweeps.graph import Graph


@pytest.fixture
def data():
    edges = torch.tensor([[0, 1, 1, 2], [1, 0, 2, 1]])
    return Data(x=torch.eye(3), edge_index=edges, y=torch.arange(3))


def job(treatment, num_layers=2, **settings):
    return Job("a", "gcn", treatment, num_layers, (0,), Settings(**settings))


def test_the_features_are_scaled_and_the_graph_stays(data):
    prepared = Graph(data).prepared(job("none", scale=10.0))
    assert torch.equal(prepared.x, 10 * torch.eye(3))
    assert torch.equal(data.x, torch.eye(3))


def test_a_rewiring_runs_once_for_all_depths_and_parts(data, monkeypatch):
    rewired = []
    whole = room.rewired
    monkeypatch.setattr(
        room, "rewired", lambda text, data: rewired.append(text) or whole(text, data)
    )
    graph = Graph(data)
    for treatment in ("virtual_node", "virtual_node+residual", "none", "residual"):
        for depth in (2, 4):
            graph.prepared(job(treatment, depth))
    assert rewired == ["virtual_node", "none"]
