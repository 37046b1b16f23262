"""The probe is exact up to its limit, bounded beyond, and fair over batches."""

from __future__ import annotations

import math

import pytest
import torch

from benthic.metrics import linear_probe_accuracy
from benthic.trace import probe as room
from benthic.trace.probe import Probe


@pytest.fixture
def rows():
    generator = torch.Generator().manual_seed(0)
    y = torch.randint(0, 3, (600,), generator=generator)
    x = torch.randn(600, 5, generator=generator)
    x[:, :3] += 1.5 * torch.nn.functional.one_hot(y, 3)
    train = torch.rand(600, generator=generator) < 0.4
    return x, y, train, ~train


def kept(probe):
    return sum(map(len, probe._metric.train_y)), sum(map(len, probe._metric.eval_y))


def test_below_the_limit_it_is_the_metric(rows):
    probe = Probe(3)
    probe.update(*rows)
    assert probe.compute() == pytest.approx(float(linear_probe_accuracy(*rows)))


def test_beyond_the_limit_rows_are_bounded_and_evenly_spaced(rows, monkeypatch):
    monkeypatch.setattr(room, "MOST_ROWS", 50)
    probe = Probe(3)
    for _ in range(20):
        probe.update(*rows)
        assert max(kept(probe)) <= 50
    assert min(kept(probe)) >= 25
    exact = float(linear_probe_accuracy(*rows))
    assert probe.compute() == pytest.approx(exact, abs=0.15)


def test_batch_borders_do_not_matter(rows, monkeypatch):
    monkeypatch.setattr(room, "MOST_ROWS", 64)
    whole, parts = Probe(3), Probe(3)
    whole.update(*rows)
    for part in zip(*(row.split(70) for row in rows), strict=True):
        parts.update(*part)
    assert kept(whole) == kept(parts)
    assert torch.equal(
        torch.cat(whole._metric.train_x), torch.cat(parts._metric.train_x)
    )
    assert parts.compute() == pytest.approx(whole.compute())


def test_a_class_may_appear_late(rows):
    x, y, train, held_out = rows
    early = y < 2
    probe = Probe(2)
    for part in (early, ~early):
        probe.update(x[part], y[part], train[part], held_out[part])
    assert probe.compute() == pytest.approx(float(linear_probe_accuracy(*rows)))


def test_unknown_labels_are_left_out(rows):
    x, y, train, held_out = rows
    y = y.where(torch.arange(600) % 3 > 0, -1)
    probe = Probe(3)
    probe.update(x, y, train, held_out)
    expected = float(linear_probe_accuracy(x, y, train, held_out))
    assert probe.compute() == pytest.approx(expected)


def test_without_labelled_rows_there_is_no_accuracy(rows):
    x, y, train, _ = rows
    probe = Probe(3)
    probe.update(x, y, train, torch.zeros_like(train))
    assert math.isnan(probe.compute())
