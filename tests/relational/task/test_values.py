from __future__ import annotations

import datetime as dt
from typing import Any

import duckdb
import pytest

from benthic.relational.query.tree import Value
from benthic.relational.task.values import literal_sql

ZONE = dt.timezone(dt.timedelta(hours=2))


@pytest.mark.parametrize(
    ("value", "dtype", "expected"),
    [
        (None, "BIGINT", None),
        (7, "VARCHAR", "7"),
        (True, "VARCHAR", "true"),
        ("it's", "VARCHAR", "it's"),
        ("7", "BIGINT", 7),
        ("seven", "BIGINT", None),
        (2.5, "BIGINT", 2.5),
        (1, "BOOLEAN", True),
        ("no", "BOOLEAN", False),
        ("2024-01-31", "TIMESTAMP", dt.datetime(2024, 1, 31)),
        (dt.datetime(2024, 1, 31), "DATE", dt.datetime(2024, 1, 31)),
        (dt.datetime(2024, 1, 31, 2, tzinfo=ZONE), None, dt.datetime(2024, 1, 31)),
        ("a", "ENUM('a', 'b')", "a"),
        ("x", None, "x"),
    ],
)
def test_a_literal_takes_the_type_of_what_stands_beside_it(
    value: Value, dtype: str | None, expected: Any
) -> None:
    found = duckdb.connect().execute(f"SELECT {literal_sql(value, dtype)}").fetchone()
    assert found == (expected,)
