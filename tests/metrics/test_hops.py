from __future__ import annotations

import networkx as nx
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch_geometric import EdgeIndex
from torch_geometric.data import Data, HeteroData
from torch_geometric.transforms import ToSparseTensor

from benthic.errors import InputError
from benthic.metrics.hops import Hops

EDGES = st.lists(st.tuples(st.integers(0, 7), st.integers(0, 7)), max_size=20)


def graph_of(edges: list[tuple[int, int]], num_nodes: int = 8) -> Data:
    edge_index = torch.tensor(edges, dtype=torch.long).reshape(-1, 2).T
    return Data(edge_index=edge_index, num_nodes=num_nodes)


@settings(max_examples=40)
@given(EDGES, st.integers(0, 7))
def test_hops_are_the_shortest_paths_along_the_messages(edges, node):
    paths = nx.DiGraph(edges)
    paths.add_nodes_from(range(8))
    length = dict(nx.single_target_shortest_path_length(paths, node))
    expected = [length.get(source, -1) for source in range(8)]
    assert Hops(graph_of(edges)).into(node).tolist() == expected


def test_a_long_path_is_walked_to_its_end():
    path = graph_of([(i, i + 1) for i in range(4999)], num_nodes=5000)
    assert Hops(path).into(4999).tolist() == list(range(4999, -1, -1))


def test_a_heterogeneous_graph_is_one_graph_of_all_its_edges():
    data = HeteroData()
    data["user"].num_nodes, data["item"].num_nodes, data["shop"].num_nodes = 2, 3, 1
    data["user", "buys", "item"].edge_index = torch.tensor([[0, 1], [0, 2]])
    data["item", "in", "shop"].edge_index = torch.tensor([[0, 1], [0, 0]])
    assert Hops(data, "shop").into(0).tolist() == [2, -1, 1, 1, -1, 0]
    assert Hops(data, "shop", ["item"]).into(0).tolist() == [1, 1, -1]
    assert Hops(data, "item").into(2).tolist() == [-1, 1, -1, -1, 0, -1]


@pytest.mark.filterwarnings("ignore:Sparse ")
def test_a_transposed_adjacency_is_read_like_its_edges():
    data = graph_of([(0, 1), (1, 2), (4, 2)])
    transposed = ToSparseTensor()(graph_of([(0, 1), (1, 2), (4, 2)]))
    assert transposed.edge_index is None
    assert Hops(transposed).into(2).tolist() == Hops(data).into(2).tolist()


def test_an_edge_index_object_is_read_like_a_tensor():
    data = graph_of([(0, 1), (1, 2)], num_nodes=3)
    data.edge_index = EdgeIndex(data.edge_index.contiguous(), sparse_size=(3, 3))
    assert Hops(data).into(2).tolist() == [2, 1, 0]


def test_a_graph_without_edges_is_refused():
    with pytest.raises(InputError, match="data: found neither edge_index nor adj_t"):
        Hops(Data(x=torch.ones(2, 1)))
