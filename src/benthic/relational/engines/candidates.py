"""Which values may come next, and what speaks for each of them?

Candidates of an entity at a time: what it met before, what those met who met the same,
and what everybody met lately. Everything is read from visits up to that time. Where
values are met once, most that come next were met by nobody: then whatever exists.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd

from benthic.relational.database import Database
from benthic.relational.engines.engine import Target
from benthic.relational.engines.kin import ValueRows, novelty
from benthic.relational.engines.meetings import DAY, Likeness, Meetings, Snapshot
from benthic.relational.engines.visits import VisitTable, read_visits, visit_tables
from benthic.relational.evaluation.baselines import known_until
from benthic.relational.features.feature import Feature
from benthic.relational.features.paths import Path

_MOST_TABLES = 4
_MOST_CELLS = 10_000_000  # of a block of seeds and values; about 40 bytes each
_MOST_PAIRS = 100_000  # of a block whose candidates are all that exists


@dataclass(frozen=True)
class Pairs:
    """(seed, value) pairs, the pairs of one seed together, with their features.

    Args:
        seed: Row of the seed `[P]`.
        value: Code of the value `[P]`.
        x: Features `[P, F]`.
        priority: What speaks for each value before anything is learned `[P]`.
    """

    seed: np.ndarray
    value: np.ndarray
    x: np.ndarray
    priority: np.ndarray

    @property
    def sizes(self) -> np.ndarray:
        """How many pairs each seed that has any has."""
        counts = np.bincount(self.seed)
        return counts[counts > 0]


@dataclass(frozen=True)
class _Past:
    """What was known at a moment.

    Args:
        visits: Of each table.
        kin: The first table's, by what the values point at, and its number `[V]`.
        likeness: Which values were met by those who met the same.
        novelty: 0 for values that were not there, or that only visits bring `[V]`.
    """

    visits: list[Snapshot]
    kin: list[tuple[Snapshot, np.ndarray]]
    likeness: Likeness
    novelty: np.ndarray


class Candidates:
    """Makes candidates and their features from the visits of a database.

    Args:
        db: The database.
        target: Names the entity, the value and the horizon.
        strict: Whether visits at exactly the seed time are hidden.
        most: Candidates of one seed, at most.
        wide: Whether values that nobody met yet are candidates, too: those whose kin
            (what points at the same row) was met, then the newest.
    """

    def __init__(
        self,
        db: Database,
        target: Target,
        *,
        strict: bool = False,
        most: int = 100,
        wide: bool = False,
    ) -> None:
        self.most = most
        self.strict = strict
        self.wide = wide
        self._tables = visit_tables(db, target)[:_MOST_TABLES]
        frames = [read_visits(db, one, target) for one in self._tables]
        rows = ValueRows(db, target) if wide else None
        values = [frame["value"] for frame in frames]
        values += [rows.values] if rows is not None and len(rows.values) else []
        self.values = pd.Index(pd.concat(values).drop_duplicates().sort_values())
        self._since = None if rows is None else rows.since(self.values)
        self._kin = [] if rows is None else [*rows.kin(self.values)]
        entities = [frame["entity"] for frame in frames if "entity" in frame]
        self._entities = pd.Index(pd.concat(entities).drop_duplicates().sort_values())
        self._meetings = [
            Meetings(
                one.name,
                self._entities.get_indexer(frame["entity"])
                if "entity" in frame
                else None,
                self.values.get_indexer(frame["value"]),
                frame["time"].to_numpy("datetime64[us]").astype(np.int64),
                (len(self._entities), len(self.values)),
            )
            for one, frame in zip(self._tables, frames, strict=True)
        ]
        day = pd.Timedelta(days=1)
        horizon = target.horizon if target.horizon is not None else 30 * day
        unit = horizon // pd.Timedelta(microseconds=1)
        self._windows = [unit, 2 * unit, 5 * unit, 2**62]

    @property
    def columns(self) -> list[str]:
        """Names of the features."""
        return [one.name for one in self.features]

    @property
    def features(self) -> list[Feature]:
        """Where each column of the pairs comes from."""
        spans = [f"last {round(w / DAY)} days" for w in self._windows[:-1]] + ["ever"]
        made: list[Feature] = []
        for one in self._tables:
            made += _own_columns(one, spans) if one.to_entity is not None else []
            made += _shared_columns(one, spans)
        first = self._tables[0]
        for kin in self._kin:
            made += _own_columns(first, spans, f" by {kin.column}")
            made += _shared_columns(first, spans, f" by {kin.column}")
        assert first.to_entity is not None  # such tables come first
        alike = f"{Path(first.to_entity)}, of those who met the same"
        name = "met by those who met the same"
        return [
            *made,
            Feature(name, alike, first.table, None, "cosine"),
            Feature("candidates", "the seed", "seed", None, "count"),
            Feature("days cut", "the seed", "seed", None, "days since"),
        ]

    def pairs(self, seeds: pd.DataFrame) -> Pairs:
        """The candidates of each seed.

        Args:
            seeds: ``entity``, ``anchor_time``, perhaps ``cut_time``.
        """
        until = self._until(seeds)
        anchor = _microseconds(seeds["anchor_time"])
        entity = self._entities.get_indexer(seeds["entity"])
        blocks: list[Pairs] = []
        for moment in np.unique(until):
            rows = np.flatnonzero(until == moment)
            blocks += self._at(int(moment), rows, entity[rows], anchor[rows])
        seed = np.concatenate([block.seed for block in blocks])
        order = np.argsort(seed, kind="stable")
        value = np.concatenate([block.value for block in blocks])
        x = np.concatenate([block.x for block in blocks])
        priority = np.concatenate([block.priority for block in blocks])
        return Pairs(seed[order], value[order], x[order], priority[order])

    def known_by(self, seeds: pd.DataFrame) -> np.ndarray:
        """Which values could have been candidates by the last of the seeds `[V]`.

        Args:
            seeds: ``entity``, ``anchor_time``, perhaps ``cut_time``.
        """
        moment = int(self._until(seeds).max())
        known = self._there(moment)
        for one in self._meetings:
            known[one.value[one.within(moment, self._windows[-1])]] = True
        return known

    def _there(self, moment: int) -> np.ndarray:
        """Which values may be candidates though nobody met them `[V]`."""
        if self._since is None:
            return np.zeros(len(self.values), bool)
        return np.asarray(self._since <= moment)

    def _until(self, seeds: pd.DataFrame) -> np.ndarray:
        """Time of the last visit that each seed may know, in microseconds."""
        until = _microseconds(known_until(seeds))
        if self.strict:
            until = np.minimum(until, _microseconds(seeds["anchor_time"]) - 1)
        return until

    def _at(
        self, moment: int, rows: np.ndarray, entity: np.ndarray, anchor: np.ndarray
    ) -> Iterator[Pairs]:
        """The pairs at one moment, as many seeds at a time as memory allows."""
        past = self._past(moment)
        size = max(1, _MOST_CELLS // max(1, len(self.values)))
        if self.wide:
            size = max(1, min(size, _MOST_PAIRS // self.most))
        chunks = [slice(i, i + size) for i in range(0, len(rows), size)]
        for chunk in chunks:
            block = self._block(past, entity[chunk])
            cut = (anchor[chunk] - moment) / DAY
            x = np.column_stack([block.x, cut[block.seed]]).astype(np.float32)
            yield Pairs(rows[chunk][block.seed], block.value, x, block.priority)

    def _past(self, moment: int) -> _Past:
        visits = [Snapshot(met, moment, self._windows) for met in self._meetings]
        there = self._there(moment)
        kin = []
        for one in self._kin:
            code = one.known(there)
            met = self._meetings[0].by(code, one.size)
            kin.append((Snapshot(met, moment, self._windows), code))
        new = np.zeros(len(there))
        if self._since is not None:
            new = novelty(self._since, there)
        return _Past(visits, kin, Likeness.of(visits[0].own[1]), new)

    def _block(self, past: _Past, entity: np.ndarray) -> Pairs:
        alike = np.asarray(past.likeness(entity).todense())
        # In shares of a seed's own greatest, so that no seed depends on the others.
        greatest = np.maximum(alike.max(axis=1, keepdims=True), 1e-9)
        priority = self._priority(past, alike / greatest, entity)
        chosen = self._chosen(priority)
        at, value = np.nonzero(chosen)
        if not len(at):  # nobody met anything yet
            x = np.empty((0, len(self.columns) - 1))
            return Pairs(at, value, x, np.empty(0))
        features: list[np.ndarray] = []
        for one in past.visits:
            features += _features(one, entity, at, value)
        for one, code in past.kin:
            features += _features(one, entity, at, code[value])
        features += [alike[at, value], chosen.sum(axis=1)[at]]
        x = np.column_stack(features)
        return Pairs(at, value, x, priority[at, value])

    def _priority(
        self, past: _Past, alike: np.ndarray, entity: np.ndarray
    ) -> np.ndarray:
        """What speaks for each value; 0 for what is no candidate `[S, V]`."""
        priority = np.zeros(alike.shape, np.float64)
        for one in past.visits:
            popular, ever = one.popular[0], one.popular[-1]
            priority += popular / max(popular.sum(), 1) + 1e-3 * (ever > 0)
            if one.met.entity is not None:
                priority += one.own[-1][entity].todense()
        priority += alike
        for one, code in past.kin:
            own = np.asarray(one.own[-1][entity].todense())
            shares = own / np.maximum(own.sum(axis=1, keepdims=True), 1)
            priority += shares[:, code] * (past.novelty > 0)
        return priority + 1e-6 * past.novelty

    def _chosen(self, priority: np.ndarray) -> np.ndarray:
        """Which values are candidates of each entity `[S, V]`."""
        if len(self.values) > self.most:
            ends = np.partition(priority, -self.most, axis=1)[:, -self.most]
            return np.asarray((priority >= ends[:, None]) & (priority > 0))
        return np.asarray(priority > 0)


def _microseconds(times: pd.Series) -> np.ndarray:
    return np.asarray(times.to_numpy("datetime64[us]").astype(np.int64))


def _features(
    known: Snapshot, entity: np.ndarray, at: np.ndarray, value: np.ndarray
) -> list[np.ndarray]:
    features = []
    if known.met.entity is not None:
        rows = [count[entity] for count in known.own]
        own = [np.asarray(count[at, value]).ravel() for count in rows]
        totals = [np.asarray(count.sum(axis=1)).ravel()[at] for count in rows]
        features += own
        features += [
            count / np.maximum(total, 1)
            for count, total in zip(own, totals, strict=True)
        ]
        features += [known.own_gap(entity[at], value), totals[0]]
    features += [count[value] for count in known.popular]
    features += [rank[value] for rank in known.rank]
    return [*features, known.gap[value]]


def _own_columns(one: VisitTable, spans: list[str], by: str = "") -> list[Feature]:
    """What the entity met itself, in the order of :func:`_features`."""
    assert one.to_entity is not None
    name, path, table = one.name + by, str(Path(one.to_entity)), one.table
    return [
        *(Feature(f"own {name} {s}", path, table, None, "count", s) for s in spans),
        *(
            Feature(f"share of own {name} {s}", path, table, None, "share", s)
            for s in spans
        ),
        Feature(f"days since own {name}", path, table, None, "days since last"),
        Feature(f"all own {name}", path, table, None, "count", spans[0]),
    ]


def _shared_columns(one: VisitTable, spans: list[str], by: str = "") -> list[Feature]:
    """What everybody met, in the order of :func:`_features`."""
    name, path, table = one.name + by, str(Path(one.to_value)), one.table
    return [
        *(Feature(f"{name} {s}", path, table, None, "count", s) for s in spans),
        *(Feature(f"rank by {name} {s}", path, table, None, "rank", s) for s in spans),
        Feature(f"days since any {name}", path, table, None, "days since last"),
    ]
