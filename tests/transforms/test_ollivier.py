from __future__ import annotations

import math

import networkx as nx
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import linprog
from torch_geometric.utils import from_networkx

from benthic.errors import InputError
from benthic.transforms import ollivier, ollivier_ricci_curvature
from benthic.transforms.ollivier import costliest_shipment, ollivier_of
from benthic.transforms.simple_graph import SimpleGraph

GRAPHS = st.builds(
    nx.gnp_random_graph, st.integers(2, 10), st.floats(0.1, 0.9), st.integers(0, 10**6)
)


def naive(graph: nx.Graph, u: int, v: int) -> float:
    """1 - W1 by its dual: the best 1-Lipschitz function of all nodes."""
    nodes = list(nx.node_connected_component(graph, u))
    hops = dict(nx.all_pairs_shortest_path_length(graph.subgraph(nodes)))
    gain = np.zeros(len(nodes))
    for end, sign in ((u, 1), (v, -1)):
        for x in graph[end]:
            gain[nodes.index(x)] += sign / graph.degree[end]
    rows, bounds = [], []
    for a, x in enumerate(nodes):
        for b, y in enumerate(nodes):
            row = np.zeros(len(nodes))
            row[a] += 1
            row[b] -= 1
            rows.append(row)
            bounds.append(hops[x][y])
    free = [(None, None)] * (len(nodes) - 1)
    return 1 + linprog(-gain, rows, bounds, bounds=[(0, 0), *free]).fun


def edges_of(graph: nx.Graph) -> torch.Tensor:
    return from_networkx(graph).edge_index


def curvature_of(graph: nx.Graph) -> list[float]:
    return ollivier_ricci_curvature(edges_of(graph)).tolist()


@settings(max_examples=12)
@given(GRAPHS)
def test_curvature_is_that_of_the_dual_program(graph):
    edge_index = edges_of(graph)
    found = ollivier_ricci_curvature(edge_index, len(graph))
    expected = [naive(graph, u, v) for u, v in edge_index.T.tolist()]
    assert found.tolist() == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize(
    ("graph", "expected"),
    [
        (nx.cycle_graph(3), 1 / 2),
        (nx.cycle_graph(4), 0),
        (nx.cycle_graph(5), 0),
        (nx.cycle_graph(9), 0),
        (nx.complete_graph(7), 5 / 6),
        (nx.grid_2d_graph(7, 7, periodic=True), 0),
    ],
)
def test_curvature_of_known_graphs(graph, expected):
    assert curvature_of(graph) == pytest.approx([expected] * 2 * len(graph.edges))


def test_an_edge_of_a_tree_is_as_negative_as_its_branches():
    tree = nx.balanced_tree(3, 3)
    for (u, v), value in zip(
        edges_of(tree).T.tolist(), curvature_of(tree), strict=True
    ):
        rest = 1 - 1 / tree.degree[u] - 1 / tree.degree[v]
        assert value == pytest.approx(-2 * max(rest, 0))


@settings(max_examples=15)
@given(GRAPHS)
def test_no_bridge_is_above_zero(graph):
    graph.remove_nodes_from(list(nx.isolates(graph)))
    graph = nx.convert_node_labels_to_integers(graph)
    if not graph.edges:
        return
    bridges = {frozenset(edge) for edge in nx.bridges(graph)}
    for edge, value in zip(
        edges_of(graph).T.tolist(), curvature_of(graph), strict=True
    ):
        assert value <= 1e-12 or frozenset(edge) not in bridges


@settings(max_examples=15)
@given(GRAPHS, st.randoms(use_true_random=False))
def test_relabelling_nodes_changes_nothing(graph, random):
    order = list(range(len(graph)))
    random.shuffle(order)
    edge_index = edges_of(graph)
    found = ollivier_ricci_curvature(torch.tensor(order)[edge_index], len(graph))
    assert torch.equal(found, ollivier_ricci_curvature(edge_index, len(graph)))


def test_assignments_programs_and_blocks_agree(monkeypatch):
    graph = SimpleGraph.of(edges_of(nx.gnp_random_graph(25, 0.2, seed=1)))
    whole = ollivier_of(graph, graph.ends)
    monkeypatch.setattr(ollivier, "_UNITS", 0)
    monkeypatch.setattr(ollivier, "_PROGRAMS_AT_ONCE", 3)
    monkeypatch.setattr(ollivier, "_PAIRS_AT_ONCE", 50)
    assert np.array_equal(ollivier_of(graph, graph.ends), whole)


def test_repeated_edges_count_once_and_loops_have_no_curvature():
    triangle = edges_of(nx.cycle_graph(3))
    loop = torch.tensor([[2], [2]])
    found = ollivier_ricci_curvature(torch.cat([triangle, loop, triangle], dim=1))
    assert found[6].isnan()
    assert found[:6].tolist() == found[7:].tolist() == [0.5] * 6


def test_a_graph_without_edges_has_no_curvature():
    empty = torch.empty(2, 0, dtype=torch.long)
    assert ollivier_ricci_curvature(empty).shape == (0,)
    assert ollivier_ricci_curvature(empty, 3).shape == (0,)


def test_a_directed_graph_is_refused():
    with pytest.raises(InputError, match="one direction only"):
        ollivier_ricci_curvature(torch.tensor([[0], [1]]))


def test_the_costliest_shipment_crosses_the_bridge():
    graph = SimpleGraph.of(edges_of(nx.barbell_graph(5, 0)))
    shipment = costliest_shipment(graph, 4, 5)
    assert shipment.p in range(4)
    assert shipment.q in range(6, 10)
    assert shipment.distance == 3


def least_cost(hops: np.ndarray, bounds: list[tuple[float, None]]) -> float:
    """Transport between the uniform masses of rows and columns, by one program."""
    height, width = hops.shape
    by_row = np.kron(np.eye(height), np.ones(width))
    by_column = np.kron(np.ones(height), np.eye(width))
    masses = np.append(np.full(height, 1 / height), np.full(width, 1 / width))
    sides = np.concatenate([by_row, by_column])
    return linprog(hops.ravel(), A_eq=sides, b_eq=masses, bounds=bounds).fun


@settings(max_examples=15)
@given(GRAPHS, st.integers(0, 10**6))
def test_the_costliest_shipment_is_part_of_an_optimal_plan(graph, pick):
    if not graph.edges:
        return
    u, v = list(graph.edges)[pick % len(graph.edges)]
    left, right = sorted(graph[u]), sorted(graph[v])
    hops = np.array(
        [[nx.shortest_path_length(graph, x, y) for y in right] for x in left]
    )
    simple = SimpleGraph.of(edges_of(graph), len(graph))

    shipment = costliest_shipment(simple, u, v)

    row, column = left.index(shipment.p), right.index(shipment.q)
    assert shipment.distance == hops[row, column]
    free = [(0.0, None)] * hops.size
    forced = free.copy()
    forced[row * len(right) + column] = (1 / math.lcm(len(left), len(right)), None)
    assert least_cost(hops, forced) == pytest.approx(least_cost(hops, free))
