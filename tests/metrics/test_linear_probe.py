from __future__ import annotations

import math
import subprocess
import sys

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.linear_model import Ridge
from sklearn.preprocessing import StandardScaler
from tests.metrics.labeled_rows import labeled, split
from torch_geometric.nn.conv.gcn_conv import gcn_norm

from benthic.datasets import load
from benthic.metrics.linear_probe import LinearProbeAccuracy, linear_probe_accuracy


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


@settings(max_examples=20)
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
from benthic.metrics import GroupDistanceRatio, LinearProbeAccuracy

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
