from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
import pytest

from benthic.errors import DatabaseError
from benthic.relational.declared import Declared, DeclaredTable
from benthic.relational.sources.copied import CopiedTables, copy_batches, transaction

NUM_ROWS = 60_000


class Shelf:
    """A slow source that writes down what is asked of it."""

    def __init__(self, num_rows: int = NUM_ROWS) -> None:
        self.connection = duckdb.connect()
        self.connection.execute("CREATE SCHEMA raw; CREATE SCHEMA copied")
        columns = {name: "BIGINT" for name in "abc"}
        facts = DeclaredTable("t", columns, num_rows=num_rows)
        self.asked: list[str] = []
        self.version = 0
        self.rows = num_rows
        self.fails = False
        self.tables = CopiedTables(
            self.connection, Declared({"t": facts}), self.read, lambda: self.version
        )

    def read(self, table: str, columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
        self.asked.append("".join(columns))
        for start in range(0, self.rows, 25_000):
            if self.fails and start:
                raise OSError("the line is dead")
            numbers = np.arange(start, min(start + 25_000, self.rows))
            arrays = [pa.array(numbers * (1 + "abc".index(name))) for name in columns]
            yield pa.RecordBatch.from_arrays(arrays, names=list(columns))

    def query(self, sql: str) -> list[tuple[Any, ...]]:
        return self.connection.execute(sql).fetchall()


def test_a_column_is_read_once_and_stays_with_its_row():
    shelf = Shelf()
    for wanted in ("b", "b", "ba", "c"):
        name = shelf.tables.relation("t", list(wanted))
    assert shelf.asked == ["b", "a", "c"]
    sql = f"SELECT count(*) FILTER (a <> _row OR b <> 2 * a OR c <> 3 * a) FROM {name}"
    assert shelf.query(sql) == [(0,)]
    assert shelf.query("SELECT count(*) FROM duckdb_tables()") == [(1,)]


def test_a_small_table_is_read_whole_at_once():
    shelf = Shelf(10)
    shelf.tables.relation("t", [])
    shelf.tables.relation("t", ["a", "c"])
    assert shelf.asked == ["abc"]


def test_rows_can_be_counted_without_asking_for_a_column():
    shelf = Shelf()
    name = shelf.tables.relation("t", [])
    assert shelf.query(f"SELECT count(*) FROM {name}") == [(NUM_ROWS,)]


def test_a_view_on_it_stays_whole_while_it_grows():
    shelf = Shelf()
    shelf.query(
        f"CREATE VIEW v AS SELECT a, _row FROM {shelf.tables.relation('t', 'a')}"
    )
    shelf.tables.relation("t", ["c"])
    assert shelf.query("SELECT sum(a) = sum(_row) FROM v") == [(True,)]


def test_a_table_that_changed_is_read_anew_and_a_lost_row_is_noticed():
    shelf = Shelf()
    shelf.tables.relation("t", ["a"])
    shelf.version = 1
    shelf.tables.relation("t", ["b"])
    assert shelf.asked == ["a", "ab"]
    shelf.rows -= 1
    with pytest.raises(DatabaseError, match="changed while it was read"):
        shelf.tables.relation("t", ["c"])


def test_a_read_that_breaks_off_leaves_what_was_there():
    shelf = Shelf()
    shelf.fails = True
    with pytest.raises(OSError, match="the line is dead"):
        shelf.tables.relation("t", ["a"])
    shelf.fails = False
    name = shelf.tables.relation("t", ["a"])
    shelf.fails = True
    with pytest.raises(OSError, match="the line is dead"):
        shelf.tables.relation("t", ["b"])
    shelf.fails = False
    assert shelf.query(f"SELECT count(a) FROM {name}") == [(NUM_ROWS,)]
    shelf.tables.relation("t", ["b"])
    assert shelf.query(f"SELECT count(b) FROM {name}") == [(NUM_ROWS,)]


def test_an_empty_batch_gives_the_types():
    connection = duckdb.connect()
    empty = pa.RecordBatch.from_pylist([], schema=pa.schema([("a", pa.string())]))
    assert copy_batches(connection, "t", [empty]) == 0
    described = connection.execute("DESCRIBE t").fetchall()
    assert [row[:2] for row in described] == [("a", "VARCHAR"), ("_row", "BIGINT")]


def numbers(start: int, stop: int) -> pa.RecordBatch:
    return pa.RecordBatch.from_pydict({"a": np.arange(start, stop)})


def test_rows_after_an_empty_batch_are_all_there_whatever_their_number():
    for threads in (1, 2, 4):
        connection = duckdb.connect(config={"threads": threads})
        batches = [numbers(0, 0), numbers(0, 130_000), numbers(0, 0), numbers(0, 9)]
        with transaction(connection):
            assert copy_batches(connection, "t", batches) == 130_009
        sql = "SELECT count(*), count(a), sum(_row) FROM t"
        assert connection.execute(sql).fetchall() == [
            (130_009, 130_009, 130_009 * 130_008 // 2)
        ]


def test_a_copy_that_lost_rows_is_an_error_and_not_a_smaller_table():
    connection = duckdb.connect()

    def losing() -> Iterator[pa.RecordBatch]:
        yield numbers(0, 10)
        connection.execute("DELETE FROM t WHERE a > 6")
        yield numbers(10, 12)

    with pytest.raises(DatabaseError, match="9 of 12 rows"):
        copy_batches(connection, "t", losing())


def test_a_transaction_is_all_or_nothing():
    connection = duckdb.connect()
    create = "CREATE TABLE t (a INT); SELECT nonsense"
    with pytest.raises(duckdb.Error), transaction(connection):
        connection.execute(create)
    assert connection.execute("SELECT count(*) FROM duckdb_tables()").fetchall() == [
        (0,)
    ]
    with transaction(connection):
        connection.execute("CREATE TABLE t (a INT)")
    assert connection.execute("SELECT count(*) FROM duckdb_tables()").fetchall() == [
        (1,)
    ]
