"""Columns of a slow source, copied into the private DuckDB when they are asked for."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager

import duckdb
import pyarrow as pa

from benthic.errors import DatabaseError
from benthic.relational.declared import Declared
from benthic.relational.sources.source import count_rows
from benthic.relational.sql import quoted

_SMALL = 50_000  # rows; below it one read of all columns beats several of some


class CopiedTables:
    """Copies each column once, and keeps one relation per table that grows.

    The rows of a column that is copied later must come in the same order as those
    copied before; a different number of rows is noticed and refused.

    Args:
        connection: The private connection.
        declared: The tables.
        read: From a table and columns to record batches with the types that the
            declared columns have; always in the same order of rows.
    """

    def __init__(
        self,
        connection: duckdb.DuckDBPyConnection,
        declared: Declared,
        read: Callable[[str, Sequence[str]], pa.RecordBatchReader],
    ) -> None:
        self._connection = connection
        self._declared = declared
        self._read = read
        self._copied: dict[str, list[str]] = {}

    def relation(self, table: str, columns: Collection[str]) -> str:
        """Quoted name of a relation with at least these columns and ``_row``."""
        name = quoted("raw", table)
        copied = self._copied.get(table)
        facts = self._declared.tables[table]
        wanted = facts.columns if facts.num_rows <= _SMALL else set(columns)
        missing = [
            column
            for column in facts.columns
            if column in wanted and column not in (copied or ())
        ]
        if copied is None:
            # A table without any wanted column still has rows to count.
            first = missing or list(facts.columns)[:1]
            self._copy(name, table, first)
            self._copied[table] = first
        elif missing:
            self._grow(name, table, missing)
            self._copied[table] = [*copied, *missing]
        return name

    def _copy(self, name: str, table: str, columns: Sequence[str]) -> None:
        batches = self._read(table, columns)  # noqa: F841  DuckDB finds it by name
        self._connection.execute(
            f"CREATE TABLE {name} AS "
            "SELECT *, row_number() OVER () - 1 AS _row FROM batches"
        )

    def _grow(self, name: str, table: str, columns: Sequence[str]) -> None:
        piece, grown = quoted("raw", f"{table}\x1fpiece"), quoted("raw", f"{table}\x1f")
        self._connection.execute(f"DROP TABLE IF EXISTS {piece}")
        self._copy(piece, table, columns)
        before = count_rows(self._connection, name)
        now = count_rows(self._connection, piece)
        if before != now:
            self._connection.execute(f"DROP TABLE {piece}")
            raise DatabaseError(
                f"table {table} changed from {before:,} to {now:,} rows while it was "
                "read; open the database again"
            )
        # Views name the table, so that the grown one takes its place under its name.
        with transaction(self._connection):
            self._connection.execute(
                f"CREATE TABLE {grown} AS SELECT old.*, piece.* EXCLUDE (_row) "
                f"FROM {name} old POSITIONAL JOIN {piece} piece"
            )
            self._connection.execute(f"DROP TABLE {piece}")
            self._connection.execute(f"DROP TABLE {name}")
            self._connection.execute(f"ALTER TABLE {grown} RENAME TO {quoted(table)}")


@contextmanager
def transaction(connection: duckdb.DuckDBPyConnection) -> Iterator[None]:
    """All of the block's statements or none."""
    connection.execute("BEGIN")
    try:
        yield
    except BaseException:
        connection.execute("ROLLBACK")
        raise
    connection.execute("COMMIT")
