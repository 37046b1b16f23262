"""Standings within a cohort agree with pandas' ranks."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from benthic.relational.features.cohort import standings, strongest


def test_standings_are_ranks_within_the_group():
    rng = np.random.default_rng(0)
    values = rng.integers(0, 5, (30, 2)).astype(np.float32)
    values[3, 0] = np.nan
    groups = rng.integers(0, 3, 30)
    found = standings(values, groups, values, groups)
    for column in range(2):
        grouped = pd.Series(values[:, column].astype(float)).groupby(groups)
        count = grouped.transform("count")
        percentile = (grouped.rank() - 0.5) / count
        spread = grouped.transform(lambda rows: rows.std(ddof=0))
        z_score = (values[:, column] - grouped.transform("mean")) / spread
        rank = grouped.rank(ascending=False, method="min")
        for i, expected in enumerate((percentile, z_score, rank)):
            assert found[:, 3 * column + i] == pytest.approx(
                expected.to_numpy(), abs=1e-5, nan_ok=True
            )


def test_one_alone_is_in_the_middle():
    values = np.array([[7.0]], np.float32)
    group = np.array([5])
    assert standings(values, group, values, group).tolist() == [[0.5, 0.0, 1.0]]


def test_a_seed_is_compared_with_the_reference_of_its_own_group():
    values = np.array([[2.0]], np.float32)
    others = np.array([[1.0], [3.0], [100.0]], np.float32)
    found = standings(values, np.array([0]), others, np.array([0, 0, 1]))
    assert found[0, 0] == 0.5


def test_the_strongest_come_first_and_twins_are_passed_over():
    rng = np.random.default_rng(1)
    label = rng.normal(size=500)
    features = pd.DataFrame(
        {
            "noise": rng.normal(size=500),
            "good": label + 0.1 * rng.normal(size=500),
            "twin": label * 2 + 0.1,
            "fair": label + rng.normal(size=500),
        }
    )
    assert strongest(features, label, 2) == ["twin", "fair"]
