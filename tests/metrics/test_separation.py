from __future__ import annotations

import math
import subprocess
import sys

import networkx as nx
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.linear_model import Ridge
from sklearn.metrics.pairwise import cosine_distances
from sklearn.preprocessing import StandardScaler
from torch_geometric.nn.conv.gcn_conv import gcn_norm

from benthic.datasets import load
from benthic.errors import InputError
from benthic.metrics import separation
from benthic.metrics.separation import (
    GroupDistanceRatio,
    LinearProbeAccuracy,
    MeanAverageDistanceGap,
    group_distance_ratio,
    linear_probe_accuracy,
    mean_average_distance_gap,
)


def labeled(num_rows: int, channels: int, distance: float = 0.0, num_classes: int = 3):
    y = torch.randint(0, num_classes, (num_rows,))
    centers = torch.randn(num_classes, channels) * distance
    return torch.randn(num_rows, channels) + centers[y], y


def split(num_rows: int, num_train: int) -> tuple[torch.Tensor, torch.Tensor]:
    train = torch.zeros(num_rows, dtype=torch.bool)
    train[torch.randperm(num_rows)[:num_train]] = True
    return train, ~train


def ridge_by_scikit_learn(x, y, train, evaluate) -> float:
    z = StandardScaler().fit_transform(x.double().numpy())
    fitted = z[train] - z[train].mean(0)
    probe = Ridge(alpha=(fitted**2).sum() / len(fitted))
    probe.fit(z[train], np.eye(int(y.max()) + 1)[y[train]])
    said = probe.predict(z[evaluate]).argmax(1)
    return float((said == y[evaluate].numpy()).mean())


@pytest.mark.parametrize(("num_train", "channels"), [(40, 200), (150, 12), (50, 50)])
def test_the_probe_equals_ridge_regression_by_scikit_learn(num_train, channels):
    x, y = labeled(300, channels, distance=2 / channels**0.5)
    train, evaluate = split(300, num_train)
    expected = ridge_by_scikit_learn(x, y, train, evaluate)
    assert linear_probe_accuracy(x, y, train, evaluate) == pytest.approx(expected)
    assert 0.4 < expected < 1


def test_the_probe_separates_what_is_separable_and_not_noise():
    train, evaluate = split(600, 300)
    x, y = labeled(600, 8, distance=5.0)
    assert linear_probe_accuracy(x, y, train, evaluate) > 0.99
    x, y = labeled(600, 8)
    assert linear_probe_accuracy(x, y, train, evaluate) < 0.45


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10**6), st.floats(1e-3, 1e3), st.floats(-10, 10))
def test_the_probe_ignores_scale_and_offset_of_columns(seed, scale, offset):
    torch.manual_seed(seed)
    x, y = labeled(80, 5, distance=0.7)
    x = x.double()
    train, evaluate = split(80, 30)
    moved = x * (torch.rand(5).double() + 0.1) * scale + offset * scale
    before = linear_probe_accuracy(x, y, train, evaluate)
    assert linear_probe_accuracy(moved, y, train, evaluate) == pytest.approx(before)


def test_relabeling_the_nodes_does_not_change_the_probe():
    x, y = labeled(100, 6, distance=0.5)
    train, evaluate = split(100, 40)
    order = torch.randperm(100)
    moved = linear_probe_accuracy(x[order], y[order], train[order], evaluate[order])
    assert moved == linear_probe_accuracy(x, y, train, evaluate)


def test_when_all_rows_are_equal_the_probe_says_the_most_frequent_class():
    y = torch.tensor([0, 1, 1, 1, 0, 1])
    train = torch.tensor([True, True, True, False, False, False])
    x = torch.full((6, 4), 0.1)
    assert linear_probe_accuracy(x, y, train, ~train) == pytest.approx(2 / 3)


def test_rounding_in_constant_columns_is_not_read():
    y = torch.randint(0, 2, (400,))
    rounding = 1 + y.unsqueeze(1) * 2**-24  # below float32's resolution at 1
    train, evaluate = split(400, 200)
    exact = linear_probe_accuracy(rounding.float(), y, train, evaluate)
    smallest_step = torch.where(y == 1, 1 + 2**-23, 1.0).unsqueeze(1)
    step = linear_probe_accuracy(smallest_step, y, train, evaluate)
    majority = max((y[evaluate] == k).double().mean() for k in (0, 1))
    assert exact in (majority, 1 - majority)
    assert step == exact


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float64])
def test_the_probe_reads_every_floating_point_type(dtype):
    x, y = labeled(300, 8, distance=3.0)
    train, evaluate = split(300, 100)
    value = linear_probe_accuracy(x.to(dtype), y, train, evaluate)
    assert value.dtype == torch.float64
    assert value > 0.95


