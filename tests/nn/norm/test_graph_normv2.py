"""GraphNormv2 takes out the directions of the graph that it learns."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from tests.nn.norm.operators import some_graph, symmetric
from torch import nn
from torch_geometric.utils import to_undirected

from benthic.errors import InputError
from benthic.nn.norm import (
    GraphNorm,
    GraphNormv2,
    dominant_basis,
)


def test_graph_norm_v2_starts_as_graph_norm_with_and_without_a_basis():
    edge_index, x = some_graph(), torch.randn(30, 4)
    expected = GraphNorm(4)(x)

    for basis in (None, dominant_basis(edge_index, 30, k=3)):
        out = GraphNormv2(4, basis)(x)
        torch.testing.assert_close(out, expected, atol=1e-5, rtol=1e-4)


def test_graph_norm_v2_is_the_projection_of_its_paper():
    edge_index, x = some_graph(), torch.randn(30, 2)
    norm = GraphNormv2(2, dominant_basis(edge_index, 30, k=3))
    with torch.no_grad():
        norm.tau.normal_()
        norm.weight.uniform_()
        norm.bias.uniform_()
    for column in range(2):
        direction = norm.basis.numpy() @ norm.tau.detach().numpy()[:, column]
        values = x.numpy()[:, column]
        hat = values - np.outer(direction, direction) @ values
        scaled = hat / np.sqrt((hat**2).mean() + 1e-5)
        expected = norm.weight[column].item() * scaled + norm.bias[column].item()

        actual = norm(x)[:, column].detach().numpy()
        np.testing.assert_allclose(actual, expected, rtol=1e-4, atol=1e-5)


def test_learned_centering_keeps_the_directions_that_centering_bends():
    edge_index = some_graph()
    graph = symmetric(edge_index)
    basis = dominant_basis(edge_index, 30, k=2).double()
    learned, ordinary = GraphNormv2(1, basis).double(), GraphNorm(1).double()
    with torch.no_grad():  # take out the first eigenvector, and nothing else
        learned.tau.copy_(torch.tensor([[1.0], [0.0], [0.0]]))

    bent = []
    for norm in (learned, ordinary):
        x = torch.randn(30, 1, dtype=torch.double)
        for _ in range(1000):
            x = norm(graph @ x).detach()
        x = nn.functional.normalize(x, dim=0)
        bent.append((graph @ x - x @ (x.T @ graph @ x)).norm().item())

    # Where it ends is a direction of the graph, or is none.
    assert bent[0] < 1e-6
    assert bent[1] > 1e-3


@pytest.mark.parametrize("k", [1, 4, 29, 30])
def test_the_basis_is_what_numpy_finds(k):
    edge_index = some_graph()
    values, vectors = np.linalg.eigh(symmetric(edge_index).numpy())
    top = vectors[:, np.argsort(-np.abs(values))[:k]]

    basis = dominant_basis(edge_index, 30, k=k).double().numpy()

    width = min(k + 1, 30)
    assert basis.shape == (30, width)
    np.testing.assert_allclose(basis.T @ basis, np.eye(width), atol=1e-5)
    np.testing.assert_allclose(
        basis[:, :k] @ basis[:, :k].T, top @ top.T, atol=1e-4, rtol=0
    )
    constant = np.ones(30)
    np.testing.assert_allclose(basis @ (basis.T @ constant), constant, atol=1e-4)


def test_on_a_regular_graph_the_eigenvectors_span_the_constant():
    ring = to_undirected(torch.stack([torch.arange(9), torch.arange(9).roll(-1)]))

    assert dominant_basis(ring, 9, k=1).shape == (9, 1)


def test_the_basis_leaves_the_random_numbers_of_numpy_and_torch_alone():
    np.random.seed(0)  # noqa: NPY002
    before = np.random.get_state()[1].copy(), torch.get_rng_state()  # noqa: NPY002
    first = dominant_basis(some_graph_fixed := some_graph(), 30, k=3)
    torch.set_rng_state(before[1])

    assert (np.random.get_state()[1] == before[0]).all()  # noqa: NPY002
    assert torch.equal(first, dominant_basis(some_graph_fixed, 30, k=3))
    assert torch.equal(torch.get_rng_state(), before[1])


@pytest.mark.parametrize("k", [0, 31])
def test_more_eigenvectors_than_nodes_are_refused(k):
    with pytest.raises(InputError, match=f"k: found {k}; give a number from 1 to 30"):
        dominant_basis(some_graph(), 30, k=k)


def test_a_basis_is_for_its_own_graph_only():
    norm = GraphNormv2(4, dominant_basis(some_graph(), 30, k=1))

    with pytest.raises(InputError, match="x: found 29 nodes for a basis of 30"):
        norm(torch.randn(29, 4))
    with pytest.raises(InputError, match="batch: found several graphs"):
        norm(torch.randn(30, 4), torch.arange(30) // 15)
    assert norm(torch.randn(30, 4), torch.zeros(30, dtype=torch.long)).shape == (30, 4)
    assert "basis" not in norm.state_dict()
