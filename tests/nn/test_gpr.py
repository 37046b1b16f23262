"""Generalized PageRank is its polynomial, begins as APPNP and learns signs."""

from __future__ import annotations

import copy

import pytest
import torch
import torch.nn.functional as F
from torch_geometric.nn import APPNP
from torch_geometric.nn.conv.gcn_conv import gcn_norm

from benthic.errors import InputError
from benthic.nn import APPNP as EXPORTED
from benthic.nn.gpr import GeneralizedPageRank

EDGES = torch.tensor([[0, 1, 1, 2, 3, 0, 4], [1, 0, 2, 1, 0, 3, 3]])
WEIGHT = torch.rand(7, generator=torch.Generator().manual_seed(0)) + 0.1


def operator(edge_weight, nodes=5):
    edge_index, weight = gcn_norm(EDGES, edge_weight, nodes)
    matrix = torch.zeros(nodes, nodes)
    matrix[edge_index[1], edge_index[0]] = weight
    return matrix


@pytest.mark.parametrize("edge_weight", [None, WEIGHT])
def test_it_is_the_polynomial_of_its_weights(edge_weight):
    torch.manual_seed(0)
    spread = GeneralizedPageRank(K=4)
    torch.nn.init.normal_(spread.gamma)
    x, matrix = torch.randn(5, 3), operator(edge_weight)
    expected = sum(
        weight * torch.linalg.matrix_power(matrix, hop) @ x
        for hop, weight in enumerate(spread.gamma)
    )
    torch.testing.assert_close(spread(x, EDGES, edge_weight), expected)


@pytest.mark.parametrize("hops", [1, 5])
@pytest.mark.parametrize("alpha", [0.0, 0.1, 1.0])
def test_it_begins_as_appnp(hops, alpha):
    x = torch.randn(5, 3)
    out = GeneralizedPageRank(hops, alpha)(x, EDGES)
    torch.testing.assert_close(out, APPNP(hops, alpha)(x, EDGES))


def test_where_neighbors_differ_it_learns_a_negative_weight():
    torch.manual_seed(0)
    y = torch.arange(40) % 2
    left, right = torch.where(y == 0)[0], torch.where(y == 1)[0]
    pairs = torch.stack([left.repeat(6), right[torch.randint(0, 20, (120,))]])
    edge_index = torch.cat([pairs, pairs.flip(0)], dim=1)
    x = F.one_hot(y, 2) + torch.randn(40, 2)
    spread = GeneralizedPageRank(K=4, alpha=0.5)
    losses = []
    optimizer = torch.optim.Adam(spread.parameters(), lr=0.05)
    for _ in range(80):
        loss = F.cross_entropy(spread(x, edge_index), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(float(loss.detach()))
    assert losses[-1] < 0.6 * losses[0]
    assert float(spread.gamma[1].detach()) < 0 < float(spread.gamma[0].detach())


def test_its_weights_can_be_drawn_anew_and_copied():
    spread = GeneralizedPageRank(K=3, alpha=0.2)
    first = spread.gamma.detach().clone()
    torch.testing.assert_close(float(first.sum()), 1.0)
    torch.nn.init.zeros_(spread.gamma)
    twin = copy.deepcopy(spread)
    spread.reset_parameters()
    assert torch.equal(spread.gamma, first)
    assert not twin.gamma.any()
    assert list(spread.state_dict()) == ["gamma"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((0, 0.1), "K: found 0"),
        ((2, -1.0), "alpha: found -1"),
        ((2, 2.0), "alpha: found"),
    ],
)
def test_wrong_arguments_are_refused(arguments, message):
    with pytest.raises(InputError, match=message):
        GeneralizedPageRank(*arguments)


def test_appnp_is_pygs():
    assert EXPORTED is APPNP


def test_it_says_what_it_is():
    assert repr(GeneralizedPageRank(3, 0.2)).startswith("GeneralizedPageRank(\n  K=3")
