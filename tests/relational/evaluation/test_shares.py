from __future__ import annotations

import numpy as np
import pandas as pd
from hypothesis import given, settings
from hypothesis import strategies as st

from benthic.relational.evaluation.shares import shares

START = pd.Timestamp("2026-01-01")
VALUES = ["c", "a", "b", "never"]


def at(days):
    return (START + pd.to_timedelta(days, "D")).astype("datetime64[us]")


@settings(max_examples=25)
@given(st.integers(0, 10_000), st.sampled_from([0, 1, 30]))
def test_shares_equal_a_loop_over_the_sets_known_by_then(number, size):
    random = np.random.default_rng(number)
    sets = [[v for v in "abcx" if random.random() < 0.5] for _ in range(size)]
    past = pd.DataFrame(
        {
            "entity": random.choice(["p", "q", "r"], size),
            "observed_at": at(random.integers(0, 9, size)),
            "label": pd.Series(sets, dtype=object),
        }
    )
    entity = pd.Series(random.choice(["p", "q", "r", "new"], 20))
    until = pd.Series(at(random.integers(-1, 10, 20)))
    found = shares(past, entity, until, VALUES)
    for row, who, when in zip(found, entity, until, strict=True):
        known = past[(past.entity == who) & (past.observed_at <= when)].label
        expected = [known.map(lambda held, v=v: v in held).mean() for v in VALUES]
        np.testing.assert_allclose(row, np.array(expected, float))


def test_a_value_that_a_set_names_twice_counts_once():
    past = pd.DataFrame(
        {"entity": [1, 1], "observed_at": at([0, 0]), "label": [["a", "a"], []]}
    )
    found = shares(past, pd.Series([1]), pd.Series(at([0])), ["a"])
    assert found.tolist() == [[0.5]]
