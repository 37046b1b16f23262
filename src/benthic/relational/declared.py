"""What a database says about itself, before anything is inferred."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable


@dataclass(frozen=True)
class DeclaredKey:
    """A foreign key that the catalogue names.

    Args:
        columns: The columns that hold it; several for a composite key.
        table: The table they point at (one of :attr:`Declared.tables`).
        parent_columns: The columns they point at, in the same order; always given,
            and not always the parent's primary key: SQL lets a key point at any
            columns that are unique.
    """

    columns: tuple[str, ...]
    table: str
    parent_columns: tuple[str, ...]


@dataclass(frozen=True)
class DeclaredTable:
    """One table, as its catalogue describes it.

    Args:
        name: As the database spells it (``schema.table`` outside the default schema).
        columns: Name -> DuckDB's name of the type in the raw relation, in the order
            of the database.
        pkey: Columns of the primary key, in its order; empty without one.
        fkeys: Foreign keys whose parent is in the database.
        time_col: Declared time column (a RelBench manifest names one).
        end_time_col: Declared end of a row's life.
        num_rows: Number of rows.
        static: Declared to have no time at all (a RelBench manifest says so); no time
            column is to be inferred.
    """

    name: str
    columns: Mapping[str, str]
    pkey: tuple[str, ...] = ()
    fkeys: tuple[DeclaredKey, ...] = ()
    time_col: str | None = None
    end_time_col: str | None = None
    num_rows: int = 0
    static: bool = False


@dataclass(frozen=True)
class Declared:
    """All tables of a database, with the facts that its catalogue gives.

    Args:
        tables: By name, in the order of the database.
        notes: What was seen while reading and left out, by table: a key that points
            into a schema that the user may not read, say.
    """

    tables: Mapping[str, DeclaredTable]
    notes: tuple[tuple[str, str], ...] = ()


@runtime_checkable
class Probe(Protocol):
    """How inference looks at the data: raw relations in the private DuckDB.

    Raw means as stored: no normalized times, no ``_time``, no synthetic columns; there
    is a ``_row``, which :class:`Declared` does not list. Ask for the columns that are
    needed: SQLite and PostgreSQL copy what is asked for.
    """

    def query(self, sql: str) -> list[tuple[Any, ...]]:
        """Rows that ``sql`` gives on the private DuckDB connection."""

    def relation(self, table: str, columns: Iterable[str] | None = None) -> str:
        """Quoted name of a relation with all rows and at least these columns."""

    def sample(self, table: str) -> str:
        """Quoted name of a relation with all columns and at most 20,000 rows.

        They are drawn from the whole table, the same ones at every opening; all rows
        of a smaller table.
        """
