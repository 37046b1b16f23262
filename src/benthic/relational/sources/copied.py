"""Columns of a slow source, copied into the private DuckDB when they are asked for."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress

import duckdb
import numpy as np
import pyarrow as pa

from benthic.errors import DatabaseError
from benthic.relational.declared import Declared
from benthic.relational.sql import quoted

_SMALL = 50_000  # rows; below it one read of all columns beats several of some


class CopiedTables:
    """Copies each column once, and keeps one relation per table that grows.

    Args:
        connection: The private connection.
        declared: The tables.
        read: From a table and columns to record batches, one at least, always in the
            same order of rows.
        version: A value that changes with the database. A table that changed since
            some of its columns were copied is copied anew.
    """

    def __init__(
        self,
        connection: duckdb.DuckDBPyConnection,
        declared: Declared,
        read: Callable[[str, Sequence[str]], Iterable[pa.RecordBatch]],
        version: Callable[[], object] = lambda: None,
    ) -> None:
        self._connection = connection
        self._declared = declared
        self._read = read
        self._version = version
        self._copied: dict[str, tuple[list[str], object]] = {}

    def relation(self, table: str, columns: Collection[str]) -> str:
        """Quoted name of a relation with at least these columns and ``_row``."""
        name = quoted("raw", table)
        copied, version = self._copied.get(table, ([], None))
        missing = self._missing(table, columns, copied)
        if not missing:
            return name
        now = self._version()
        if not copied or now != version:
            missing = [*copied, *missing]
            with transaction(self._connection):
                self._connection.execute(f"DROP TABLE IF EXISTS {name}")
                copy_batches(self._connection, name, self._read(table, missing))
            self._copied[table] = missing, now
        else:
            with transaction(self._connection):
                self._grow(table, missing)
            self._copied[table] = [*copied, *missing], now
        return name

    def _missing(
        self, table: str, columns: Collection[str], copied: Sequence[str]
    ) -> list[str]:
        facts = self._declared.tables[table]
        wanted = facts.columns if facts.num_rows <= _SMALL else columns
        missing = [column for column in facts.columns if column in wanted]
        missing = [column for column in missing if column not in copied]
        # A table without any wanted column still has rows to count.
        return missing if missing or copied else list(facts.columns)[:1]

    def _grow(self, table: str, columns: Sequence[str]) -> None:
        old, piece = quoted("raw", table), quoted("copied", f"{table}\x1fpiece")
        grown = quoted("raw", f"{table}\x1fgrown")
        batches = self._read(table, columns)
        if copy_batches(self._connection, piece, batches) != self._count(old):
            raise DatabaseError(
                f"table {table} changed while it was read; open the database again"
            )
        self._connection.execute(
            f"CREATE TABLE {grown} AS SELECT old.*, piece.* EXCLUDE (_row) "
            f"FROM {old} old POSITIONAL JOIN {piece} piece"
        )
        self._connection.execute(f"DROP TABLE {piece}")
        # Views name the table, so that the grown one takes its place under its name.
        self._connection.execute(f"DROP TABLE {old}")
        self._connection.execute(f"ALTER TABLE {grown} RENAME TO {quoted(table)}")

    def _count(self, relation: str) -> int:
        rows = self._connection.execute(f"SELECT count(*) FROM {relation}").fetchall()
        return int(rows[0][0])


def copy_batches(
    connection: duckdb.DuckDBPyConnection, name: str, batches: Iterable[pa.RecordBatch]
) -> int:
    """Creates a table of record batches and ``_row``; returns the number of rows.

    Args:
        connection: The private connection.
        name: Quoted name of the table.
        batches: One at least, empty if there are no rows.

    Raises:
        DatabaseError: If the copy does not give back the rows that were read.
    """
    num_rows, is_made = 0, False
    for batch in with_rows(batches):
        rows = pa.array(np.arange(num_rows, num_rows + batch.num_rows))
        numbered = pa.Table.from_batches([batch]).append_column("_row", rows)
        # Batch by batch, since DuckDB would wrap an error of the source in its own.
        connection.register("\x1fbatch", numbered)
        verb = f"INSERT INTO {name}" if is_made else f"CREATE TABLE {name} AS"
        connection.execute(f'{verb} SELECT * FROM "\x1fbatch"')
        num_rows, is_made = num_rows + batch.num_rows, True
    connection.unregister("\x1fbatch")
    _check_copy(connection, name, num_rows)
    return num_rows


def with_rows(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """The batches that hold rows; where none does, the first, for its types.

    DuckDB 2.0 loses what is inserted into a table that the same transaction created
    without rows, if it is a row group or more and there are two threads.

    Args:
        batches: One at least.

    Example:
        >>> rows = [pa.RecordBatch.from_pydict({"a": part}) for part in ([], [1], [])]
        >>> [batch.num_rows for batch in with_rows(rows)]
        [1]
    """
    empty: pa.RecordBatch | None = None
    any_rows = False
    for batch in batches:
        if batch.num_rows:
            any_rows = True
            yield batch
        elif empty is None:
            empty = batch
    if not any_rows and empty is not None:
        yield empty


def _check_copy(connection: duckdb.DuckDBPyConnection, name: str, rows: int) -> None:
    """Reads the row numbers back: a count alone can come from the catalogue."""
    sql = f"SELECT count(_row), coalesce(sum(_row), 0) FROM {name}"
    found, total = connection.execute(sql).fetchall()[0]
    if (found, total) != (rows, rows * (rows - 1) // 2):
        raise DatabaseError(
            f"{found:,} of {rows:,} rows came through the copy into {name}; report "
            "this, with the versions of benthic and DuckDB"
        )


@contextmanager
def transaction(connection: duckdb.DuckDBPyConnection) -> Iterator[None]:
    """All of the block's statements or none.

    Args:
        connection: The private connection.
    """
    connection.execute("BEGIN")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        # DuckDB has already ended a transaction that failed badly.
        with suppress(duckdb.TransactionException):
            connection.execute("ROLLBACK")
        raise
