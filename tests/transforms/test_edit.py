from __future__ import annotations

import pytest
import torch
from torch_geometric.data import Batch, Data, HeteroData

from benthic.errors import InputError
from benthic.transforms.edit import (
    add_edge_type,
    append_edges,
    check_added_edges,
    check_graph,
    write_edges,
)
from benthic.transforms.simple_graph import SimpleGraph


def square(**attributes: torch.Tensor) -> Data:
    """0-1-2-3-0, with a loop at 1 and the edge 0 -> 1 listed twice."""
    edge_index = torch.tensor(
        [[0, 1, 1, 2, 2, 3, 3, 0, 1, 0], [1, 0, 2, 1, 3, 2, 0, 3, 1, 1]]
    )
    return Data(x=torch.ones(4, 1), edge_index=edge_index, **attributes)


def test_what_is_not_one_homogeneous_graph_is_refused_with_what_comes_nearest():
    with pytest.raises(InputError, match=r"heterogeneous.*to_homogeneous.*VirtualNode"):
        check_graph(HeteroData())
    with pytest.raises(InputError, match="batch of 2 graphs; rewire each graph before"):
        check_graph(Batch.from_data_list([square(), square()]))
    with pytest.raises(InputError, match="type list; give a PyG Data"):
        check_graph([square()])
    with pytest.raises(InputError, match=r"edge_index: found no edges \(data has x\)"):
        check_graph(Data(x=torch.ones(2, 1)))
    check_graph(Data(x=torch.ones(2, 1)), needs_edges=False)


def test_features_of_edges_are_refused_and_weights_types_and_questions_are_not():
    with pytest.raises(InputError, match=r"edge_attr: found features of 10.*EGP"):
        check_added_edges(square(edge_attr=torch.ones(10, 3)))
    with pytest.raises(InputError, match="edge_time"):
        check_added_edges(square(edge_time=torch.arange(10)))
    check_added_edges(
        square(
            edge_weight=torch.ones(10),
            edge_type=torch.zeros(10).long(),
            edge_label=torch.ones(10),
            edge_label_index=torch.zeros(2, 10).long(),
            expander_edge_index=torch.zeros(2, 10).long(),
        )
    )


def test_edges_that_stay_keep_their_order_and_all_that_is_known_of_them():
    weight, kind = torch.arange(10.0), torch.arange(10) // 5
    data = square(edge_weight=weight, edge_type=kind, edge_label_index=torch.ones(2, 3))
    after = SimpleGraph.of(data.edge_index).without_edge(1, 2).with_edge(0, 2)
    edge_index = data.edge_index.clone()

    edited = write_edges(data.clone(), after)

    kept = [0, 1, 4, 5, 6, 7, 8, 9]
    assert torch.equal(edited.edge_index[:, :8], edge_index[:, kept])
    assert edited.edge_index[:, 8:].tolist() == [[0, 2], [2, 0]]
    assert edited.edge_weight.tolist() == [*weight[kept].tolist(), 1.0, 1.0]
    assert edited.edge_type.tolist() == [*kind[kept].tolist(), 2, 2]
    assert torch.equal(edited.edge_label_index, torch.ones(2, 3))
    assert torch.equal(data.edge_index, edge_index)


def test_features_of_edges_follow_a_removal():
    data = square(edge_attr=torch.arange(10.0).reshape(10, 1))
    edited = write_edges(data, SimpleGraph.of(data.edge_index).without_edge(0, 1))
    assert edited.edge_attr.flatten().tolist() == [2, 3, 4, 5, 6, 7, 8]


def test_the_same_graph_is_written_as_it_was():
    data = square()
    edge_index = data.edge_index
    assert write_edges(data, SimpleGraph.of(edge_index)).edge_index is edge_index


def test_only_edges_that_are_not_there_are_appended():
    data = append_edges(square(), torch.tensor([[0, 1, 0, 2], [1, 0, 2, 0]]))
    assert data.edge_index[:, 10:].tolist() == [[0, 2], [2, 0]]
    assert data.edge_type.tolist() == [0] * 10 + [1] * 2


def test_edges_that_have_types_keep_them():
    data = square(edge_type=torch.full((10,), 3))
    add_edge_type(data)
    assert data.edge_type.tolist() == [3] * 10
