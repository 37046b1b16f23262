"""Texts of the rows that each seed may see, as few numbers."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from benthic.relational.database import Database
from benthic.relational.features import aggregates
from benthic.relational.features.columns import Json
from benthic.relational.features.events import ROW, Ints, asked_values
from benthic.relational.features.feature import Feature, feature
from benthic.relational.features.path_features import Named, View
from benthic.relational.features.paths import Path
from benthic.relational.features.text_vectors import Projection, TextVectors
from benthic.relational.sql import quoted

Numbers: TypeAlias = NDArray[np.float32]

LONGEST = 1_000
"""Characters of a text that are read."""

_BATCH = 100_000
_REMEMBERED = 500_000
_MEAN = 1


@dataclass(frozen=True)
class RowText:
    """A text column of the rows of one path: fixed by ``fit``.

    Args:
        path: Which rows; the entity's own row where it has no step.
        column: The text column.
        rows: How many of the latest rows are averaged.
        projection: From a text's vector to a few numbers.
    """

    path: Path
    column: str
    rows: int
    projection: Projection

    @property
    def features(self) -> list[Feature]:
        """Mean length, and the mean of each column of the projection."""
        own = not len(self.path.chain)
        label = self.path.table if own else self.path.label
        window = None if own else f"last {self.rows}"
        return [
            feature(
                label,
                str(self.path),
                self.path.table,
                self.column,
                what if own else f"mean {what}",
                window,
            )
            for what in ("length", *self.projection.names)
        ]

    def to_json(self) -> Json:
        """As plain JSON; the path itself follows from the schema."""
        return {
            "label": self.path.label,
            "column": self.column,
            "rows": self.rows,
            "projection": self.projection.to_json(),
        }


class RowTexts:
    """Reads the texts of rows, each once, and averages them over each seed's last rows.

    At most ``RowText.rows`` texts are read for each seed, in batches; what stays in
    memory is the few numbers of each.

    Args:
        db: The database.
        vectors: How texts become vectors.
    """

    def __init__(self, db: Database, vectors: TextVectors) -> None:
        self.db = db
        self.vectors = vectors
        self._known: dict[RowText, tuple[Ints, Numbers]] = {}

    def features(self, text: RowText, seen: View) -> Named:
        """The features of one text column.

        Args:
            text: Which one.
            seen: The rows of each seed, of the same path.
        """
        latest = aggregates.row_starts(seen.begin, seen.end, np.array([text.rows]))
        places = _covered(latest[:, 0], seen.end, len(seen.events.times))
        found = self.values(text, seen.events.codes(ROW)[places])
        column = np.full(len(seen.events.times), np.nan)
        for i, made in enumerate(text.features):
            column[places] = found[:, i]
            stats = aggregates.nested_windows(column, seen.end, latest)
            yield made, stats[:, 0, _MEAN]

    def values(self, text: RowText, rows: Ints) -> Numbers:
        """Length and projection of the text of each row, NaN without one.

        Args:
            text: Which column.
            rows: Numbers of rows of its table, in any order.
        """
        width = len(text.projection.names) + 1
        empty = np.empty(0, np.int64), np.empty((0, width), np.float32)
        known, values = self._known.get(text, empty)
        missing = np.setdiff1d(rows, known)
        if len(missing):
            read = list(self._read(text, missing))
            both = np.concatenate([known, *(part for part, _ in read)])
            order = np.argsort(both)
            known = both[order]
            values = np.concatenate([values, *(part for _, part in read)])[order]
            if len(known) <= _REMEMBERED:
                self._known[text] = (known, values)
        return np.asarray(values[np.searchsorted(known, rows)])

    def _read(self, text: RowText, rows: Ints) -> Iterator[tuple[Ints, Numbers]]:
        for numbers, texts in read_texts(self.db, text.path.table, text.column, rows):
            filled = texts.fillna("")
            found = text.projection(self.vectors(filled.tolist()))
            lengths = filled.str.len().to_numpy(np.float32)
            values = np.column_stack([lengths, found])
            values[lengths == 0] = np.nan
            yield numbers, values


def read_texts(
    db: Database, table: str, column: str, rows: Ints
) -> Iterator[tuple[Ints, pd.Series]]:
    """Some rows' texts, in batches.

    Args:
        db: The database.
        table: Which table.
        column: Which column.
        rows: Numbers of rows.
    """
    sql = (
        f"SELECT _row AS r, left(CAST({quoted(column)} AS VARCHAR), {LONGEST}) AS x"
        f" FROM {db.relation(table, [column])}"
        " WHERE _row IN (SELECT key FROM benthic_asked)"
    )
    for start in range(0, len(rows), _BATCH):
        with asked_values(db, pd.DataFrame({"key": rows[start : start + _BATCH]})):
            found = db.frame(sql)
        yield found["r"].to_numpy(np.int64), found["x"]


def _covered(begin: Ints, end: Ints, count: int) -> Ints:
    """The places that lie in any of the ranges."""
    change = np.zeros(count + 1, np.int64)
    np.add.at(change, begin, 1)
    np.add.at(change, end, -1)
    return np.flatnonzero(np.cumsum(change[:-1]) > 0)
