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
    """
    num_rows = 0
    for place, batch in enumerate(batches):
        rows = pa.array(np.arange(num_rows, num_rows + batch.num_rows))
        numbered = pa.Table.from_batches([batch]).append_column("_row", rows)
        # Batch by batch, since DuckDB would wrap an error of the source in its own.
        connection.register("\x1fbatch", numbered)
        verb = f"INSERT INTO {name}" if place else f"CREATE TABLE {name} AS"
        connection.execute(f'{verb} SELECT * FROM "\x1fbatch"')
        num_rows += batch.num_rows
    connection.unregister("\x1fbatch")
    return num_rows


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
