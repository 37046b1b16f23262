"""What columns mean, by the rows up to a time and by no later one."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benthic.relational.database import Database
from benthic.relational.features.known_types import known_types
from benthic.relational.features.relational_features import RelationalFeatures

CUTOFF = pd.Timestamp("2026-02-01")
UNTIL = int(CUTOFF.timestamp() * 1e6)
KEYS = {
    "tables": {
        "people": {"pkey": "person_id", "time": None},
        "notes": {"pkey": "note_id", "time": "at", "fkeys": {"person_id": "people"}},
    }
}


def notes(rows: int, values: int, *, late: bool, seed: int = 0) -> pd.DataFrame:
    """Rows before or after the cutoff with so many values in each column."""
    rng = np.random.default_rng(seed)
    drawn = rng.integers(0, values, rows)
    first = CUTOFF + pd.Timedelta(1, "us") if late else CUTOFF - pd.Timedelta(30, "D")
    minutes = pd.to_timedelta(rng.integers(0, 30 * 24 * 60, rows), "min")
    return pd.DataFrame(
        {
            "note_id": np.arange(rows) + (10_000_000 if late else 0),
            "person_id": rng.integers(0, 5, rows),
            "at": (first + minutes).astype("datetime64[us]"),
            "said": [f"word {value}" for value in drawn],
            "city_code": drawn,
            "done": drawn,
            "spent": drawn / 4,
            "tags": [f"tag {value}; tag {value // 2}" for value in drawn],
        }
    )


def opened(*parts: pd.DataFrame, **stypes: str) -> Database:
    people = pd.DataFrame({"person_id": range(5)})
    said = {**KEYS["tables"]["notes"], "stypes": stypes}
    rows = pd.concat(parts, ignore_index=True)
    return Database.open(
        {"people": people, "notes": rows},
        overrides={"tables": {**KEYS["tables"], "notes": said}},
    )


@settings(max_examples=10)
@given(
    rows=st.integers(1, 400),
    values=st.integers(1, 300),
    others=st.integers(1, 600),
    more=st.integers(1, 500),
)
def test_later_rows_do_not_change_what_a_column_means(rows, values, others, more):
    early = notes(rows, values, late=False)
    late = notes(others, more, late=True, seed=1)
    alone, among = opened(early), opened(late, early)
    assert known_types(alone, UNTIL) == known_types(among, UNTIL)


@pytest.mark.parametrize("values", [1, 2, 30, 300])
def test_it_means_what_it_would_in_a_database_that_ends_there(values):
    early, late = notes(400, values, late=False), notes(400, 7, late=True)
    columns = opened(early).schema.tables["notes"].columns
    found = known_types(opened(early, late), UNTIL)["notes"]
    assert {name: str(columns[name].stype) for name in found} == found
    assert set(found) == {"said", "city_code", "done", "spent", "tags"}


def test_neither_do_the_order_of_rows_and_later_ones_in_a_large_table():
    early = notes(50_000, 9_000, late=False)
    late = notes(30_000, 50, late=True)
    mixed = pd.concat([late, early]).sample(frac=1, random_state=0)
    assert known_types(opened(mixed), UNTIL) == known_types(opened(early), UNTIL)


def test_a_type_that_the_user_gave_stays():
    found = known_types(opened(notes(50, 3, late=False), said="text"), UNTIL)
    assert "said" not in found["notes"]


def test_text_that_reads_as_a_number_is_none_where_the_column_is_read_as_text():
    early, late = notes(40, 3, late=False), notes(40, 3, late=True)
    early["said"] = [f"{value}.5" for value in range(40)]
    db = opened(early, late)
    assert str(db.schema.tables["notes"].columns["said"].stype) != "numerical"
    assert known_types(db, UNTIL)["notes"]["said"] == "text"


def test_a_table_without_times_is_left_as_it_is():
    db = Database.open({"people": pd.DataFrame({"person_id": range(5), "age": 3})})
    assert known_types(db, UNTIL) == {}


def test_features_keep_the_types_they_were_fitted_with():
    early = notes(300, 150, late=False)
    late = notes(3_000, 3, late=True)
    seeds = pd.DataFrame({"entity": range(5), "anchor_time": CUTOFF})
    before = RelationalFeatures(opened(early), "people", "person_id")
    expected = before.fit(seeds.assign(label=[0.0, 1, 0, 1, 1])).transform(seeds)
    db = opened(early, late)
    assert str(db.schema.tables["notes"].columns["said"].stype) == "categorical"
    again = RelationalFeatures(db, "people", "person_id")
    fitted = again.fit(seeds.assign(label=[0.0, 1, 0, 1, 1])).transform(seeds)
    loaded = RelationalFeatures.from_state(db, before.state()).transform(seeds)
    pd.testing.assert_frame_equal(fitted, expected, check_exact=True)
    pd.testing.assert_frame_equal(loaded, expected, check_exact=True)
