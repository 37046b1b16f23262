from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pandas as pd
import pytest

from benthic.errors import DatabaseError
from benthic.relational import database
from benthic.relational.database import Database
from benthic.relational.sources.source import create_raw, one_line, reading

NUM_ROWS = 300_000
SELECT = (
    "SELECT i + 1 AS ride_id, i % 7 AS lane, "
    "TIMESTAMP '2020-01-01' + i * INTERVAL 1 MINUTE AS began_at "
    f"FROM range({NUM_ROWS}) t(i)"
)


def test_a_raw_relation_has_a_row_number_and_not_the_reserved_names():
    connection = duckdb.connect()
    connection.execute("CREATE SCHEMA raw; CREATE TABLE t (a INT, _Time INT, _row INT)")
    connection.execute("INSERT INTO t VALUES (7, 8, 9), (6, 5, 4)")
    facts = create_raw(connection, "T x", "t", "rowid")
    assert facts.num_rows == 2
    assert facts.columns == {"a": "INTEGER", "_Time": "INTEGER", "_row": "INTEGER"}
    relation = connection.execute('SELECT * FROM raw."T x"')
    assert [column[0] for column in relation.description] == ["a", "_row"]
    assert relation.fetchall() == [(7, 0), (6, 1)]


@pytest.mark.parametrize(
    ("error", "says"),
    [
        (duckdb.IOException("IO Error: disk: No space left on device"), "no room left"),
        (duckdb.OutOfMemoryException("Out of Memory Error: x"), "memory_limit is too"),
        (duckdb.Error("first\n\nsecond"), "shop: reading failed: first"),
        (OSError("gone"), "shop: reading failed: gone"),
    ],
)
def test_a_failure_becomes_one_clear_line(error, says):
    with pytest.raises(DatabaseError, match=says) as caught, reading("shop", OSError):
        raise error
    assert "\n" not in str(caught.value)
    assert caught.value.__cause__ is error


def test_other_errors_pass():
    with pytest.raises(KeyError), reading("shop"):
        raise KeyError("a bug")


def test_an_error_without_text_is_named_by_its_kind():
    assert one_line(TimeoutError()) == "TimeoutError"
    assert one_line(duckdb.Error("IO Error: file: gone")) == "file: gone"


@pytest.fixture
def four_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    """DuckDB has lost rows where it had more threads than one."""
    scratch = database._open_scratch

    def threaded(*arguments: Any) -> Any:
        connection, folder = scratch(*arguments)
        connection.execute("SET threads = 4")
        return connection, folder

    monkeypatch.setattr(database, "_open_scratch", threaded)


def as_duckdb(folder: Path) -> Path:
    with duckdb.connect(str(folder / "rides.duckdb")) as connection:
        connection.execute(f"CREATE TABLE rides AS {SELECT}")
    return folder / "rides.duckdb"


def as_sqlite(folder: Path) -> Path:
    connection = sqlite3.connect(folder / "rides.sqlite")
    connection.execute(
        "CREATE TABLE rides AS WITH RECURSIVE t(i) AS (SELECT 0 UNION ALL SELECT i + 1 "
        f"FROM t LIMIT {NUM_ROWS}) SELECT i + 1 AS ride_id, i % 7 AS lane, "
        "datetime('2020-01-01', '+' || i || ' minutes') AS began_at FROM t"
    )
    connection.commit()
    connection.close()
    return folder / "rides.sqlite"


def as_parquet(folder: Path) -> Path:
    duckdb.sql(SELECT).write_parquet(str(folder / "rides.parquet"))
    return folder


def as_csv(folder: Path) -> Path:
    duckdb.sql(SELECT).write_csv(str(folder / "rides.csv"))
    return folder


def as_frames(folder: Path) -> dict[str, pd.DataFrame]:
    return {"rides": duckdb.sql(SELECT).df()}


def check(source: Any) -> None:
    with Database.open(source) as db:
        assert repr(db).endswith("1 table, 300,000 rows)")
        for columns in (["lane"], ["ride_id", "began_at"], None):
            rows = db.relation("rides", columns)
        sums = "count(lane), sum(lane), sum(ride_id - 1 - _row), sum(_row)"
        numbers = np.arange(NUM_ROWS)
        assert db.query(f"SELECT count(*), {sums} FROM {rows}") == [
            (NUM_ROWS, NUM_ROWS, (numbers % 7).sum(), 0, numbers.sum())
        ]
        assert db.schema.problems == ()
        assert len(db.frame(f"SELECT DISTINCT began_at, _time FROM {rows}")) == NUM_ROWS


@pytest.mark.parametrize("store", [as_duckdb, as_sqlite, as_parquet, as_csv, as_frames])
def test_all_rows_of_a_large_table_are_there(store, tmp_path, four_threads):
    check(store(tmp_path))


def test_all_rows_of_a_large_table_of_a_server_are_there(postgres, four_threads):
    check(
        postgres.create(
            "rides",
            "CREATE TABLE rides (ride_id int, lane int, began_at timestamptz)",
            "INSERT INTO rides SELECT i + 1, i % 7, timestamptz '2020-01-01 00:00Z' "
            f"+ i * interval '1 minute' FROM generate_series(0, {NUM_ROWS - 1}) i",
        )
    )
