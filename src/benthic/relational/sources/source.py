"""What every kind of database offers to the one Database object."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from typing import Protocol, runtime_checkable

import duckdb

from benthic.errors import DatabaseError
from benthic.relational.declared import Declared, DeclaredTable
from benthic.relational.sql import quoted

SAMPLE_ROWS = 20_000
"""How many rows a look at the values needs: a rate of 0.1 % is then 20 rows."""

RESERVED = frozenset({"_time", "_row"})
"""Columns that every relation of ours has; a user's column of that name is left out."""


ROW = "\x1frow"
"""A name that no user gives, for the number of a row beside the user's columns."""


@runtime_checkable
class Source(Protocol):
    """A database that is read and never written.

    Its raw relations live in the private DuckDB connection that it was given. They
    hold the columns as stored and ``_row``, the number of the row in the order of
    the source.
    """

    title: str
    """What it was opened from, fit to be printed: no password."""
    declared: Declared

    def relation(self, table: str, columns: Collection[str]) -> str:
        """Quoted name of the raw relation, with at least these columns."""

    def sample(self, table: str) -> str:
        """Quoted name of a relation of at most :data:`SAMPLE_ROWS` rows."""

    def close(self) -> None:
        """Lets the database go."""


def column_types(
    connection: duckdb.DuckDBPyConnection, relation: str
) -> dict[str, str]:
    """Name -> DuckDB type of the columns of a relation."""
    rows = connection.execute(f"DESCRIBE FROM {relation}").fetchall()
    return {row[0]: row[1] for row in rows if row[0] != ROW}


def create_raw(
    connection: duckdb.DuckDBPyConnection,
    table: str,
    relation: str,
    row: str = quoted(ROW),
    *,
    rows: str = "",
) -> DeclaredTable:
    """Creates the raw relation of a table that is read in place: a view.

    Args:
        connection: The private connection.
        table: Name of the table.
        relation: Where its columns are.
        row: SQL of the number of a row.
        rows: Where its rows are numbered, if that is elsewhere.

    Returns:
        What is known about the table by now: its columns and number of rows.
    """
    types = column_types(connection, relation)
    columns = [quoted(name) for name in types if name.lower() not in RESERVED]
    shown = ", ".join([*columns, f"{row} AS _row"])
    connection.execute(
        f"CREATE OR REPLACE VIEW {quoted('raw', table)} AS "
        f"SELECT {shown} FROM {rows or relation}"
    )
    return DeclaredTable(table, types, num_rows=count_rows(connection, relation))


def count_rows(connection: duckdb.DuckDBPyConnection, relation: str) -> int:
    """Number of rows of a relation."""
    rows = connection.execute(f"SELECT count(*) FROM {relation}").fetchall()
    return int(rows[0][0])


def one_line(error: BaseException) -> str:
    """The first line of an error's text that says something."""
    lines = (line.strip() for line in str(error).splitlines())
    text = next((line for line in lines if line), type(error).__name__)
    # "IO Error: …" -> "…": the kind of a DuckDB error says nothing to the user.
    kind, colon, rest = text.partition(": ")
    return rest if colon and kind.endswith(" Error") and rest else text


_NO_ROOM = ("no space left", "max_temp_directory_size", "disk quota", "file too large")


@contextmanager
def reading(title: str, *kinds: type[Exception]) -> Iterator[None]:
    """Turns a failure while reading into one clear line.

    Args:
        title: What is being read.
        kinds: What the source's driver raises; DuckDB's errors are always included.

    Raises:
        DatabaseError: If the database, its server or the scratch disk fails.

    Example:
        >>> with reading("shop.duckdb"):
        ...     duckdb.connect().execute("SELECT * FROM orders")
        Traceback (most recent call last):
        ...
        benthic.errors.DatabaseError: shop.duckdb: reading failed: Table with name \
orders does not exist!
    """
    failures: tuple[type[Exception], ...] = (duckdb.Error, *kinds)
    try:
        yield
    except failures as error:
        text = one_line(error)
        if any(sign in str(error).lower() for sign in _NO_ROOM):
            text = (
                "no room left on the disk for temporary files; free some, or name "
                f"another temp_directory or a larger memory_limit ({text})"
            )
        elif isinstance(error, duckdb.OutOfMemoryException):
            text = f"the memory_limit is too small for this ({text})"
        else:
            text = f"reading failed: {text}"
        raise DatabaseError(f"{title}: {text}") from error