def test_unlabeled_nodes_are_left_out_of_both_masks():
    x, y = labeled(60, 4, distance=2.0)
    train, evaluate = split(60, 30)
    hidden = y.clone()
    hidden[::3] = -1
    known = hidden >= 0
    expected = linear_probe_accuracy(x, y, train & known, evaluate & known)
    assert linear_probe_accuracy(x, hidden, train, evaluate) == expected


def test_the_probe_is_undefined_without_rows_or_with_infinite_ones():
    x, y = labeled(20, 4)
    train, evaluate = split(20, 10)
    nothing = torch.zeros(20, dtype=torch.bool)
    assert linear_probe_accuracy(x, y, nothing, evaluate).isnan()
    assert linear_probe_accuracy(x, y, train, nothing).isnan()
    assert linear_probe_accuracy(x, torch.full((20,), -1), train, evaluate).isnan()
    assert linear_probe_accuracy(x[:0], y[:0], nothing[:0], nothing[:0]).isnan()
    for value in (math.nan, math.inf):
        broken = x.clone()
        broken[3, 1] = value
        assert linear_probe_accuracy(broken, y, train, evaluate).isnan()


def test_merged_shards_of_the_probe_equal_the_whole():
    x, y = labeled(90, 5, distance=0.5)
    train, evaluate = split(90, 30)
    whole = linear_probe_accuracy(x, y, train, evaluate)
    shards = [LinearProbeAccuracy(3), LinearProbeAccuracy(3)]
    for start, shard in ((0, 0), (25, 0), (50, 1), (89, 1)):
        stop = {0: 25, 25: 50, 50: 89, 89: 90}[start]
        rows = slice(start, stop)
        shards[shard].update(x[rows], y[rows], train[rows], evaluate[rows])
    shards[0].merge_state(shards[1])
    assert shards[0].compute() == whole
    shards[0].reset()
    shards[0].update(x, y, train, evaluate)
    assert shards[0].compute() == whole


GLOO = """
import sys
import torch
import torch.distributed as dist
import torch.multiprocessing as mp
from benthic.metrics.separation import GroupDistanceRatio, LinearProbeAccuracy

def work(rank, where):
    meeting = f"file://{where}"
    dist.init_process_group("gloo", init_method=meeting, rank=rank, world_size=2)
    torch.manual_seed(0)
    x, y, train = torch.randn(90, 5), torch.randint(0, 3, (90,)), torch.rand(90) < 0.4
    rows = slice(0, 30) if rank == 0 else slice(30, 90)
    probe, ratio = LinearProbeAccuracy(3), GroupDistanceRatio(3)
    probe.update(x[rows], y[rows], train[rows], ~train[rows])
    ratio.update(x[rows], y[rows])
    values = probe.compute().item(), ratio.compute().item()
    probe = LinearProbeAccuracy(3, sync_on_compute=False)
    ratio = GroupDistanceRatio(3, sync_on_compute=False)
    probe.update(x, y, train, ~train)
    ratio.update(x, y)
    assert abs(values[0] - probe.compute().item()) < 1e-12, values
    assert abs(values[1] - ratio.compute().item()) < 1e-12, values
    dist.destroy_process_group()

if __name__ == "__main__":
    mp.start_processes(work, (sys.argv[1],), nprocs=2, start_method="fork")
"""


