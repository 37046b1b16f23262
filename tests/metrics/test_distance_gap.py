from __future__ import annotations

import math

import networkx as nx
import numpy as np
import pytest
import torch
from sklearn.metrics.pairwise import cosine_distances

from benthic.errors import InputError
from benthic.metrics import distance_gap
from benthic.metrics.distance_gap import (
    MeanAverageDistanceGap,
    mean_average_distance_gap,
)


def gap_by_brute_force(x, edge_index, near_hops=3, far_hops=8) -> float:
    paths = nx.Graph(edge_index.T.tolist())
    paths.add_nodes_from(range(len(x)))
    hop = np.full((len(x), len(x)), -1)
    for source, lengths in nx.all_pairs_shortest_path_length(paths):
        hop[source, list(lengths)] = list(lengths.values())
    alive = x.ne(0).any(1).numpy()
    hop[~alive] = hop[:, ~alive] = -1
    distance = cosine_distances(x.double().numpy())

    def mean_average(mask: np.ndarray) -> float:
        return np.mean(
            [d[m].mean() for d, m in zip(distance, mask, strict=True) if m.any()]
        )

    near = (hop >= 1) & (hop <= near_hops)
    return float(mean_average(hop >= far_hops) - mean_average(near))


def ladder(num_nodes: int, seed: int) -> torch.Tensor:
    """A long sparse graph of two components, with loops and repeated edges."""
    generator = torch.Generator().manual_seed(seed)
    a = torch.arange(num_nodes - 1)
    path = torch.stack([a, a + 1])[:, a != num_nodes // 3]
    start = torch.randint(0, num_nodes - 3, (num_nodes // 4,), generator=generator)
    return torch.cat([path, torch.stack([start, start + 2]), path[:, :3]], dim=1)


@pytest.mark.parametrize("seed", range(4))
def test_the_gap_equals_all_pairs_by_brute_force(seed, monkeypatch):
    x = torch.randn(60, 4)
    x[::11] = 0
    edge_index = ladder(60, seed)
    expected = gap_by_brute_force(x, edge_index)
    assert mean_average_distance_gap(x, edge_index) == pytest.approx(expected)
    expected = gap_by_brute_force(x, edge_index, 1, 3)
    monkeypatch.setattr(distance_gap, "_PAIRS", 60 * 7)  # several blocks of sources
    value = mean_average_distance_gap(x, edge_index, near_hops=1, far_hops=3)
    assert value == pytest.approx(expected)


def test_the_direction_of_edges_and_the_order_of_nodes_do_not_change_the_gap():
    x, edge_index = torch.randn(50, 4), ladder(50, 0)
    value = mean_average_distance_gap(x, edge_index)
    assert mean_average_distance_gap(x, edge_index.flip(0)) == pytest.approx(value)
    order = torch.randperm(50)
    moved = torch.empty_like(x)
    moved[order] = x
    assert mean_average_distance_gap(moved, order[edge_index]) == pytest.approx(value)


def test_the_gap_is_zero_when_all_rows_are_equal_and_undefined_without_pairs():
    path = torch.stack([torch.arange(9), torch.arange(1, 10)])
    assert mean_average_distance_gap(torch.ones(10, 3), path).abs() < 1e-12
    assert mean_average_distance_gap(torch.ones(8, 3), path[:, :7]).isnan()
    assert mean_average_distance_gap(torch.zeros(10, 3), path).isnan()
    assert mean_average_distance_gap(torch.ones(10, 3), path[:, :0]).isnan()
    assert mean_average_distance_gap(torch.ones(0, 3), path[:, :0]).isnan()
    broken = torch.ones(10, 3)
    broken[4, 1] = math.nan
    assert mean_average_distance_gap(broken, path).isnan()


def test_a_large_graph_is_sampled_and_leaves_the_random_state_alone(monkeypatch):
    x, edge_index = torch.randn(600, 4), ladder(600, 0)
    x = x.cumsum(0)
    exact = mean_average_distance_gap(x, edge_index)
    monkeypatch.setattr(distance_gap, "_EXACT_NODES", 100)
    state = torch.get_rng_state()
    sampled = mean_average_distance_gap(x, edge_index)
    assert torch.equal(state, torch.get_rng_state())
    assert sampled != exact
    assert sampled == pytest.approx(float(exact), abs=0.1)


def test_merged_graphs_of_the_gap_equal_their_union():
    x, first, second = torch.randn(70, 4), ladder(40, 1), ladder(30, 2)
    union = torch.cat([first, second + 40], dim=1)
    left, right = MeanAverageDistanceGap(), MeanAverageDistanceGap()
    left.update(x[:40], first)
    right.update(x[40:], second)
    left.merge_state(right)
    assert left.compute() == pytest.approx(float(mean_average_distance_gap(x, union)))


def test_hops_that_overlap_are_refused():
    with pytest.raises(InputError, match="found 3 and 3; give 1 <= near_hops"):
        MeanAverageDistanceGap(near_hops=3, far_hops=3)
