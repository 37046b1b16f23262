from __future__ import annotations

import networkx as nx
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch_geometric.utils import from_networkx

from benthic.errors import InputError
from benthic.transforms import balanced_forman_curvature, forman
from benthic.transforms.forman import forman_after_adding, forman_of
from benthic.transforms.simple_graph import SimpleGraph

GRAPHS = st.builds(
    nx.gnp_random_graph, st.integers(2, 12), st.floats(0.1, 0.9), st.integers(0, 10**6)
)


def naive(graph: nx.Graph, i: int, j: int) -> float:
    """Definition 1 of the paper, word by word."""
    if min(graph.degree[i], graph.degree[j]) == 1:
        return 0.0
    ball_i, ball_j = set(graph[i]), set(graph[j])
    low, high = sorted((graph.degree[i], graph.degree[j]))
    triangles = len(ball_i & ball_j)
    cycles = [
        (k, w)
        for k in ball_i - ball_j - {j}
        for w in (set(graph[k]) & ball_j) - ball_i - {i}
    ]
    value = 2 / low + 2 / high - 2 + 2 * triangles / high + triangles / low
    if cycles:
        corners = [{k for k, _ in cycles}, {w for _, w in cycles}]
        through = [sum(c in cycle for cycle in cycles) for c in set.union(*corners)]
        value += sum(map(len, corners)) / (max(through) * high)
    return value


def edges_of(graph: nx.Graph) -> torch.Tensor:
    return from_networkx(graph).edge_index


def curvature_of(graph: nx.Graph) -> list[float]:
    return balanced_forman_curvature(edges_of(graph)).tolist()


@settings(max_examples=100)
@given(GRAPHS)
def test_curvature_is_that_of_the_definition(graph):
    edge_index = edges_of(graph)
    found = balanced_forman_curvature(edge_index, len(graph))
    expected = [naive(graph, u, v) for u, v in edge_index.T.tolist()]
    assert found.tolist() == pytest.approx(expected)


# The paper's table of examples.
@pytest.mark.parametrize(
    ("graph", "expected"),
    [
        (nx.cycle_graph(3), 3 / 2),
        (nx.cycle_graph(4), 1),
        (nx.cycle_graph(5), 0),
        (nx.cycle_graph(9), 0),
        (nx.complete_graph(7), 7 / 6),
        (nx.grid_2d_graph(5, 5, periodic=True), 0),
    ],
)
def test_curvature_is_that_of_the_papers_examples(graph, expected):
    assert curvature_of(graph) == pytest.approx([expected] * 2 * len(graph.edges))


def test_a_tree_is_negative_inside_and_flat_at_its_leaves():
    tree = nx.balanced_tree(3, 3)
    for (u, v), value in zip(
        edges_of(tree).T.tolist(), curvature_of(tree), strict=True
    ):
        degrees = tree.degree[u], tree.degree[v]
        expected = 0 if 1 in degrees else 2 / degrees[0] + 2 / degrees[1] - 2
        assert value == pytest.approx(expected)


@settings(max_examples=30)
@given(GRAPHS, st.randoms(use_true_random=False))
def test_relabelling_nodes_changes_nothing(graph, random):
    order = list(range(len(graph)))
    random.shuffle(order)
    edge_index = edges_of(graph)
    relabelled = torch.tensor(order)[edge_index]
    found = balanced_forman_curvature(relabelled, len(graph))
    assert torch.allclose(found, balanced_forman_curvature(edge_index, len(graph)))


def test_blocks_of_edges_give_what_all_at_once_gives(monkeypatch):
    graph = SimpleGraph.of(edges_of(nx.gnp_random_graph(40, 0.2, seed=3)))
    whole = forman_of(graph, graph.ends)
    monkeypatch.setattr(forman, "_STEPS_AT_ONCE", 7)
    assert np.array_equal(forman_of(graph, graph.ends), whole)


def test_repeated_edges_count_once_and_loops_have_no_curvature():
    square = edges_of(nx.cycle_graph(4))
    loop = torch.tensor([[2], [2]])
    found = balanced_forman_curvature(torch.cat([square, loop, square], dim=1))
    assert found[8].isnan()
    assert found[:8].tolist() == found[9:].tolist() == [1.0] * 8


def test_a_graph_without_edges_has_no_curvature():
    empty = torch.empty(2, 0, dtype=torch.long)
    assert balanced_forman_curvature(empty).shape == (0,)
    assert balanced_forman_curvature(empty, 3).shape == (0,)


def test_a_directed_graph_is_refused():
    with pytest.raises(InputError, match="one direction only"):
        balanced_forman_curvature(torch.tensor([[0], [1]]))


@settings(max_examples=60)
@given(GRAPHS, st.integers(0, 10**6))
def test_curvature_after_an_addition_is_that_of_the_graph_with_the_edge(graph, pick):
    if not graph.edges:
        return
    i, j = list(graph.edges)[pick % len(graph.edges)]
    around_i, around_j = {i, *graph[i]}, {j, *graph[j]}
    expected = {}
    for k in around_i:
        for l in around_j:  # noqa: E741
            if k != l and not graph.has_edge(k, l):
                joined = graph.copy()
                joined.add_edge(k, l)
                expected[k, l] = naive(joined, i, j)

    addition = forman_after_adding(SimpleGraph.of(edges_of(graph), len(graph)), i, j)

    pairs = list(zip(addition.k.tolist(), addition.l.tolist(), strict=True))
    assert sorted(pairs) == sorted(expected)
    found = dict(zip(pairs, addition.curvature.tolist(), strict=True))
    assert found == pytest.approx(expected)
