from __future__ import annotations

import networkx as nx
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch_geometric import EdgeIndex

from benthic.errors import InputError
from benthic.transforms import simple_graph
from benthic.transforms.simple_graph import SimpleGraph, per_column

EDGES = st.lists(st.tuples(st.integers(0, 7), st.integers(0, 7)), max_size=20)


def both_ways(edges: list[tuple[int, int]]) -> torch.Tensor:
    one_way = torch.tensor(edges, dtype=torch.long).reshape(-1, 2).T
    return torch.cat([one_way, one_way.flip(0)], dim=1)


def networkx_of(edges: list[tuple[int, int]]) -> nx.Graph:
    graph = nx.Graph()
    graph.add_nodes_from(range(8))
    graph.add_edges_from((u, v) for u, v in edges if u != v)
    return graph


@settings(max_examples=40)
@given(EDGES)
def test_a_graph_has_the_neighbors_that_networkx_finds(edges):
    graph, expected = SimpleGraph.of(both_ways(edges), 8), networkx_of(edges)
    for node in range(8):
        assert graph.neighbors(node).tolist() == sorted(expected[node])
    assert graph.degree.tolist() == [expected.degree[node] for node in range(8)]
    assert {(u, v) for u, v in graph.ends.T.tolist()} == {
        (min(edge), max(edge)) for edge in expected.edges
    }
    first, second = np.divmod(np.arange(64), 8)
    adjacent = [expected.has_edge(*pair) for pair in zip(first, second, strict=True)]
    assert graph.adjacent(first, second).tolist() == adjacent


@settings(max_examples=40)
@given(EDGES, st.lists(st.integers(0, 7), max_size=5))
def test_a_walk_steps_from_each_node_to_all_of_its_neighbors(edges, nodes):
    graph, expected = SimpleGraph.of(both_ways(edges), 8), networkx_of(edges)
    position, reached = graph.walk(np.array(nodes, dtype=np.int64))
    steps = [(i, w) for i, node in enumerate(nodes) for w in sorted(expected[node])]
    assert list(zip(position.tolist(), reached.tolist(), strict=True)) == steps


@settings(max_examples=40)
@given(EDGES, st.integers(0, 7), st.integers(0, 7))
def test_an_edge_that_joins_and_leaves_leaves_no_trace(edges, u, v):
    graph = SimpleGraph.of(both_ways(edges), 8)
    if u == v or u in graph.neighbors(v):
        return
    joined = graph.with_edge(u, v)
    whole = SimpleGraph.of(both_ways([*edges, (u, v)]), 8)
    assert joined.keys.tolist() == whole.keys.tolist()
    assert joined.without_edge(v, u).keys.tolist() == graph.keys.tolist()


def test_values_come_back_to_every_column_of_the_list():
    edge_index = both_ways([(2, 1), (0, 2), (0, 2), (1, 1)])
    graph = SimpleGraph.of(edge_index)
    values = 10.0 * graph.ends[0] + graph.ends[1]
    expected = torch.tensor([12.0, 2.0, 2.0, torch.nan] * 2, dtype=torch.float64)
    found = per_column(values, graph, edge_index)
    assert torch.equal(found.nan_to_num(-1), expected.nan_to_num(-1))


def test_an_edge_index_object_is_read_like_a_tensor():
    plain = both_ways([(0, 1)])
    assert SimpleGraph.of(EdgeIndex(plain.contiguous())).degree.tolist() == [1, 1]


@pytest.mark.parametrize("dtype", [torch.int32, torch.int64])
def test_keys_of_many_nodes_do_not_overflow(dtype):
    pair = torch.tensor([[10**6, 2], [2, 10**6]], dtype=dtype)
    columns = simple_graph._columns(pair)
    graph = SimpleGraph.of(torch.from_numpy(columns))
    assert graph.ends.tolist() == [[2], [10**6]]


def test_an_edge_of_a_node_that_is_not_there_is_refused():
    with pytest.raises(InputError, match="node 5 among 3 nodes; number the nodes"):
        SimpleGraph.of(both_ways([(0, 5)]), 3)
    with pytest.raises(InputError, match="node -1 among 3 nodes"):
        SimpleGraph.of(both_ways([(0, -1)]), 3)


def test_an_edge_in_one_direction_is_refused():
    one_way = torch.tensor([[0, 1, 2, 1], [1, 0, 0, 2]])
    with pytest.raises(InputError, match=r"2 edges in one direction.*ToUndirected"):
        SimpleGraph.of(one_way, 3)
