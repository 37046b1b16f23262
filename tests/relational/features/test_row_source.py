"""A path as SQL: which rows, whose, when, and what of their parents."""

from __future__ import annotations

import pandas as pd
import pytest
from tests.relational.features.stores import frames, opened

from benthic.relational.features.columns import readable_columns
from benthic.relational.features.paths import own_paths
from benthic.relational.features.row_source import (
    is_timed,
    key_hash,
    row_source,
    typed_key,
)


def test_time_comes_from_ancestors():
    schema = opened(frames(0)).schema
    timed = [name for name in schema.tables if is_timed(schema, name)]
    assert timed == ["visits", "items"]


def test_rows_of_a_long_chain_join_to_their_key():
    tables = frames(1)
    db = opened(tables)
    path = own_paths(db.schema, "people", 2)[1]
    readings = readable_columns(db.schema, "items", ("visit_id",))
    source = row_source(db, path, readings)
    found = db.frame(
        f"SELECT {source.key} AS k, {source.at} AS at, {source.values[0]} AS price"
        f" FROM {source.tables} WHERE {source.condition} ORDER BY t0._row"
    )
    expected = tables["items"].merge(tables["visits"], on="visit_id", how="left")
    assert found["price"].to_numpy() == pytest.approx(expected["price"].to_numpy())
    at = pd.to_datetime(found["at"], unit="us")
    assert (at.to_numpy() == expected["at"].to_numpy()).all()
    pairs = pd.DataFrame({"k": found["k"], "person": expected["person_id"]})
    assert len(pairs.drop_duplicates()) == expected["person_id"].nunique()


def test_a_key_stored_in_another_type_is_the_same_key():
    db = opened(frames(0))
    key = key_hash(typed_key(db.schema, "people", "5.0::DOUBLE"))
    same = key_hash(typed_key(db.schema, "people", "5"))
    none = key_hash("NULL")
    ((one, other, missing),) = db.query(f"SELECT {key}, {same}, {none}")
    assert one == other
    assert missing == -1
