from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from benthic.metrics.correlation import FeatureCorrelation, feature_correlation


def by_numpy(x: torch.Tensor) -> float:
    rho = np.abs(np.corrcoef(x.double().numpy().T))
    off_diagonal = ~np.eye(len(rho), dtype=bool)
    return float(rho[off_diagonal].mean())


def test_columns_that_copy_each_other_read_one():
    column = torch.randn(50, 1)
    x = column * torch.tensor([[1.0, -2.0, 1e-20]]) + torch.tensor([[0.0, 1.0, 0.0]])
    assert feature_correlation(x).item() == pytest.approx(1.0, abs=1e-6)


def test_orthogonal_columns_read_zero():
    x = torch.tensor([[1.0, 1.0], [1.0, -1.0], [-1.0, 1.0], [-1.0, -1.0]])
    assert feature_correlation(x).item() == pytest.approx(0.0, abs=1e-12)


def test_rows_can_stay_apart_while_columns_collapse():
    x = torch.randn(50, 1) * torch.ones(1, 8)
    assert feature_correlation(x).item() == pytest.approx(1.0)


def test_constant_columns_are_left_out():
    x = torch.randn(50, 3)
    dead = torch.cat([x, torch.zeros(50, 2), torch.full((50, 1), 0.1)], dim=1)
    torch.testing.assert_close(feature_correlation(dead), feature_correlation(x))
    metric = FeatureCorrelation()
    metric.update(dead)
    torch.testing.assert_close(metric.compute(), feature_correlation(x))


@pytest.mark.parametrize("shape", [(50, 1), (1, 50), (50, 0)])
def test_fewer_than_two_live_columns_have_no_correlation(shape):
    assert feature_correlation(torch.randn(shape)).isnan()


@given(seed=st.integers(0, 1000))
def test_relabelling_nodes_changes_nothing(seed):
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(20, 4, generator=generator)
    order = torch.randperm(20, generator=generator)
    torch.testing.assert_close(feature_correlation(x), feature_correlation(x[order]))


def test_merging_two_halves_equals_the_whole():
    x = torch.randn(50, 6) + 3.0
    left, right = FeatureCorrelation(), FeatureCorrelation()
    left.update(x[:13])
    right.update(x[13:])
    left.merge_state(right)
    torch.testing.assert_close(left.compute(), feature_correlation(x))


def test_equals_numpy():
    x = torch.randn(500, 20) @ torch.randn(20, 20) + 5.0
    assert feature_correlation(x).item() == pytest.approx(by_numpy(x), rel=1e-9)


def test_a_spread_far_below_the_mean_is_not_lost():
    x = torch.randn(500, 4, dtype=torch.float64) + 1e9
    assert feature_correlation(x).item() == pytest.approx(by_numpy(x), rel=1e-6)


def test_a_stream_loses_such_a_spread_honestly():
    x = torch.randn(500, 4, dtype=torch.float64) + 1e9
    metric = FeatureCorrelation()
    metric.update(x)
    assert metric.compute().isnan()
