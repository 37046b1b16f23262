from __future__ import annotations

import pytest
import torch
from torch_geometric.data import Data
from torch_geometric.nn import GCN

from benthic.metrics import dead_fraction, effective_rank, mean_cosine_similarity
from benthic.sweeps.hidden_layer import GAUGES, read_hidden_layer


@pytest.fixture
def graph():
    return Data(
        x=torch.randn(30, 5),
        edge_index=torch.randint(0, 30, (2, 90)),
        y=torch.arange(30) % 3,
    )


def test_the_gauges_are_those_of_the_states_before_the_logits(graph):
    model = GCN(5, 8, num_layers=3, out_channels=3, dropout=0.5).eval()
    x = graph.x
    for conv in model.convs[:-1]:
        x = conv(x, graph.edge_index).relu()
    found = read_hidden_layer(model, graph, 3)
    assert found["effective_rank"] == pytest.approx(float(effective_rank(x)), rel=1e-4)
    assert found["dead_fraction"] == pytest.approx(float(dead_fraction(x)))
    cosine = float(mean_cosine_similarity(x))
    assert found["mean_cosine"] == pytest.approx(cosine, rel=1e-4)


def test_the_gradient_ratio_is_first_over_last(graph):
    model = GCN(5, 8, num_layers=3, out_channels=3).eval()
    found = read_hidden_layer(model, graph, 3)["gradient_ratio"]
    loss = torch.nn.functional.cross_entropy(model(graph.x, graph.edge_index), graph.y)
    loss.backward()
    first, last = (
        torch.cat([p.grad.flatten() for p in model.convs[layer].parameters()]).norm()
        for layer in (0, -1)
    )
    assert found == pytest.approx(float(first / last), rel=1e-4)


def test_a_dead_layer_has_no_cosine_rather_than_a_good_one(graph):
    model = GCN(5, 8, num_layers=3, out_channels=3)
    torch.nn.init.zeros_(model.convs[1].lin.weight)
    found = read_hidden_layer(model, graph, 3)
    assert found["dead_fraction"] == 1.0
    assert found["mean_cosine"] is None


def test_a_single_layer_has_no_hidden_layer(graph):
    found = read_hidden_layer(GCN(5, 3, num_layers=1, out_channels=3), graph, 3)
    assert found["effective_rank"] is None


def test_a_model_without_message_passing_has_no_gauges(graph):
    class Linear(torch.nn.Linear):
        def forward(self, x):
            return super().forward(x)

    assert read_hidden_layer(Linear(5, 3), graph, 3) == dict.fromkeys(GAUGES)
