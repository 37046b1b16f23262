from __future__ import annotations

import networkx as nx
import numpy as np
import pytest
import torch
import torch_geometric.transforms
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch_geometric.data import Data
from torch_geometric.utils import coalesce, from_networkx, to_undirected

from benthic.errors import InputError
from benthic.nn import encoding
from benthic.nn.encoding import (
    AddLaplacianEigenvectorPE,
    AddRandomWalkPE,
    DegreeEncoding,
    EncodingSum,
    LaplacianEncoding,
    RandomWalkEncoding,
    return_probabilities,
)

SEEDS = st.integers(0, 10_000)


def random_graph(seed: int, num_nodes: int = 9) -> Tensor:
    torch.manual_seed(seed)
    return to_undirected(torch.randint(num_nodes, (2, 12)), num_nodes=num_nodes)


def edges_of(graph: nx.Graph) -> Tensor:
    return from_networkx(nx.Graph(graph.edges)).edge_index


def decalin() -> nx.Graph:
    """Two rings of six atoms that share a bond."""
    graph = nx.cycle_graph(10)
    graph.add_edge(0, 5)
    return graph


def bicyclopentyl() -> nx.Graph:
    """Two rings of five atoms with a bond between them."""
    graph = nx.disjoint_union(nx.cycle_graph(5), nx.cycle_graph(5))
    graph.add_edge(0, 5)
    return graph


class Largest(TorchDispatchMode):
    """Notes the size of the largest tensor that any operation makes."""

    numel = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        out = func(*args, **(kwargs or {}))
        if isinstance(out, Tensor) and out.layout == torch.strided:
            self.numel = max(self.numel, out.numel())
        return out


# Laplacian eigenvectors


@settings(max_examples=20)
@given(SEEDS, st.lists(st.sampled_from([-1.0, 1.0]), min_size=4, max_size=4))
def test_turning_eigenvectors_around_changes_no_bit(seed, signs):
    edge_index, v = random_graph(seed), torch.randn(9, 4)
    read = LaplacianEncoding(4, 8)
    turned = v * torch.tensor(signs)
    assert torch.equal(read(v, edge_index), read(turned, edge_index))
    read.eval()
    assert torch.equal(read(v, edge_index), read(turned, edge_index))


def test_each_graph_of_a_batch_may_be_turned_on_its_own():
    edge_index = torch.tensor([[0, 1, 2, 3], [1, 0, 3, 2]])
    v, read = torch.randn(4, 3), LaplacianEncoding(3, 8)
    turned = torch.cat([v[:2], -v[2:]])
    assert torch.equal(read(v, edge_index), read(turned, edge_index))


def test_the_encoding_is_the_formula_of_signnet_node_by_node():
    edge_index, v = random_graph(1), torch.randn(9, 2)
    read = LaplacianEncoding(2, 5, hidden_channels=3)

    def phi(v: Tensor) -> Tensor:
        h = [torch.relu(read.lift(v[i : i + 1])) for i in range(9)]
        edges = edge_index.T.tolist()
        heard = [h[i] + sum(h[j] for j, k in edges if k == i) for i in range(9)]
        return torch.stack([read.phi(row) for row in heard])

    both = [phi(v[:, k]) + phi(-v[:, k]) for k in range(2)]
    expected = read.rho(torch.cat(both, dim=1))
    torch.testing.assert_close(read(v, edge_index), expected)


def test_a_node_hears_whether_its_neighbors_lie_on_its_side():
    ring = from_networkx(nx.cycle_graph(6)).edge_index
    v = torch.tensor([1.0, 1.0, 1.0, -1.0, -1.0, -1.0]).unsqueeze(1)
    out = LaplacianEncoding(1, 8)(v, ring)
    torch.testing.assert_close(out[1], out[4])  # mirror images of each other
    assert not torch.allclose(out[0], out[1], atol=1e-4)  # a single number: |v| = 1


