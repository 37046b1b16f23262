from __future__ import annotations

import json
import os
import pickle
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor
from torchmetrics import Metric

from benthic import metrics

NUM_CLASSES = 3


@dataclass(frozen=True)
class Case:
    """A metric, its function, and data in two shards; x comes first everywhere."""

    function: Callable[..., Tensor]
    build: Callable[[], Metric]
    shards: tuple[tuple[Tensor, ...], tuple[Tensor, ...]]
    join: Callable[..., tuple[Tensor, ...]]

    def one_shot(self) -> Tensor:
        return self.function(*self.join(*self.shards))

    def empty(self) -> tuple[Tensor, ...]:
        x, *others = self.shards[0]
        rest = (o[:, :0] if o.dim() == 2 else o[:0] for o in others)
        return x[:0], *rest


def join_rows(*shards: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    return tuple(torch.cat(parts) for parts in zip(*shards, strict=True))


def join_graphs(*graphs: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    xs, edges, *weights = zip(*graphs, strict=True)
    first = [sum(len(x) for x in xs[:k]) for k in range(len(xs))]
    shifted = [e + offset for e, offset in zip(edges, first, strict=True)]
    weight = tuple(torch.cat(w) for w in weights)
    return torch.cat(xs), torch.cat(shifted, dim=1), *weight


def cases() -> dict[str, Case]:
    generator = torch.Generator().manual_seed(0)

    def rows(n: int) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        x = torch.randn(n, 5, generator=generator) + 0.5
        x[3] = 0.0
        y = torch.arange(n) % NUM_CLASSES
        train = torch.rand(n, generator=generator) < 0.5
        return x, y, train, ~train

    def graph(n: int) -> tuple[Tensor, Tensor, Tensor]:
        x = rows(n)[0]
        index = torch.arange(n)
        path = torch.stack([index[:-1], index[1:]])
        edges = torch.cat([path, torch.randint(n, (2, 9), generator=generator)], dim=1)
        edges = torch.cat([edges, edges.flip(0)], dim=1)
        return x, edges, torch.rand(edges.shape[1], generator=generator)

    labeled = (rows(40), rows(23))
    graphs = (graph(40), graph(23))
    center = torch.cat([labeled[0][0], labeled[1][0]]).double().mean(dim=0)

    def on_rows(function: Any, build: Any, width: int = 1) -> Case:
        left, right = (shard[:width] for shard in labeled)
        return Case(function, build, (left, right), join_rows)

    def on_graphs(function: Any, build: Any, width: int = 2, **options: Any) -> Case:
        left, right = (shard[:width] for shard in graphs)
        return Case(
            lambda *a: function(*a, **options),
            lambda: build(**options),
            (left, right),
            join_graphs,
        )

    m = metrics
    hops = {"near_hops": 1, "far_hops": 3}
    return {
        "MeanCosineSimilarity": on_rows(
            m.mean_cosine_similarity, m.MeanCosineSimilarity
        ),
        "MeanCosineSimilarity, components": on_rows(
            m.mean_cosine_similarity, lambda: m.MeanCosineSimilarity(NUM_CLASSES), 2
        ),
        "CenteredCosineSimilarity": on_rows(
            m.centered_cosine_similarity, lambda: m.CenteredCosineSimilarity(center)
        ),
        "MeanAverageDistance": on_rows(m.mean_average_distance, m.MeanAverageDistance),
        "EffectiveRank": on_rows(m.effective_rank, m.EffectiveRank),
        "NumericalRank": on_rows(m.numerical_rank, m.NumericalRank),
        "FeatureCorrelation": on_rows(m.feature_correlation, m.FeatureCorrelation),
        "DeadFraction": on_rows(m.dead_fraction, m.DeadFraction),
        "MeanNorm": on_rows(m.mean_norm, m.MeanNorm),
        "GroupDistanceRatio": on_rows(
            m.group_distance_ratio, lambda: m.GroupDistanceRatio(NUM_CLASSES), 2
        ),
        "LinearProbeAccuracy": on_rows(
            m.linear_probe_accuracy, lambda: m.LinearProbeAccuracy(NUM_CLASSES), 4
        ),
        "MeanAverageDistance, edges": on_graphs(
            m.mean_average_distance, m.MeanAverageDistance
        ),
        "MeanAverageDistanceGap": on_graphs(
            m.mean_average_distance_gap, m.MeanAverageDistanceGap, **hops
        ),
        **{
            f"{build.__name__}, {kind}": on_graphs(
                function, build, 3, normalization=kind
            )
            for function, build in (
                (m.dirichlet_energy, m.DirichletEnergy),
                (m.rayleigh_quotient, m.RayleighQuotient),
            )
            for kind in ("sym", "rw", None)
        },
    }


CASES = cases()
each_case = pytest.mark.parametrize("case", CASES.values(), ids=CASES)


def test_every_metric_that_reads_rows_is_streamed_here():
    public = {
        name
        for name in metrics.__all__
        if isinstance(getattr(metrics, name), type)
        and issubclass(getattr(metrics, name), Metric)
    }
    assert public - {"InfluenceByHop"} == {name.split(",")[0] for name in CASES}


@each_case
def test_shards_equal_one_shot(case):
    metric = case.build()
    for shard in case.shards:
        metric.update(*shard)
    assert case.one_shot().isfinite()
    torch.testing.assert_close(metric.compute(), case.one_shot())


@each_case
def test_merging_two_halves_equals_the_whole(case):
    halves = [case.build() for _ in case.shards]
    for metric, shard in zip(halves, case.shards, strict=True):
        metric.update(*shard)
    halves[0].merge_state(halves[1])
    torch.testing.assert_close(halves[0].compute(), case.one_shot())


@each_case
def test_merging_with_an_empty_shard_changes_nothing(case):
    whole, empty = case.build(), case.build()
    whole.update(*case.join(*case.shards))
    empty.update(*case.empty())
    whole.merge_state(empty)
    torch.testing.assert_close(whole.compute(), case.one_shot())


@each_case
def test_a_pickled_metric_goes_on_where_it_stopped(case):
    metric = case.build()
    metric.update(*case.shards[0])
    copy = pickle.loads(pickle.dumps(metric))
    copy.update(*case.shards[1])
    torch.testing.assert_close(copy.compute(), case.one_shot())


@each_case
def test_a_reset_metric_starts_afresh(case):
    metric = case.build()
    metric.update(*case.shards[1])
    metric.reset()
    for shard in case.shards:
        metric.update(*shard)
    torch.testing.assert_close(metric.compute(), case.one_shot())


@each_case
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_16_bit_rows_are_read_at_their_full_value(case, dtype):
    x, *others = case.join(*case.shards)
    x = x.to(dtype)
    actual, expected = case.function(x, *others), case.function(x.float(), *others)
    torch.testing.assert_close(actual, expected, rtol=1e-5, atol=1e-5)


@each_case
def test_large_16_bit_rows_do_not_overflow(case):
    x, *others = case.join(*case.shards)
    x = (x * 10_000).half()
    assert case.function(x, *others).isfinite()


@each_case
def test_no_rows_are_undefined(case):
    assert case.function(*case.empty()).isnan()
    metric = case.build()
    metric.update(*case.empty())
    assert metric.compute().isnan()


@each_case
@pytest.mark.parametrize("bad", [torch.nan, torch.inf])
def test_a_row_that_is_not_finite_makes_the_result_nan(case, bad):
    x, *others = case.join(*case.shards)
    x[5, 1] = bad
    assert case.function(x, *others).isnan()
    metric = case.build()
    metric.update(x, *others)
    assert metric.compute().isnan()


@each_case
def test_dead_networks_are_never_healthy(case):
    x, *others = case.join(*case.shards)
    value = case.function(torch.zeros_like(x), *others)
    dead = {metrics.dead_fraction: 1.0, metrics.mean_norm: 0.0}
    if case is CASES["LinearProbeAccuracy"]:
        assert 0 <= value <= 0.5  # the most frequent of three classes
    elif case.build().__class__ is metrics.DirichletEnergy:
        assert value == 0.0  # an energy has a scale, and none is none
    elif case.function in dead:
        assert value == dead[case.function]
    else:
        assert value.isnan()


@each_case
def test_inputs_stay_as_they_came_and_need_no_gradient(case):
    x, *others = case.join(*case.shards)
    before = [tensor.clone() for tensor in (x, *others)]
    value = case.function(x.requires_grad_(), *others)
    assert not value.requires_grad
    for tensor, copy in zip((x, *others), before, strict=True):
        assert torch.equal(tensor, copy)


@each_case
def test_rows_need_not_lie_together_in_memory(case):
    x, *others = case.join(*case.shards)
    torch.testing.assert_close(
        case.function(x.T.contiguous().T, *others), case.one_shot()
    )


def test_sync_under_two_processes_equals_one_shot(tmp_path):
    environment = {
        **os.environ,
        "GLOO_SOCKET_IFNAME": "lo",
        "OMP_NUM_THREADS": "1",
        "PYTHONPATH": os.pathsep.join(filter(None, sys.path)),
    }
    processes = [
        subprocess.Popen(
            [sys.executable, __file__, str(rank), str(tmp_path)],
            env=environment,
            stderr=subprocess.PIPE,
            text=True,
        )
        for rank in range(2)
    ]
    for process in processes:
        _, errors = process.communicate(timeout=300)
        assert process.returncode == 0, errors
    expected = {name: case.one_shot().item() for name, case in CASES.items()}
    for rank in range(2):
        for found in json.loads((tmp_path / f"{rank}.json").read_text()):
            assert found == pytest.approx(expected, rel=1e-6, abs=1e-6)


def compute_as_one_of_two(rank: int, folder: Path) -> None:
    meeting = f"file://{folder / 'meeting'}"
    torch.distributed.init_process_group(
        "gloo", init_method=meeting, rank=rank, world_size=2
    )
    shared, idle = {}, {}  # both work; the second process has no rows
    for name, case in CASES.items():
        metric = case.build()
        metric.update(*case.shards[rank])
        shared[name] = metric.compute().item()
        metric.reset()
        metric.update(*(case.empty() if rank else case.join(*case.shards)))
        idle[name] = metric.compute().item()
    (folder / f"{rank}.json").write_text(json.dumps([shared, idle]))
    torch.distributed.destroy_process_group()


if __name__ == "__main__":
    compute_as_one_of_two(int(sys.argv[1]), Path(sys.argv[2]))
