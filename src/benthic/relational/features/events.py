"""Rows in order of key and time, ready for the aggregates."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray

from benthic.relational.database import Database
from benthic.relational.features.columns import Reading
from benthic.relational.features.paths import Path
from benthic.relational.features.row_order import row_places
from benthic.relational.features.row_source import (
    is_timed,
    key_hash,
    row_source,
    typed_key,
)
from benthic.relational.schema import SType
from benthic.relational.sources.source import reading

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

ROW = "_row"
"""Name among an event's values of the number of its row, where its table has texts."""


@dataclass(frozen=True)
class Moments:
    """The seeds: who, when, and up to when each may see.

    Args:
        keys: ``key_hash`` of each seed's entity.
        anchors: Seed times, microseconds since 1970.
        until: Latest visible time of each seed: at most its anchor.
    """

    keys: Ints
    anchors: Ints
    until: Ints

    def __len__(self) -> int:
        return len(self.keys)

    def keyed(self, keys: Ints) -> Moments:
        """The same moments of other keys."""
        return Moments(keys, self.anchors, self.until)

    def part(self, rows: slice | NDArray[np.int64]) -> Moments:
        """Some of the seeds."""
        return Moments(self.keys[rows], self.anchors[rows], self.until[rows])


@dataclass(frozen=True)
class Events:
    """Rows sorted by key, then time, then source order.

    Args:
        keys: Distinct keys, ascending.
        offsets: Rows of ``keys[k]`` are ``offsets[k]:offsets[k + 1]``.
        times: When each row becomes visible.
        values: One array per reading, by name; int64 for categories.
    """

    keys: Ints
    offsets: Ints
    times: Ints
    values: Mapping[str, NDArray[np.generic]]
    _dense: dict[str, tuple[Ints, int]] = field(default_factory=dict, compare=False)

    @property
    def nbytes(self) -> int:
        """Memory that they take."""
        dense = (codes for codes, _ in self._dense.values())
        arrays = (self.keys, self.offsets, self.times, *self.values.values(), *dense)
        return sum(array.nbytes for array in arrays)

    def numbers(self, name: str) -> Floats:
        """A reading as floating point, NaN where missing."""
        return np.asarray(self.values[name], np.float64)

    def codes(self, name: str) -> Ints:
        """A reading as hashes, -1 where missing."""
        return np.asarray(self.values[name], np.int64)

    def dense_codes(self, name: str) -> tuple[Ints, int]:
        """A reading as numbers from 0, -1 where missing, and how many there are.

        Args:
            name: Name of the reading.
        """
        if name not in self._dense:
            raw = self.codes(name)
            codes, kinds = pd.factorize(raw)
            if (kinds < 0).any():
                codes[raw < 0] = -1
            self._dense[name] = codes, len(kinds)
        return self._dense[name]

    def positions(self, keys: Ints) -> Ints:
        """Index of each key in ``keys``; -1 where it has no rows.

        Args:
            keys: Keys to look up.
        """
        if not len(self.keys):
            return np.full(len(keys), -1, np.int64)
        found = np.minimum(np.searchsorted(self.keys, keys), len(self.keys) - 1)
        return np.where(self.keys[found] == keys, found, -1)


def sorted_events(
    keys: Ints, times: Ints, values: Mapping[str, NDArray[np.generic]]
) -> Events:
    """Events from rows in any order; ties keep the order given.

    Args:
        keys: Key of each row.
        times: Time of each row.
        values: One array per reading.
    """
    order = np.lexsort((times, keys))
    return _grouped(keys[order], times[order], {n: v[order] for n, v in values.items()})


def load_events(
    db: Database, path: Path, readings: Sequence[Reading], keys: Ints, until: int
) -> Events:
    """The rows of one path that belong to ``keys`` and are not later than ``until``.

    Args:
        db: The database.
        path: Which rows.
        readings: Which columns.
        keys: Distinct ``key_hash`` values.
        until: Later rows do not leave the database.
    """
    source = row_source(db, path, readings)
    columns = "".join(f", {sql} AS v{i}" for i, sql in enumerate(source.values))
    # DuckDB's sort of millions of rows costs more than all else together.
    query = (
        f"SELECT CAST(asked.place AS INTEGER) AS k, {source.at} AS a, t0._row AS r"
        f"{columns} FROM {source.tables}"
        f" JOIN benthic_asked asked ON asked.key = {source.key}"
        f" WHERE {source.condition} AND {source.at} <= {until}"
    )
    asked = pd.DataFrame({"key": keys, "place": np.arange(len(keys))})
    with asked_values(db, asked), reading(db.title):
        table = db.connection.sql(query).to_arrow_table()
    found = dict(zip(table.column_names, table.columns, strict=True))
    del table  # each column is let go once it is placed
    times, numbers = found.pop("a").to_numpy(), found.pop("r").to_numpy()
    offsets, places = row_places(found.pop("k").to_numpy(), times, numbers, len(keys))
    has_rows = np.diff(offsets) > 0
    values = {
        reading.name: _placed(found.pop(f"v{i}"), places, reading)
        for i, reading in enumerate(readings)
    }
    if _has_texts(db, path.table):
        values[ROW] = _scattered(numbers, places)
    return Events(
        keys[has_rows],
        np.append(offsets[:-1][has_rows], len(times)).astype(np.int64),
        _scattered(times, places),
        values,
    )


