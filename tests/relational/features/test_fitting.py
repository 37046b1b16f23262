"""A plan is made from the rows before the training cutoff."""

from __future__ import annotations

import numpy as np
import pandas as pd
from tests.relational.features.stores import frames, opened
from tests.relational.features.test_plan import plan_of

from benthic.relational.features.fitting import group_weights, informative
from benthic.relational.features.history import LabelHistory


def test_every_table_within_reach_has_its_path():
    made = plan_of(opened(frames(0)))
    assert [p.path.table for p in made.own] == ["visits", "items"]
    assert {p.path.chain.tables[-1] for p in made.neighbors} == {"shops"}
    assert made.seasons == ("visits",)


def test_two_keys_to_the_same_parent_are_followed_once():
    tables = frames(0)
    people = tables["people"].set_index("person_id")["shop_id"]
    tables["visits"]["shop_id"] = tables["visits"]["person_id"].map(people)
    chains = [str(p.path.chain) for p in plan_of(opened(tables)).neighbors]
    assert len(chains) == len(set(chains))


def test_constant_and_repeated_columns_are_left_out():
    frame = pd.DataFrame(
        {"a": [1.0, 2.0], "one": [1.0, 1.0], "again": [1.0, 2.0], "gap": [1.0, np.nan]}
    )
    assert informative(frame) == ["a", "gap"]


def test_a_category_that_never_repeats_has_no_rate():
    count = 20
    times = np.arange(count)
    history = LabelHistory(times, times, times, np.ones((count, 1)), ("label",))
    found = group_weights(history, {"own": times, "two": times % 2})
    assert list(found) == ["two"]
