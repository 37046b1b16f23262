from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from benthic.relational.evaluation.bootstrap import bootstrap_intervals


def test_an_interval_of_a_mean_is_that_of_the_central_limit_theorem():
    values = np.random.default_rng(0).normal(size=400)
    entity = pd.Series(np.arange(400))
    found = bootstrap_intervals(
        lambda rows: {"mean": float(values[rows].mean())}, entity, num_resamples=2000
    )["mean"]
    half = 1.96 * values.std() / 20
    assert found.value == pytest.approx(values.mean())
    assert found.lower == pytest.approx(values.mean() - half, abs=0.01)
    assert found.upper == pytest.approx(values.mean() + half, abs=0.01)


def test_copies_of_an_entity_do_not_make_an_interval_narrower():
    values = np.random.default_rng(0).normal(size=50)

    def width(copies):
        many = np.repeat(values, copies)
        found = bootstrap_intervals(
            lambda rows: {"mean": float(many[rows].mean())},
            pd.Series(np.repeat(np.arange(50), copies)),
        )["mean"]
        return found.upper - found.lower

    assert width(8) == pytest.approx(width(1), rel=1e-9)


def test_the_same_seed_gives_the_same_interval():
    values = np.arange(10.0)
    found = [
        bootstrap_intervals(
            lambda rows: {"m": float(values[rows].mean())}, pd.Series(range(10)), seed=3
        )
        for _ in range(2)
    ]
    assert found[0] == found[1]


def test_undefined_resamples_are_left_out():
    found = bootstrap_intervals(
        lambda rows: {"x": float("nan") if len(set(rows)) < 2 else 1.0},
        pd.Series(["a", "b"]),
    )["x"]
    assert (found.lower, found.upper) == (1.0, 1.0)
    assert str(found) == "1 [1, 1]"
