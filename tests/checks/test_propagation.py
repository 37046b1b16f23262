from __future__ import annotations

import numpy as np
import pytest
import torch
from tests.checks.planted import blocks, distant
from torch_geometric.data import Data, HeteroData
from torch_geometric.transforms import ToSparseTensor

from benthic.checks import propagation
from benthic.checks.propagation import propagated_accuracy
from benthic.metrics.linear_probe import linear_probe_accuracy
from benthic.supervision import Supervision


def by_dense_matrices(data: Data, hops: int) -> float:
    """The same by the N x N matrix of the paper."""
    n = data.num_nodes
    a = np.eye(n)
    a[data.edge_index[1], data.edge_index[0]] = 1
    degree = a.sum(1)
    operator = a / np.sqrt(np.outer(degree, degree))
    x = np.linalg.matrix_power(operator, hops) @ data.x.double().numpy()
    probe = linear_probe_accuracy(
        torch.from_numpy(x).float(), data.y, data.train_mask, data.val_mask
    )
    return float(probe)


def test_it_is_the_probe_on_powers_of_the_normalized_adjacency():
    data = blocks(per_class=20, noise=2.0)
    points = propagated_accuracy(data, Supervision.of(data), [0, 1, 3])
    assert [point.num_hops for point in points] == [0, 1, 3]
    for point in points:
        expected = by_dense_matrices(data, point.num_hops)
        assert point.accuracy == pytest.approx(expected, abs=0.03)


@pytest.fixture
def double_by_default():
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)


@pytest.mark.usefixtures("double_by_default")
def test_torchs_default_of_double_precision_changes_nothing():
    data = blocks(per_class=20, noise=2.0)
    data.x = data.x.repeat(1, 200)  # so many columns are projected to fewer
    (point,) = propagated_accuracy(data, Supervision.of(data), [2])
    torch.set_default_dtype(torch.float32)
    (expected,) = propagated_accuracy(data, Supervision.of(data), [2])
    assert point == expected


def test_a_label_four_hops_away_is_read_at_four_hops_and_not_before():
    data = distant(hops=4)
    points = propagated_accuracy(data, Supervision.of(data), [0, 1, 2, 3, 4])
    near, at = [p.accuracy for p in points[:4]], points[4].accuracy
    assert max(near) < 0.65
    assert at > 0.95


def test_propagating_far_in_a_connected_graph_wipes_the_labels_out():
    data = blocks()
    points = propagated_accuracy(data, Supervision.of(data), [2, 1024])
    assert points[0].accuracy > 0.95
    assert points[1].accuracy < 0.5


@pytest.mark.filterwarnings("ignore:Sparse")
def test_a_sparse_adjacency_gives_the_same():
    data = blocks(per_class=20, noise=2.0)
    expected = propagated_accuracy(data, Supervision.of(data), [2])
    sparse = ToSparseTensor(layout=torch.sparse_coo)(data.clone())
    assert "edge_index" not in sparse
    assert propagated_accuracy(sparse, Supervision.of(sparse), [2]) == expected


def test_wide_features_are_projected_and_read_as_well(monkeypatch):
    data = blocks(per_class=20, channels=64, noise=0.3)
    whole = propagated_accuracy(data, Supervision.of(data), [1])[0].accuracy
    monkeypatch.setattr(propagation, "MAX_CHANNELS", 16)
    narrow = propagated_accuracy(data, Supervision.of(data), [1])[0].accuracy
    assert narrow == pytest.approx(whole, abs=0.1)


def two_types() -> HeteroData:
    """Users whose label only their item's feature tells."""
    data = HeteroData()
    n = 60
    y = torch.arange(n) % 2
    data["user"].x, data["user"].y = torch.ones(n, 1), y
    data["item"].x = torch.tensor([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]])
    data["tag"].num_nodes = 3
    data["item", "bought_by", "user"].edge_index = torch.stack([y, torch.arange(n)])
    data["tag", "on", "item"].edge_index = torch.tensor([[0, 1, 2], [0, 0, 1]])
    data["user"].train_mask = torch.arange(n) < 20
    data["user"].val_mask = torch.arange(n) >= 20
    return data


def test_a_heterogeneous_graph_is_read_through_all_its_relations():
    data = two_types()
    points = propagated_accuracy(data, Supervision.of(data), [0, 1])
    assert points[0].accuracy == pytest.approx(0.5, abs=0.05)
    assert points[1].accuracy == 1.0
