from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics.pairwise import cosine_similarity
from tests.metrics.random_rows import by_pairs, some_edges, some_rows

from benthic.errors import InputError
from benthic.metrics.average_distance import MeanAverageDistance, mean_average_distance


def by_loops(x: torch.Tensor, edge_index: torch.Tensor) -> float:
    distance: dict[int, list[float]] = {}
    for j, i in edge_index.T.tolist():
        if i != j and x[i].any() and x[j].any():
            cosine = cosine_similarity(x[[i]].double(), x[[j]].double())[0, 0]
            distance.setdefault(i, []).append(1 - cosine)
    return float(np.mean([np.mean(found) for found in distance.values()]))


def test_equal_rows_have_distance_zero():
    x = torch.randn(1, 8).expand(30, 8)
    assert mean_average_distance(x).item() == pytest.approx(0.0, abs=1e-6)
    assert mean_average_distance(x, some_edges(30)).item() == 0.0


def test_orthogonal_rows_have_distance_one():
    assert mean_average_distance(torch.eye(8)).item() == pytest.approx(1.0)
    assert mean_average_distance(torch.eye(30), some_edges(30)).item() == 1.0


def test_opposite_rows_have_distance_two():
    x = torch.tensor([[1.0, 2.0], [-2.0, -4.0]])
    edge_index = torch.tensor([[0, 1], [1, 0]])
    assert mean_average_distance(x, edge_index).item() == pytest.approx(2.0)


def test_a_dead_network_is_undefined_never_healthy():
    assert mean_average_distance(torch.zeros(10, 4)).isnan()


def test_a_dead_network_has_no_distance_to_neighbors():
    assert mean_average_distance(torch.zeros(10, 4), some_edges(10)).isnan()


def test_one_row_is_undefined():
    assert mean_average_distance(torch.ones(1, 4)).isnan()


@pytest.mark.parametrize("power", [-40, -25, 25, 37])
def test_scale_does_not_matter_where_squares_leave_the_type(power):
    x = some_rows().clamp(-3, 3)
    scaled = x * 10.0**power
    edge_index = some_edges()
    torch.testing.assert_close(
        mean_average_distance(scaled), mean_average_distance(x), rtol=1e-4, atol=1e-4
    )
    torch.testing.assert_close(
        mean_average_distance(scaled, edge_index),
        mean_average_distance(x, edge_index),
        rtol=1e-4,
        atol=0,
    )


@given(seed=st.integers(0, 1000))
def test_relabelling_nodes_changes_nothing(seed):
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(12, 3, generator=generator)
    edge_index = torch.randint(12, (2, 30), generator=generator)
    order = torch.randperm(12, generator=generator)
    label = order.argsort()  # node i is called label[i]
    torch.testing.assert_close(
        mean_average_distance(x[order]), mean_average_distance(x), rtol=1e-5, atol=1e-6
    )
    torch.testing.assert_close(
        mean_average_distance(x[order], label[edge_index]),
        mean_average_distance(x, edge_index),
        rtol=1e-5,
        atol=1e-6,
    )


@given(seed=st.integers(0, 1000))
def test_row_lengths_do_not_matter(seed):
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(12, 3, generator=generator)
    scale = torch.rand(12, 1, generator=generator) + 0.1
    torch.testing.assert_close(
        mean_average_distance(x * scale), mean_average_distance(x), rtol=1e-5, atol=1e-6
    )


def test_equals_all_pairs():
    x = some_rows()
    assert mean_average_distance(x).item() == pytest.approx(1 - by_pairs(x), abs=1e-6)


def test_distance_equals_a_loop_over_directed_edges_with_loops_and_repeats():
    x, edge_index = some_rows(), some_edges()
    edge_index[:, :5] = torch.arange(5)
    edge_index[:, 5:10] = edge_index[:, 10:15]
    actual = mean_average_distance(x, edge_index).item()
    assert actual == pytest.approx(by_loops(x, edge_index), rel=1e-5)


def test_distance_of_a_relation_is_seen_from_its_targets():
    x_src, x_dst = some_rows(30), some_rows(10)
    edge_index = torch.stack([torch.randint(30, (60,)), torch.randint(10, (60,))])
    joined = torch.cat([x_src, x_dst])
    shifted = edge_index + torch.tensor([[0], [30]])
    torch.testing.assert_close(
        mean_average_distance((x_src, x_dst), edge_index),
        mean_average_distance(joined, shifted),
    )


def test_isolated_nodes_do_not_count_as_smooth():
    edge_index = torch.tensor([[0, 1], [1, 0]])
    x = torch.eye(8)
    assert mean_average_distance(x, edge_index).item() == pytest.approx(1.0)


def test_nearly_equal_neighbors_are_told_apart():
    angle = 1e-6
    x = torch.tensor([[1.0, 0.0], [math.cos(angle), math.sin(angle)]])
    distance = mean_average_distance(x, torch.tensor([[0, 1], [1, 0]]))
    assert distance.item() == pytest.approx(angle**2 / 2, rel=1e-3)


def test_merging_two_halves_equals_the_whole():
    x = some_rows()
    whole, left, right = (MeanAverageDistance() for _ in range(3))
    whole.update(x)
    left.update(x[:13])
    right.update(x[13:])
    left.merge_state(right)
    torch.testing.assert_close(left.compute(), whole.compute())


def test_one_distance_metric_cannot_mix_neighbors_and_all_pairs():
    metric = MeanAverageDistance()
    metric.update(torch.eye(3))
    metric.update(torch.eye(3), torch.tensor([[0], [1]]))
    with pytest.raises(InputError, match="edge_index: found updates with edges and"):
        metric.compute()


def test_all_pairs_of_a_relation_are_refused():
    with pytest.raises(InputError, match="edge_index: found None for a bipartite"):
        mean_average_distance((torch.eye(3), torch.eye(3)))


def test_an_edge_to_a_missing_node_is_refused():
    with pytest.raises(InputError, match="edge_index: found node 3 in row 0"):
        mean_average_distance(torch.eye(3), torch.tensor([[3], [0]]))