def test_eigenvectors_of_a_large_graph_come_from_sparse_matrices():
    grid = from_networkx(nx.grid_2d_graph(40, 40))
    with Largest() as largest:
        data = AddLaplacianEigenvectorPE(3, is_undirected=True)(grid)
        pe = data.laplacian_eigenvector_pe
        out = LaplacianEncoding(3, 8)(pe, data.edge_index)
    assert out.shape == (1600, 8)
    assert out.std(0).min() > 0
    assert largest.numel < 1600**2 / 4


# Random walks


def test_the_transforms_are_pygs_own():
    assert AddRandomWalkPE is torch_geometric.transforms.AddRandomWalkPE
    transform = torch_geometric.transforms.AddLaplacianEigenvectorPE
    assert AddLaplacianEigenvectorPE is transform


@settings(max_examples=30)
@given(SEEDS, st.booleans())
def test_return_probabilities_are_the_diagonals_of_matrix_powers(seed, undirected):
    torch.manual_seed(seed)
    edges = torch.randint(7, (2, 11))
    edges = to_undirected(edges) if undirected else coalesce(edges)
    adjacency = np.zeros((8, 8))  # node 7 has no edges
    adjacency[tuple(edges.numpy())] = 1
    step = adjacency / np.maximum(adjacency.sum(1, keepdims=True), 1)
    powers = [np.linalg.matrix_power(step, k) for k in range(1, 6)]
    expected = np.stack([np.diag(power) for power in powers], axis=1)

    found = return_probabilities(edges, 8, 5)
    np.testing.assert_allclose(found.numpy(), expected, atol=1e-6)
    data = AddRandomWalkPE(5)(Data(edge_index=edges, num_nodes=8))
    torch.testing.assert_close(found, data.random_walk_pe)


def test_columns_in_blocks_give_the_same_numbers(monkeypatch):
    edge_index = random_graph(3)
    whole = return_probabilities(edge_index, 9, 6)
    monkeypatch.setattr(encoding, "_DENSE_NUMBERS", 20)  # two columns at a time
    torch.testing.assert_close(return_probabilities(edge_index, 9, 6), whole)


def test_return_probabilities_of_a_large_graph_hold_no_square():
    ring = from_networkx(nx.cycle_graph(6000)).edge_index
    with Largest() as largest:
        found = return_probabilities(ring, 6000, 2)
    torch.testing.assert_close(found, torch.tensor([[0.0, 0.5]]).expand(6000, 2))
    assert largest.numel < 6000**2 / 8


def test_a_graph_without_nodes_or_edges_returns_nobody():
    none = torch.empty(2, 0, dtype=torch.long)
    assert return_probabilities(none, 0, 3).shape == (0, 3)
    assert return_probabilities(none, 2, 3).tolist() == [[0, 0, 0], [0, 0, 0]]


def test_walks_tell_apart_molecules_that_message_passing_cannot():
    # The paper's claim, on the textbook pair that the 1-WL test calls equal.
    first, second = decalin(), bicyclopentyl()
    hashes = set()
    for graph in (first, second):
        nx.set_node_attributes(graph, "C", "atom")
        hashes.add(nx.weisfeiler_lehman_graph_hash(graph, None, "atom", iterations=10))
    assert len(hashes) == 1

    def encoded(graph: nx.Graph) -> Tensor:
        pe = return_probabilities(edges_of(graph), 10, 5)
        return read(pe).sum(0)

    read = RandomWalkEncoding(5, 8)
    assert not torch.allclose(encoded(first), encoded(second), atol=1e-3)


# Degrees


@settings(max_examples=20)
@given(SEEDS)
def test_a_degree_encoding_looks_up_both_degrees(seed):
    torch.manual_seed(seed)
    edge_index = torch.randint(6, (2, 15))
    read = DegreeEncoding(3, 4)
    expected = []
    for node in range(6):
        incoming = min(3, (edge_index[1] == node).sum().item())
        outgoing = min(3, (edge_index[0] == node).sum().item())
        expected.append(read.z_in[incoming] + read.z_out[outgoing])
    found = read(torch.empty(6, 0), edge_index)
    torch.testing.assert_close(found, torch.stack(expected))


