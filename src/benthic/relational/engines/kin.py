"""What nobody met yet: since when is it there, and what does it share with others?"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd

from benthic.relational.database import Database
from benthic.relational.engines.engine import Target
from benthic.relational.features.row_source import is_timed
from benthic.relational.schema import Chain
from benthic.relational.task.lineage import Lineage

_ALWAYS = np.iinfo(np.int64).min
_NEVER = np.iinfo(np.int64).max


@dataclass(frozen=True)
class Kin:
    """Values whose rows point at the same row, such as the tracks of an album.

    Args:
        column: The foreign key.
        code: Number of the row that each value points at `[V]`.
        size: How many rows there are, with one for what is unknown: the last.
    """

    column: str
    code: np.ndarray
    size: int

    def known(self, exists: np.ndarray) -> np.ndarray:
        """What each value points at, as far as its row is there already `[V]`.

        Args:
            exists: Whether it is `[V]`.
        """
        return np.where(exists, self.code, self.size - 1)


class ValueRows:
    """The rows of the table whose keys are ranked; none where a column's values are.

    Args:
        db: The database.
        target: Names the table and the key.
    """

    def __init__(self, db: Database, target: Target) -> None:
        facts = db.schema.tables[str(target.value_table)]
        is_key = facts.pkey_col == target.value_col
        self._columns = sorted(facts.fkey_col_to_pkey_table) if is_key else []
        self._frame = _read(db, target, self._columns) if is_key else _NO_ROWS

    @property
    def values(self) -> pd.Series:
        """Their keys, each once."""
        return self._frame["value"]

    def since(self, values: pd.Index) -> np.ndarray:
        """When the rows of these values came, in microseconds `[V]`.

        Args:
            values: Sorted.
        """
        found = np.full(len(values), _NEVER)
        found[values.get_indexer(self.values)] = self._frame["since"]
        return found

    def kin(self, values: pd.Index) -> Iterator[Kin]:
        """Who shares what, for each foreign key.

        Args:
            values: Sorted.
        """
        place = values.get_indexer(self.values)
        for i, column in enumerate(self._columns):
            shared, keys = pd.factorize(self._frame[f"key{i}"])
            code = np.full(len(values), len(keys))
            code[place] = np.where(shared < 0, len(keys), shared)
            yield Kin(column, code, len(keys) + 1)


_NO_ROWS = pd.DataFrame({"value": [], "since": []})


def _read(db: Database, target: Target, columns: list[str]) -> pd.DataFrame:
    table = str(target.value_table)
    here, row = Chain((table,)), Lineage(db, table)
    shown = [
        f"{row.column(here, name)} AS {as_}"
        for name, as_ in [
            (str(target.value_col), "value"),
            *((column, f"key{i}") for i, column in enumerate(columns)),
        ]
    ]
    sql = f"SELECT {row.time(here)} AS time, {', '.join(shown)} FROM {row.tables}"
    found = db.frame(f"SELECT * FROM ({sql}) ORDER BY ALL").dropna(subset="value")
    since = found.pop("time")
    if is_timed(db.schema, table):
        found = found[since.notna()]
        times = since.dropna().to_numpy("datetime64[us]").astype(np.int64)
        found = found.assign(since=times)
    else:
        found = found.assign(since=_ALWAYS)
    return found.drop_duplicates("value").reset_index(drop=True)


def novelty(since: np.ndarray, exists: np.ndarray) -> np.ndarray:
    """From 0 for what is not there to 1 for the newest, no two the same `[V]`.

    Of those that came together the first are the newest: what comes later moves none.

    Args:
        since: When each came `[V]`.
        exists: Whether each is there `[V]`.

    Example:
        >>> novelty(np.array([5, 7, 5, 9]), np.array([True, True, True, False]))
        array([0.66666667, 1.        , 0.33333333, 0.        ])
    """
    found = np.zeros(len(since))
    there = np.flatnonzero(exists)
    oldest_first = there[np.lexsort((-there, since[there]))]
    found[oldest_first] = np.arange(1, len(there) + 1) / max(len(there), 1)
    return found
