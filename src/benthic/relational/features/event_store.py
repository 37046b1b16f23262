"""Rows that were read once, kept for the next request that they answer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from benthic.relational.database import Database
from benthic.relational.features.columns import Reading
from benthic.relational.features.events import Events, Ints, load_events
from benthic.relational.features.paths import Path

MOST_BYTES = 2**30
"""Rows beyond this are read again for each request."""


@dataclass(frozen=True)
class _Request:
    """Which rows of a path: with these columns, of these keys, up to this time."""

    names: frozenset[str]
    keys: Ints
    until: int

    def answers(self, other: _Request) -> bool:
        """Whether nothing that another request asks for is missing."""
        return (
            other.names <= self.names
            and other.until <= self.until
            and bool((_places(self.keys, other.keys) >= 0).all())
        )


@dataclass(frozen=True)
class _Announced:
    """Keys that will be asked for, parts in this order, up to this time."""

    keys: Ints
    until: int
    ascending: Ints
    order: Ints

    @classmethod
    def of(cls, keys: Ints, until: int) -> _Announced:
        order = np.argsort(keys)
        return cls(keys, until, keys[order], order)

    def part(self, asked: _Request, most: int) -> Ints:
        """Keys from the first one asked for, so many; empty if some are not there."""
        places = _places(self.ascending, asked.keys)
        if asked.until > self.until or not len(places) or (places < 0).any():
            return places[:0]
        places = self.order[places]
        first = places.min()
        if places.max() >= first + most:
            return places[:0]
        return np.sort(self.keys[first : first + most])


def _places(keys: Ints, some: Ints) -> Ints:
    """Where some keys are among ascending ones; -1 where they are not."""
    if not len(keys):
        return np.full(len(some), -1, np.int64)
    found = np.minimum(np.searchsorted(keys, some), len(keys) - 1)
    return np.where(keys[found] == some, found, -1)


class EventStore:
    """Reads the rows of paths, and keeps the last of each as long as memory allows.

    Kept rows may be of more keys, and later, than a request asks for: which of them a
    seed sees is decided for each seed (``visible_rows``), never here. The database
    counts as it was when a row was first read.

    Args:
        db: The database.
        most_bytes: About how much memory kept rows may take.
    """

    def __init__(self, db: Database, most_bytes: int = MOST_BYTES) -> None:
        self.db = db
        self.most_bytes = most_bytes
        self._kept: dict[Path, tuple[_Request, Events]] = {}
        self._announced: _Announced | None = None
        self._keys_at_once: dict[Path, int] = {}
        self._room = most_bytes

    def announce(self, keys: Ints, until: int) -> None:
        """Says which entities will be asked for, so that many are read at once.

        What is kept is given up.

        Args:
            keys: Distinct ``key_hash`` values, in the order in which parts of them
                will be asked for.
            until: Latest time that will be asked for.
        """
        self._announced = _Announced.of(keys, until) if len(keys) else None
        self._kept.clear()
        self._keys_at_once.clear()
        self._room = self.most_bytes

    def events(
        self, path: Path, readings: Sequence[Reading], keys: Ints, until: int
    ) -> Events:
        """The rows of one path for some keys, at least up to a time.

        Args:
            path: Which rows.
            readings: Which columns.
            keys: Distinct ``key_hash`` values, ascending.
            until: Latest time of interest.
        """
        asked = _Request(frozenset(r.name for r in readings), keys, until)
        kept = self._kept.get(path)
        if kept is not None and kept[0].answers(asked):
            return kept[1]
        wide = self._widened(path, asked)
        if wide is not None:
            self._kept.pop(path, None)
        request = asked if wide is None else wide
        events = load_events(self.db, path, readings, request.keys, request.until)
        # Rows of announced keys are not given up for others that come in between.
        if wide is not None or not self._keys_at_once.get(path):
            self._keep(path, request, events)
        return events

    def _widened(self, path: Path, asked: _Request) -> _Request | None:
        if self._announced is None or not path.is_own:
            return None
        if path not in self._keys_at_once:
            self._keys_at_once[path] = self._affordable(path, len(asked.names))
        most = self._keys_at_once[path]
        part = self._announced.part(asked, most)
        if not len(part):
            return None
        return _Request(asked.names, part, self._announced.until)

    def _affordable(self, path: Path, num_columns: int) -> int:
        """How many keys' rows of a path take half of the memory that is left."""
        assert self._announced is not None
        tables = self.db.schema.tables
        num_keys = max(1, tables[path.chain.tables[-1]].num_rows)
        each = 8 * (1 + num_columns) * max(1.0, tables[path.table].num_rows / num_keys)
        found = min(int(self._room / 2 / each), len(self._announced.keys))
        self._room -= int(found * each)
        return found

    def _keep(self, path: Path, request: _Request, events: Events) -> None:
        self._kept.pop(path, None)
        self._kept[path] = request, events
        while sum(kept.nbytes for _, kept in self._kept.values()) > self.most_bytes:
            given_up = next(iter(self._kept))
            del self._kept[given_up]
            # Larger than it seemed: to read it all for each part would be worse.
            self._keys_at_once[given_up] = 0
