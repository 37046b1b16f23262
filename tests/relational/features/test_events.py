"""Rows sorted by key and time, none later than asked."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from tests.relational.features.stores import START, frames, opened

from benthic.relational.features import events
from benthic.relational.features.columns import readable_columns
from benthic.relational.features.events import (
    entity_hashes,
    load_events,
    raw_sample,
    sorted_events,
    text_hashes,
)
from benthic.relational.features.paths import own_paths


def loaded(tables, until):
    db = opened(tables)
    path = own_paths(db.schema, "people", 1)[0]
    readings = readable_columns(db.schema, "visits", ("person_id",))
    keys = np.unique(entity_hashes(db, "people", pd.Series([0, 1, 2])))
    limit = until.value // 1000
    return db, path, readings, keys, limit


def test_only_rows_of_the_keys_and_the_time_leave_the_database():
    tables = frames(2)
    until = START + pd.Timedelta(days=100)
    db, path, readings, keys, limit = loaded(tables, until)
    found = load_events(db, path, readings, keys, limit)
    visits = tables["visits"]
    asked = visits[visits["person_id"].isin([0, 1, 2]) & (visits["at"] <= until)]
    assert len(found.times) == len(asked)
    assert found.times.max() <= limit
    for k in range(len(found.keys)):
        assert (
            np.diff(found.times[found.offsets[k] : found.offsets[k + 1]]) >= 0
        ).all()
    total = np.nansum(found.numbers("spent"))
    assert total == pytest.approx(asked["spent"].sum())


def test_a_sample_holds_raw_values_of_the_newest_rows():
    tables = frames(2)
    until = START + pd.Timedelta(days=100)
    db, path, readings, keys, limit = loaded(tables, until)
    rows, values = raw_sample(db, path, readings, keys, limit)
    assert set(values["kind"]) <= {"x", "y", "z"}
    assert rows["time"].is_monotonic_decreasing


def test_a_sample_of_a_large_table_is_that_of_all_its_rows(monkeypatch):
    until = START + pd.Timedelta(days=180)
    given = loaded(frames(4, visits=300), until)
    monkeypatch.setattr(events, "_SAMPLE_ROWS", 20)
    whole = raw_sample(*given)
    monkeypatch.setattr(events, "_LARGE", 100)
    for found, expected in zip(raw_sample(*given), whole, strict=True):
        pd.testing.assert_frame_equal(found, expected)
    monkeypatch.setattr(events, "_SAMPLE_ROWS", 1_000)
    assert len(raw_sample(*given)[0]) > 20


def test_an_unknown_key_has_no_position():
    found = sorted_events(np.array([5, 3, 5]), np.array([2, 9, 1]), {})
    assert found.times.tolist() == [9, 1, 2]
    assert found.positions(np.array([3, 4, 5, 9])).tolist() == [0, -1, 1, -1]
    nothing = sorted_events(np.empty(0, np.int64), np.empty(0, np.int64), {})
    assert nothing.positions(np.array([3])).tolist() == [-1]


def test_a_category_hashes_like_the_text_of_its_column():
    db = opened(frames(3))
    path = own_paths(db.schema, "people", 1)[0]
    readings = readable_columns(db.schema, "visits", ("person_id",))
    keys = np.unique(entity_hashes(db, "people", pd.Series(range(6))))
    found = load_events(db, path, readings, keys, 2**60)
    assert set(found.codes("kind")) == set(text_hashes(db, ["x", "y", "z"]).values())
