from __future__ import annotations

import pytest
import torch
from torch_geometric.data import Data, HeteroData

from benthic.errors import InputError
from benthic.validation import check_graph


def graph(**changes):
    parts = {
        "x": torch.ones(4, 3),
        "edge_index": torch.tensor([[0, 1, 2], [1, 2, 3]]),
        "y": torch.tensor([0, 1, 0, 1]),
        "train_mask": torch.tensor([True, True, False, False]),
        "val_mask": torch.tensor([False, False, True, True]),
    }
    return Data(**{k: v for k, v in {**parts, **changes}.items() if v is not None})


def hetero(**changes):
    data = HeteroData()
    data["user"].x = changes.get("user", torch.ones(3, 2))
    data["item"].x = changes.get("item", torch.ones(5, 4))
    edges = changes.get("edges", torch.tensor([[0, 2], [4, 0]]))
    data["user", "buys", "item"].edge_index = edges
    data["user"].y = changes.get("y", torch.tensor([0, 1, 1]))
    data["user"].train_mask = changes.get("mask", torch.tensor([True, True, False]))
    return data


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"y": None, "train_mask": None, "val_mask": None},
        {"edge_index": torch.empty(2, 0, dtype=torch.long)},
        {"train_mask": torch.ones(4, 10, dtype=torch.bool)},
        {"y": torch.tensor([0, 1, -1, 1]), "val_mask": None},
        {"y": torch.tensor([0.5, 0.1, 0.2, 0.3])},
        {"x": torch.ones(4, 3, dtype=torch.float16)},
        {"x": torch.ones(4, dtype=torch.long)},
        {"edge_weight": torch.ones(3)},
    ],
)
def test_a_sound_graph_passes(changes):
    check_graph(graph(**changes), num_classes=2)


NAN = float("nan")
FAULTS = [
    ("x", "no node features", {"x": None}),
    ("x", "1 of 4 nodes", {"x": torch.tensor([[1.0], [NAN], [1.0], [1.0]])}),
    ("x", "infinity", {"x": torch.full((4, 2), float("inf"))}),
    ("x", "empty graph", {"x": torch.empty(0, 3)}),
    ("x", "type ndarray", {"x": torch.ones(4, 3).numpy()}),
    ("edge_index", "no edges", {"edge_index": None}),
    ("edge_index", "node 4 among 4", {"edge_index": torch.tensor([[0], [4]])}),
    ("edge_index", "node -1 among 4", {"edge_index": torch.tensor([[-1], [0]])}),
    ("edge_index", "float32", {"edge_index": torch.ones(2, 3)}),
    ("edge_index", r"shape \[3, 2\]", {"edge_index": torch.ones(3, 2).long()}),
    ("edge_weight", r"shape \[2\]", {"edge_weight": torch.ones(2)}),
    ("edge_attr", "1 of 3 edges", {"edge_attr": torch.tensor([[NAN], [1.0], [1.0]])}),
    ("y", "label 2 for a model with 2", {"y": torch.tensor([0, 1, 2, 1])}),
    ("y", "label -7 on a node", {"y": torch.tensor([0, -7, 1, 1])}),
    ("y", "NaN", {"y": torch.tensor([0.0, NAN, 1.0, 1.0])}),
    ("y", r"shape \[3\] for 4 nodes", {"y": torch.tensor([0, 1, 0])}),
    ("train_mask", "empty mask", {"train_mask": torch.zeros(4, dtype=torch.bool)}),
    ("val_mask", r"shape \[5\]", {"val_mask": torch.ones(5, dtype=torch.bool)}),
    ("val_mask", "dtype torch.int64", {"val_mask": torch.ones(4).long()}),
]


@pytest.mark.parametrize(("argument", "found", "changes"), FAULTS)
def test_a_fault_is_named_in_one_line(argument, found, changes):
    with pytest.raises(InputError, match=found) as raised:
        check_graph(graph(**changes), num_classes=2)
    assert raised.value.argument == argument
    assert "\n" not in str(raised.value)


def test_a_split_without_nodes_is_found_among_several():
    mask = torch.ones(4, 2, dtype=torch.bool)
    mask[:, 1] = False
    with pytest.raises(InputError, match="empty mask"):
        check_graph(graph(train_mask=mask))


def test_labels_of_whole_graphs_need_not_count_the_nodes():
    check_graph(graph(y=torch.tensor([1]), train_mask=None, val_mask=None))


def test_a_sound_heterogeneous_graph_passes():
    check_graph(hetero(), num_classes=2)


@pytest.mark.parametrize(
    ("argument", "changes"),
    [
        ("x['user']", {"user": torch.full((3, 2), NAN)}),
        ("edge_index['user', 'buys', 'item']", {"edges": torch.tensor([[3], [0]])}),
        ("edge_index['user', 'buys', 'item']", {"edges": torch.tensor([[0], [5]])}),
        ("train_mask['user']", {"mask": torch.zeros(3, dtype=torch.bool)}),
        ("y['user']", {"y": torch.tensor([0, 9, 1])}),
    ],
)
def test_a_heterogeneous_fault_names_its_type(argument, changes):
    with pytest.raises(InputError) as raised:
        check_graph(hetero(**changes), num_classes=2)
    assert raised.value.argument == argument


def test_edges_of_a_node_type_without_nodes_are_refused():
    data = hetero()
    data["user", "likes", "shop"].edge_index = torch.tensor([[0], [0]])
    with pytest.raises(InputError, match="shop"):
        check_graph(data)


def test_a_heterogeneous_graph_without_features_is_refused():
    data = HeteroData()
    data["user"].num_nodes = 3
    with pytest.raises(InputError, match="no node features"):
        check_graph(data)


def test_a_node_type_without_features_but_with_a_size_passes():
    data = hetero()
    data["shop"].num_nodes = 2
    check_graph(data)


def test_faults_are_counted_across_chunks(monkeypatch):
    monkeypatch.setattr("benthic.validation._ROWS_AT_ONCE", 3)
    x = torch.ones(10, 2)
    x[[0, 5, 9]] = NAN
    edge_index = torch.tensor([[0], [1]])
    with pytest.raises(InputError, match="3 of 10 nodes"):
        check_graph(Data(x=x, edge_index=edge_index))