def _has_texts(db: Database, table: str) -> bool:
    columns = db.schema.tables[table].columns.values()
    return any(column.stype is SType.text for column in columns)


def _scattered(values: Ints, places: Ints) -> Ints:
    placed = np.empty_like(values)
    placed[places] = values
    return placed


def _placed(
    column: pa.ChunkedArray, places: Ints, reading: Reading
) -> NDArray[np.generic]:
    placed = np.empty(len(places), np.int64 if reading.is_category else np.float64)
    start = 0
    for chunk in column.chunks:
        end = start + len(chunk)
        placed[places[start:end]] = chunk.to_numpy(zero_copy_only=False)
        start = end
    if not reading.is_category:
        placed[np.isinf(placed)] = np.nan
    return placed


def entity_hashes(db: Database, table: str, values: pd.Series) -> Ints:
    """``key_hash`` of each key of a table.

    Args:
        db: The database whose engine hashes.
        table: The table that the keys are of.
        values: Primary keys.
    """
    return _hashed(db, values, typed_key(db.schema, table, "value"))


def text_hashes(db: Database, values: Sequence[str]) -> dict[str, int]:
    """Text -> its ``key_hash``.

    Args:
        db: The database whose engine hashes.
        values: Categories, as text.
    """
    distinct = sorted(set(values))
    found = _hashed(db, pd.Series(distinct, dtype=object), "CAST(value AS VARCHAR)")
    return dict(zip(distinct, found.tolist(), strict=True))


def _hashed(db: Database, values: pd.Series, value: str) -> Ints:
    asked = pd.DataFrame({"i": np.arange(len(values)), "value": values.to_numpy()})
    found = _select(
        db, asked, f"SELECT {key_hash(value)} AS h FROM benthic_asked ORDER BY i"
    )
    return np.asarray(found["h"], np.int64)


def raw_sample(
    db: Database, path: Path, readings: Sequence[Reading], keys: Ints, until: int
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The newest rows of some keys, of which statistics are made.

    Whose each row is and when (``key`` and ``time``), and its raw values by reading.

    Args:
        db: The database.
        path: Which rows.
        readings: Which columns; numbers as numbers, all else as text.
        keys: Distinct ``key_hash`` values.
        until: The training cutoff: later rows do not leave the database.
    """
    source = row_source(db, path, readings)
    columns = "".join(f", {sql} AS v{i}" for i, sql in enumerate(source.raw))
    found: dict[str, NDArray[np.generic]] = {}
    for since in _moments_back(db, path, until):
        found = _select(
            db,
            pd.DataFrame({"key": keys}),
            f"SELECT {source.key} AS k, {source.at} AS a{columns} FROM {source.tables}"
            f" WHERE {source.condition} AND {source.at} BETWEEN {since} AND {until}"
            f" AND {source.key} IN (SELECT key FROM benthic_asked)"
            f" ORDER BY 2 DESC, 1, t0._row LIMIT {_SAMPLE_ROWS}",
        )
        if len(found["k"]) == _SAMPLE_ROWS:
            break
    moments = pd.DataFrame({"key": found["k"], "time": found["a"]})
    values = {r.name: pd.Series(found[f"v{i}"]) for i, r in enumerate(readings)}
    return moments, pd.DataFrame(values, index=moments.index)


def _moments_back(db: Database, path: Path, until: int) -> Iterator[int]:
    """Where to begin to look for the newest rows: a part of a large table may do.

    To keep the newest of rows that come in order of time is to keep them all once.
    """
    facts = db.schema.tables[path.table]
    if facts.num_rows > _LARGE and is_timed(db.schema, path.table):
        span = db.time_span(path.table)
        first = until if span is None else _microseconds(span[0])
        yield from (until - (until - first) // part for part in (16, 4))
    yield -(2**63) + 1


def _microseconds(time: dt.datetime) -> int:
    return (time - dt.datetime(1970, 1, 1)) // dt.timedelta(microseconds=1)


_SAMPLE_ROWS = 200_000
_LARGE = 1_000_000


def _select(
    db: Database, asked: pd.DataFrame, query: str
) -> dict[str, NDArray[np.generic]]:
    with asked_values(db, asked), reading(db.title):
        return dict(db.connection.execute(query).fetchnumpy())


@contextmanager
def asked_values(db: Database, asked: pd.DataFrame) -> Iterator[None]:
    """Lets SQL on the database's connection read a frame as ``benthic_asked``.

    Args:
        db: The database.
        asked: Keys or values.
    """
    db.connection.register("benthic_asked", asked)
    try:
        yield
    finally:
        db.connection.unregister("benthic_asked")


def _grouped(
    keys: Ints, times: Ints, values: Mapping[str, NDArray[np.generic]]
) -> Events:
    starts = np.flatnonzero(np.diff(keys, prepend=keys[:1] - 1)) if len(keys) else keys
    offsets = np.append(starts, len(keys)).astype(np.int64)
    return Events(keys[starts], offsets, times, dict(values))
