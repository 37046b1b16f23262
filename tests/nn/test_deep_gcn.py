"""The guide's network, mended: it trains where the printed one does not."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from benchmarks.networks import DeepGCN as Printed
from torch_geometric.data import Data
from torch_geometric.utils import stochastic_blockmodel_graph

from benthic.errors import InputError
from benthic.nn.deep_gcn import DeepGCN


@pytest.mark.parametrize("num_layers", [1, 2, 32])
def test_any_depth_has_as_many_layers_as_it_says(num_layers):
    model = DeepGCN(3, 8, 2, num_layers)
    assert len(model.stack.convs) == num_layers
    assert model(torch.ones(2, 3), torch.tensor([[0, 1], [1, 0]])).shape == (2, 2)


@pytest.fixture
def blocks():
    """Three groups that befriend their own, and features that say little."""
    torch.manual_seed(0)
    y = torch.arange(120) // 40
    chances = 0.01 + 0.14 * torch.eye(3)
    edge_index = stochastic_blockmodel_graph([40] * 3, chances)
    x = F.one_hot(y, 3) + 1.5 * torch.randn(120, 3)
    return Data(x=x, y=y, edge_index=edge_index, train_mask=torch.arange(120) % 2 == 0)


def accuracy_after_training(make, data):
    torch.manual_seed(0)
    model = make(3, 16, 3, 16)
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    for _ in range(30):
        out = model.train()(data.x, data.edge_index)[data.train_mask]
        loss = F.cross_entropy(out, data.y[data.train_mask])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    with torch.no_grad():
        right = model.eval()(data.x, data.edge_index).argmax(-1) == data.y
    return float(right[~data.train_mask].float().mean())


def test_16_layers_learn_groups_where_the_printed_network_is_at_chance(blocks):
    assert accuracy_after_training(DeepGCN, blocks) > 0.55
    assert accuracy_after_training(Printed, blocks) < 0.45


def test_a_skip_carries_the_stream_through_every_layer():
    model = DeepGCN(3, 8, 2, 50).eval()
    for conv in model.stack.convs:
        torch.nn.init.zeros_(conv.lin.weight)
    x = torch.randn(2, 3)
    hidden = F.relu(F.linear(x, model.stack.lin_in.weight, model.stack.lin_in.bias))
    expected = model.stack.lin_out(F.relu(model.stack.norms[-1](hidden)))
    torch.testing.assert_close(model(x, torch.tensor([[0, 1], [1, 0]])), expected)


def test_checkpoints_and_edge_weights_are_passed_on():
    model = DeepGCN(3, 8, 2, 4, checkpoint=True)
    edges = torch.tensor([[0, 1], [1, 0]])
    light, heavy = (
        model.eval()(torch.eye(2, 3), edges, torch.full((2,), weight))
        for weight in (0.1, 9.0)
    )
    assert not torch.allclose(light, heavy)
    assert model.stack.checkpoint


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"num_layers": 0}, "num_layers: found 0"),
        ({"dropout": 2.0}, "dropout: found 2.0"),
        ({"drop_edge": -0.5}, "found -0.5"),
    ],
)
def test_wrong_arguments_are_refused(options, message):
    with pytest.raises(InputError, match=message):
        DeepGCN(
            **{
                "in_channels": 3,
                "hidden_channels": 4,
                "out_channels": 2,
                "num_layers": 2,
                **options,
            }
        )
