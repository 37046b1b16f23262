"""Which text columns of a path's rows are read, and in which directions."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import sparse

from benthic.relational.database import Database
from benthic.relational.features.events import (
    ROW,
    Floats,
    Ints,
    Moments,
    load_events,
)
from benthic.relational.features.path_features import view
from benthic.relational.features.paths import Path
from benthic.relational.features.row_texts import RowText, read_texts
from benthic.relational.features.text_vectors import TextVectors
from benthic.relational.features.windows import Windows
from benthic.relational.schema import SType

_FEWEST = 20
_SHORTEST = 20
_MOST_COLUMNS = 3
_ROWS = 10


@dataclass(frozen=True)
class TextSample:
    """Training seeds from whose texts is learned, one a key.

    Args:
        moments: The seeds.
        labels: What each is to be told from, ``[N, targets]``; none without labels.
    """

    moments: Moments
    labels: Floats

    @classmethod
    def of(cls, moments: Moments, labels: Floats | None, keys: Ints) -> TextSample:
        """The latest seed of some keys.

        Seeds of one entity read nearly the same texts: as if they were many witnesses.

        Args:
            moments: Training seeds.
            labels: Of the seeds.
            keys: Which keys.
        """
        order = np.lexsort((moments.until, moments.keys))
        order = order[np.isin(moments.keys[order], keys)]
        last = np.append(np.diff(moments.keys[order]) != 0, True)
        rows = order[last[: len(order)]]
        known = np.empty((len(rows), 0)) if labels is None else labels[rows]
        return cls(moments.part(rows), known)


def fit_row_texts(
    db: Database, path: Path, sample: TextSample, vectors: TextVectors
) -> Iterator[RowText]:
    """The text columns of a path's rows that hold sentences.

    Short texts are names and texts without spaces addresses or links: these would only
    tell a model who is who. All is learned from what training seeds may see.

    Args:
        db: The database.
        path: Which rows; the entity's own row where it has no step.
        sample: Training seeds.
        vectors: How texts become vectors.
    """
    columns = db.schema.tables[path.table].columns.values()
    names = [column.name for column in columns if column.stype is SType.text]
    if not names or not len(sample.moments):
        return
    count = _ROWS if len(path.chain) else 1
    rows, shares = _latest_rows(db, path, sample.moments, count)
    left = _MOST_COLUMNS
    for name in names:
        texts = _texts(db, path.table, name, rows)
        if left and _are_sentences(texts.dropna()):
            left -= 1
            found = vectors.projection(texts.fillna("").tolist(), shares, sample.labels)
            yield RowText(path, name, count, found)


def _latest_rows(
    db: Database, path: Path, moments: Moments, count: int
) -> tuple[Ints, sparse.csr_matrix]:
    """Rows that the seeds see, and the share of each row in each seed's mean."""
    until = int(moments.until.max())
    events = load_events(db, path, (), np.unique(moments.keys), until)
    seen = view(events, moments, Windows(rows=(count,)))
    lengths = seen.end - seen.rows[:, 0]
    starts = np.repeat(seen.rows[:, 0], lengths)
    within = np.arange(lengths.sum()) - np.repeat(np.cumsum(lengths) - lengths, lengths)
    places, columns = np.unique(starts + within, return_inverse=True)
    shares = sparse.csr_matrix(
        (
            np.repeat(1 / np.maximum(lengths, 1), lengths),
            columns,
            np.append(0, np.cumsum(lengths)),
        ),
        shape=(len(moments), len(places)),
    )
    return events.codes(ROW)[places], shares


def _texts(db: Database, table: str, column: str, rows: Ints) -> pd.Series:
    parts = list(read_texts(db, table, column, rows))
    if not parts:
        return pd.Series([], dtype=str)
    numbers = np.concatenate([part for part, _ in parts])
    texts = pd.concat([texts for _, texts in parts]).set_axis(numbers)
    return texts.loc[rows]


def _are_sentences(texts: pd.Series) -> bool:
    """Whether most are long enough and hold a space, or letters that need none."""
    if texts.nunique() < _FEWEST or texts.str.len().mean() < _SHORTEST:
        return False
    return bool(texts.str.contains(r"\s|[^\x00-\x7f]").mean() >= 0.5)