def test_degrees_tell_apart_what_attention_alone_cannot():
    # Attention weights sum to one: among equal nodes it cannot count its neighbors.
    star = from_networkx(nx.star_graph(4)).edge_index
    x = torch.ones(5, 8)
    attend = torch_geometric.nn.GATConv(8, 8, add_self_loops=False)
    heard = attend(x, star)
    torch.testing.assert_close(heard[0], heard[1])
    heard = attend(x + DegreeEncoding(8, 8)(torch.empty(5, 0), star), star)
    assert not torch.allclose(heard[0], heard[1], atol=1e-4)


# All of them


def encodings() -> list[encoding.Encoding]:
    walk, degrees = RandomWalkEncoding(3, 8), DegreeEncoding(5, 8)
    return [LaplacianEncoding(3, 8), walk, degrees, EncodingSum(walk, degrees)]


@settings(max_examples=20)
@given(SEEDS)
def test_renumbering_the_nodes_renumbers_the_encoding(seed):
    edge_index = random_graph(seed)
    order = torch.randperm(9)
    for read in encodings():
        pe = torch.randn(9, read.channels)
        renumbered = read(pe[order], order.argsort()[edge_index])
        torch.testing.assert_close(renumbered, read(pe, edge_index)[order])


def test_every_parameter_learns():
    edge_index = random_graph(0)
    for read in encodings():
        read(torch.randn(9, read.channels), edge_index).square().sum().backward()
        for name, parameter in read.named_parameters():
            assert parameter.grad is not None, name
            assert parameter.grad.abs().sum() > 0, name


def test_a_sum_gives_each_part_its_columns():
    edge_index = random_graph(0)
    parts = LaplacianEncoding(2, 8), DegreeEncoding(5, 8), RandomWalkEncoding(3, 8)
    pe = torch.randn(9, 5)
    expected = (
        parts[0](pe[:, :2], edge_index)
        + parts[1](pe[:, :0], edge_index)
        + parts[2](pe[:, 2:])
    )
    torch.testing.assert_close(EncodingSum(*parts)(pe, edge_index), expected)


def test_what_cannot_be_read_is_refused():
    edge_index = random_graph(0)
    with pytest.raises(InputError, match=r"pe: found shape \(9, 2\)"):
        LaplacianEncoding(3, 8)(torch.zeros(9, 2), edge_index)
    with pytest.raises(InputError, match=r"pe: found shape \(9,\)"):
        RandomWalkEncoding(3, 8)(torch.zeros(9))
    with pytest.raises(InputError, match="pe: found shape"):
        EncodingSum(RandomWalkEncoding(3, 8))(torch.zeros(9, 4))
    for read in (LaplacianEncoding(3, 8), DegreeEncoding(3, 8)):
        with pytest.raises(InputError, match="edge_index: found None"):
            read(torch.zeros(9, read.channels))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: LaplacianEncoding(0, 8), "channels: found 0"),
        (lambda: LaplacianEncoding(3, 0), "out_channels: found 0"),
        (lambda: LaplacianEncoding(3, 8, hidden_channels=0), "hidden_channels: found"),
        (lambda: RandomWalkEncoding(0, 8), "walk_length: found 0"),
        (lambda: RandomWalkEncoding(3, 0), "out_channels: found 0"),
        (lambda: DegreeEncoding(-1, 8), "max_degree: found -1"),
        (lambda: DegreeEncoding(3, 0), "out_channels: found 0"),
        (lambda: EncodingSum(), "encodings: found none"),
        (
            lambda: EncodingSum(DegreeEncoding(3, 8), DegreeEncoding(3, 4)),
            r"encodings: found widths \[4, 8\]",
        ),
        (lambda: return_probabilities(random_graph(0), 9, 0), "walk_length: found 0"),
    ],
)
def test_impossible_sizes_are_refused(make, message):
    with pytest.raises(InputError, match=message):
        make()
