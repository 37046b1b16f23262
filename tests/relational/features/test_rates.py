"""Rates by category: shrunk towards all, from labels observed by then."""

from __future__ import annotations

import numpy as np
import pytest

from benthic.relational.features.events import Moments
from benthic.relational.features.history import LabelHistory
from benthic.relational.features.rates import prior_rates, rate_features, shrinkage


def history(labels, observed):
    count = len(labels)
    times = np.array(observed, np.int64)
    return LabelHistory(
        np.arange(count),
        times - 5,
        times,
        np.array(labels, float)[:, None],
        ("label",),
    )


def test_groups_that_differ_are_believed_sooner_than_groups_that_do_not():
    rng = np.random.default_rng(0)
    groups = np.repeat(np.arange(50), 20)
    rates = rng.random(50)[groups]
    apart = (rng.random(1000) < rates).astype(float)
    same = (rng.random(1000) < 0.5).astype(float)
    # Between-group variance 1/12, within 1/6: two labels are half the truth.
    assert shrinkage(apart, groups) == pytest.approx(2, abs=0.7)
    assert shrinkage(same, groups) > 20


def test_a_rate_is_the_shrunk_mean_of_the_labels_observed_by_then():
    past = history([1, 1, 0, 1], [10, 20, 30, 40])
    groups = np.array([7, 7, 8, 7])
    seeds = Moments(np.array([7, 7, 9]), np.full(3, 35), np.array([35, 15, 35]))
    prior = prior_rates(past, seeds, "label")
    (made, rate), *_ = rate_features("kind", past, groups, {"label": 2.0}, seeds)
    assert made.window == "all"
    counts, sums = np.array([2, 1, 0]), np.array([2, 1, 0])
    assert rate == pytest.approx((sums + 2 * prior) / (counts + 2))
    assert prior[0] == pytest.approx(2 / 3, abs=0.01)
    assert prior[1] == 1
