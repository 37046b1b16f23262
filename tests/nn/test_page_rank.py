"""Hop by hop, personalized PageRank is APPNP, and in the limit a linear system."""

from __future__ import annotations

import pytest
import torch
from tests import every_derivative
from torch_geometric.nn import APPNP
from torch_geometric.nn.conv.gcn_conv import gcn_norm

from benthic.nn.page_rank import page_rank
from benthic.nn.propagation import Adjacency

EDGES = torch.tensor([[0, 1, 1, 2, 3, 0], [1, 0, 2, 1, 0, 3]])


@pytest.fixture
def graph():
    edge_index, weight = gcn_norm(EDGES, None, 5, dtype=torch.float64)
    return Adjacency(edge_index, weight, (5, 5))


@pytest.mark.parametrize("hops", [0, 1, 7])
@pytest.mark.parametrize("alpha", [0.0, 0.1, 1.0])
def test_it_is_pygs_appnp(hops, alpha, graph):
    x = torch.randn(5, 3, dtype=torch.float64)
    expected = APPNP(hops, alpha)(x, EDGES)
    torch.testing.assert_close(page_rank(graph, x, hops, alpha), expected)


def test_its_limit_solves_the_papers_linear_system(graph):
    x = torch.randn(5, 3, dtype=torch.float64)
    system = torch.eye(5) - 0.9 * graph.matrix.to_dense()
    expected = 0.1 * torch.linalg.solve(system, x)
    torch.testing.assert_close(page_rank(graph, x, 300, 0.1), expected)


def test_every_derivative_is_that_of_finite_differences():
    weight = torch.randn(6, dtype=torch.float64)
    graph = Adjacency(EDGES, weight, (5, 5))  # not symmetric
    x = torch.randn(5, 2, dtype=torch.float64, requires_grad=True)
    assert every_derivative.is_right(lambda x: page_rank(graph, x, 3, 0.2), x)


@pytest.mark.parametrize("dim", [0, 1, 2])
def test_a_batch_is_its_members(dim, graph):
    members = torch.randn(4, 5, 3, dtype=torch.float64)
    out = torch.func.vmap(lambda x: page_rank(graph, x, 5, 0.1), in_dims=dim)(
        members.movedim(0, dim)
    )
    expected = torch.stack([page_rank(graph, x, 5, 0.1) for x in members])
    torch.testing.assert_close(out, expected)


def test_the_states_are_left_as_they_were(graph):
    x = torch.randn(5, 3, dtype=torch.float64)
    before = x.clone()
    for hops in (0, 3):
        page_rank(graph, x, hops, 0.1).add_(1)
    assert torch.equal(x, before)
