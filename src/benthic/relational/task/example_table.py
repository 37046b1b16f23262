"""Examples in DuckDB's care: whole, or a part at a time, never twice in memory."""

from __future__ import annotations

import itertools
import weakref
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import duckdb
import pandas as pd

from benthic.relational.database import Database

CHUNK_ROWS = 100_000
"""Rows of a part; a DuckDB row group is 122,880."""

_NUMBERS = itertools.count()


class ExampleTable:
    """Rows of a SELECT, kept in the database's private scratch until nobody asks.

    Args:
        db: Whose scratch.
        sql: A SELECT; its order is kept.
    """

    def __init__(self, db: Database, sql: str) -> None:
        self.db = db
        self.name = f"task_examples_{next(_NUMBERS)}"
        db.query(f"CREATE TABLE {self.name} AS {sql}")
        weakref.finalize(self, _drop, weakref.ref(db), self.name).atexit = False

    def __len__(self) -> int:
        return int(self.row("count(*)")[0])

    def row(self, selected: str) -> tuple[Any, ...]:
        """The one row of aggregates over all examples.

        Args:
            selected: What follows SELECT.
        """
        return self.db.query(f"SELECT {selected} FROM {self.name}")[0]

    def extend(self, sql: str) -> None:
        """Adds the rows of another SELECT."""
        self.db.query(f"INSERT INTO {self.name} {sql}")

    def frame(self) -> pd.DataFrame:
        """All examples."""
        return _tidy(self.db.frame(f"SELECT * FROM {self.name}"))

    def chunks(self, rows: int = CHUNK_ROWS) -> Iterator[pd.DataFrame]:
        """All examples, so many at a time; other queries may run in between.

        Args:
            rows: How many.
        """
        for start in range(0, len(self), rows):
            # Nothing is ever deleted, so the row numbers have no gaps.
            part = f"rowid >= {start} AND rowid < {start + rows}"
            sql = f"SELECT * FROM {self.name} WHERE {part} ORDER BY rowid"
            yield _tidy(self.db.frame(sql))


def _drop(owner: weakref.ref[Database], name: str) -> None:
    db = owner()
    if db is not None:
        with suppress(duckdb.Error):
            db.connection.execute(f"DROP TABLE IF EXISTS {name}")


def _tidy(frame: pd.DataFrame) -> pd.DataFrame:
    """Sets as lists, truth values as booleans, also where some are missing."""
    if "label" not in frame or frame["label"].dtype != object:
        return frame
    known = frame["label"].dropna()
    if len(known) and hasattr(known.iloc[0], "tolist"):
        frame["label"] = [None if v is None else v.tolist() for v in frame["label"]]
    elif len(known) and isinstance(known.iloc[0], bool):
        frame["label"] = frame["label"].astype("boolean")
    return frame