def test_two_processes_get_the_value_of_one(tmp_path):
    script = tmp_path / "two_processes.py"
    script.write_text(GLOO)
    command = [sys.executable, str(script), str(tmp_path / "meeting")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr


def propagated(data, hops: list[int]) -> dict[int, torch.Tensor]:
    x = data.x / data.x.sum(1, keepdim=True).clamp(min=1)
    edge_index, weight = gcn_norm(data.edge_index, num_nodes=data.num_nodes)
    size = (data.num_nodes, data.num_nodes)
    operator = torch.sparse_coo_tensor(edge_index, weight, size, check_invariants=False)
    operator = operator.coalesce()
    states = {}
    for step in range(max(hops) + 1):
        if step in hops:
            states[step] = x
        x = torch.sparse.mm(operator, x)
    return states


def test_the_probe_follows_cora_up_to_its_peak():
    data = load("cora")
    values = {
        k: float(linear_probe_accuracy(x, data.y, data.train_mask, data.test_mask))
        for k, x in propagated(data, [0, 1, 4, 16]).items()
    }
    assert values == pytest.approx({0: 0.459, 1: 0.724, 4: 0.797, 16: 0.781}, abs=0.01)


@pytest.mark.slow
def test_the_probe_follows_cora_down_to_its_collapse():
    data = load("cora")
    values = {
        k: float(linear_probe_accuracy(x, data.y, data.train_mask, data.test_mask))
        for k, x in propagated(data, [64, 256, 1024]).items()
    }
    assert values == pytest.approx({64: 0.733, 256: 0.309, 1024: 0.143}, abs=0.02)


def ratio_by_brute_force(x, y) -> float:
    keep = (y >= 0) & x.ne(0).any(1)
    unit, y = torch.nn.functional.normalize(x[keep].double()), y[keep]
    square = torch.cdist(unit, unit).square()
    classes = y.unique().tolist()
    members = [(y == k).nonzero().flatten() for k in classes]
    inside = [
        square[m][:, m].sum() / (len(m) * (len(m) - 1)) for m in members if len(m) > 1
    ]
    between = [
        square[members[a]][:, members[b]].mean()
        for a in range(len(classes))
        for b in range(a)
    ]
    return float(torch.stack(between).mean() / torch.stack(inside).mean())


@pytest.mark.parametrize("distance", [0.0, 0.5, 3.0])
def test_the_ratio_equals_all_pairs_by_brute_force(distance):
    x, y = labeled(80, 6, distance, num_classes=4)
    x[::9] = 0
    y[::7] = -1
    y[1] = 6  # a class of one row, after an empty class
    expected = ratio_by_brute_force(x, y)
    assert group_distance_ratio(x, y) == pytest.approx(expected, rel=1e-9)


def test_the_ratio_is_one_on_noise_and_large_on_separated_classes():
    x, y = labeled(2100, 16, num_classes=7)
    assert group_distance_ratio(x, y) == pytest.approx(1, abs=0.002)
    x, y = labeled(2100, 16, distance=2.0, num_classes=7)
    assert group_distance_ratio(x, y) > 3


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10**6))
def test_the_ratio_ignores_the_length_and_the_order_of_rows(seed):
    torch.manual_seed(seed)
    x, y = labeled(40, 5, distance=1.0)
    x = x.double()
    order = torch.randperm(40)
    moved = (x * (torch.rand(40, 1) * 1e6 + 1e-6))[order]
    expected = group_distance_ratio(x, y)
    assert group_distance_ratio(moved, y[order]) == pytest.approx(float(expected))


def test_the_ratio_is_undefined_or_infinite_without_distances():
    y = torch.tensor([0, 0, 1, 1])
    collinear = torch.rand(4, 1) @ torch.rand(1, 5)
    assert group_distance_ratio(collinear, y).isnan()
    assert group_distance_ratio(torch.zeros(4, 5), y).isnan()
    assert group_distance_ratio(torch.rand(4, 5), torch.zeros(4).long()).isnan()
    assert group_distance_ratio(torch.rand(4, 5), torch.arange(4)).isnan()
    assert group_distance_ratio(torch.rand(0, 5), y[:0]).isnan()
    for value in (math.nan, math.inf):
        x = torch.rand(4, 5)
        x[0, 0] = value
        assert group_distance_ratio(x, y).isnan()
    two = torch.tensor([[1.0, 0.0], [2.0, 0.0], [0.0, 0.1], [0.0, 3.0]])
    assert group_distance_ratio(two, y) == math.inf


def test_merged_shards_of_the_ratio_equal_the_whole():
    x, y = labeled(90, 5, distance=0.5)
    left, right = GroupDistanceRatio(3), GroupDistanceRatio(3)
    left.update(x[:20], y[:20])
    right.update(x[20:21], y[20:21])
    right.update(x[21:], y[21:])
    left.merge_state(right)
    assert left.compute() == pytest.approx(float(group_distance_ratio(x, y)))


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
    monkeypatch.setattr(separation, "_PAIRS", 60 * 7)  # several blocks of sources
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
    monkeypatch.setattr(separation, "_EXACT_NODES", 100)
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
