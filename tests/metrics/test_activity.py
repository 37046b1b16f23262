from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from benthic.metrics.activity import DeadFraction, MeanNorm, dead_fraction, mean_norm


def test_a_dead_network_reads_one():
    assert dead_fraction(torch.zeros(4, 3)) == 1.0
    assert mean_norm(torch.zeros(4, 3)) == 0.0


def test_a_live_network_reads_zero():
    assert dead_fraction(torch.randn(4, 3)) == 0.0


def test_a_fading_row_is_not_dead():
    x = torch.full((2, 4), 1e-30)
    assert dead_fraction(x) == 0.0
    assert mean_norm(x).item() == pytest.approx(2e-30, rel=1e-6)


def test_an_exploding_norm_is_measured():
    assert mean_norm(torch.full((2, 4), 1e38)).item() == pytest.approx(2e38, rel=1e-6)


@given(seed=st.integers(0, 1000))
def test_relabelling_nodes_changes_nothing(seed):
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(9, 3, generator=generator).relu()
    order = torch.randperm(9, generator=generator)
    assert dead_fraction(x) == dead_fraction(x[order])
    torch.testing.assert_close(mean_norm(x), mean_norm(x[order]))


@pytest.mark.parametrize("metric", [DeadFraction, MeanNorm])
def test_merging_two_halves_equals_the_whole(metric):
    x = torch.randn(50, 2).relu()
    whole, left, right = metric(), metric(), metric()
    whole.update(x)
    left.update(x[:13])
    right.update(x[13:])
    left.merge_state(right)
    torch.testing.assert_close(left.compute(), whole.compute())


def test_equals_numpy():
    x = torch.randn(200, 2).relu()
    norm = np.linalg.norm(x.double().numpy(), axis=1)
    assert dead_fraction(x).item() == np.mean(norm == 0)
    assert mean_norm(x).item() == pytest.approx(norm.mean(), rel=1e-6)
