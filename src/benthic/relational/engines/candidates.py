"""Which values may come next, and what speaks for each of them?

Candidates of an entity at a time: what it met before, what those met who met the same,
and what everybody met lately. Everything is read from visits up to that time.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import sparse

from benthic.relational.database import Database
from benthic.relational.engines.engine import Target
from benthic.relational.engines.visits import read_visits, visit_tables
from benthic.relational.evaluation.baselines import known_until

_DAY = 86_400_000_000
_MOST_TABLES = 4
_NEVER = np.float32(np.nan)


@dataclass(frozen=True)
class Pairs:
    """(seed, value) pairs, the pairs of one seed together, with their features.

    Args:
        seed: Row of the seed `[P]`.
        value: Code of the value `[P]`.
        x: Features `[P, F]`.
    """

    seed: np.ndarray
    value: np.ndarray
    x: np.ndarray

    @property
    def sizes(self) -> np.ndarray:
        """How many pairs each seed that has any has."""
        counts = np.bincount(self.seed)
        return counts[counts > 0]


@dataclass(frozen=True)
class _Meetings:
    name: str
    entity: np.ndarray | None
    value: np.ndarray
    time: np.ndarray


class Candidates:
    """Makes candidates and their features from the visits of a database.

    Args:
        db: The database.
        target: Names the entity, the value and the horizon.
        strict: Whether visits at exactly the seed time are hidden.
        most: Candidates of one seed, at most.
    """

    def __init__(
        self, db: Database, target: Target, *, strict: bool = False, most: int = 100
    ) -> None:
        self.most = most
        self.strict = strict
        value_table, value_col = str(target.value_table), str(target.value_col)
        tables = visit_tables(db, target.entity_table, value_table)[:_MOST_TABLES]
        frames = [read_visits(db, one, target.entity_col, value_col) for one in tables]
        values = pd.concat([frame["value"] for frame in frames])
        self.values = pd.Index(values.drop_duplicates().sort_values())
        entities = [frame["entity"] for frame in frames if "entity" in frame]
        self._entities = pd.Index(pd.concat(entities).drop_duplicates().sort_values())
        self._meetings = [
            _Meetings(
                one.table,
                self._entities.get_indexer(frame["entity"])
                if "entity" in frame
                else None,
                self.values.get_indexer(frame["value"]),
                frame["time"].to_numpy("datetime64[us]").astype(np.int64),
            )
            for one, frame in zip(tables, frames, strict=True)
        ]
        day = pd.Timedelta(days=1)
        horizon = target.horizon if target.horizon is not None else 30 * day
        unit = horizon // pd.Timedelta(microseconds=1)
        self._windows = [unit, 2 * unit, 5 * unit, 2**62]

    @property
    def columns(self) -> list[str]:
        """Names of the features."""
        spans = [f"last {round(w / _DAY)} days" for w in self._windows[:-1]] + ["ever"]
        names = []
        for met in self._meetings:
            if met.entity is not None:
                names += [f"own {met.name} {span}" for span in spans]
                names += [f"share of own {met.name} {span}" for span in spans]
                names += [f"days since own {met.name}", f"all own {met.name}"]
            names += [f"{met.name} {span}" for span in spans]
            names += [f"rank by {met.name} {span}" for span in spans]
            names += [f"days since any {met.name}"]
        return [*names, "met by those who met the same", "candidates", "days cut"]

    def pairs(self, seeds: pd.DataFrame) -> Pairs:
        """The candidates of each seed.

        Args:
            seeds: ``entity``, ``anchor_time``, perhaps ``cut_time``.
        """
        until = known_until(seeds).to_numpy("datetime64[us]").astype(np.int64)
        anchor = seeds["anchor_time"].to_numpy("datetime64[us]").astype(np.int64)
        if self.strict:
            until = np.minimum(until, anchor - 1)
        entity = self._entities.get_indexer(seeds["entity"])
        blocks = []
        for moment in np.unique(until):
            rows = np.flatnonzero(until == moment)
            blocks.append(self._at(int(moment), rows, entity[rows], anchor[rows]))
        seed = np.concatenate([block.seed for block in blocks])
        order = np.argsort(seed, kind="stable")
        value = np.concatenate([block.value for block in blocks])
        x = np.concatenate([block.x for block in blocks])
        return Pairs(seed[order], value[order], x[order])

    def _at(
        self, moment: int, rows: np.ndarray, entity: np.ndarray, anchor: np.ndarray
    ) -> Pairs:
        alike = self._alike(moment, entity)
        chosen = self._chosen(moment, entity, alike)
        at, value = np.nonzero(chosen)
        features: list[np.ndarray] = []
        for met in self._meetings:
            features += self._features(met, moment, entity, at, value)
        count = chosen.sum(axis=1)
        cut = (anchor - moment) / _DAY
        features += [alike[at, value], count[at], cut[at]]
        x = np.column_stack(features).astype(np.float32)
        return Pairs(rows[at], value, x)

    def _own(
        self, met: _Meetings, moment: int, window: int, entity: np.ndarray
    ) -> np.ndarray:
        """How often each entity met each value in a window `[E, V]`."""
        part = self._part(met, moment, window)
        shape = (len(self._entities) + 1, len(self.values))
        assert met.entity is not None
        codes = (met.entity[part], met.value[part])
        ones = np.ones(part.stop - part.start, np.float32)
        counts = sparse.csr_matrix((ones, codes), shape)
        # An entity that no visit names has the last row, which is empty.
        return np.asarray(counts[entity].todense())

    def _part(self, met: _Meetings, moment: int, window: int) -> slice:
        stop = int(np.searchsorted(met.time, moment, side="right"))
        start = int(np.searchsorted(met.time, moment - window, side="right"))
        return slice(start, max(start, stop))

    def _alike(self, moment: int, entity: np.ndarray) -> np.ndarray:
        """Values met by those who met the same, in the second window `[E, V]`."""
        met = self._meetings[0]
        part = self._part(met, moment, self._windows[1])
        shape = (len(self._entities) + 1, len(self.values))
        assert met.entity is not None
        ones = np.ones(part.stop - part.start, np.float32)
        counts = sparse.csr_matrix((ones, (met.entity[part], met.value[part])), shape)
        counts.data[:] = 1.0
        size = np.asarray(counts.sum(axis=0)).ravel()
        scaled = counts @ sparse.diags(1 / np.sqrt(np.maximum(size, 1)))
        together = scaled.T @ scaled
        return np.asarray((counts[entity] @ together).todense())

    def _chosen(self, moment: int, entity: np.ndarray, alike: np.ndarray) -> np.ndarray:
        """Which values are candidates of each entity `[E, V]`."""
        priority = np.zeros(alike.shape, np.float64)
        for met in self._meetings:
            popular = self._popular(met, moment, self._windows[0])
            ever = self._popular(met, moment, self._windows[-1])
            priority += popular / max(popular.sum(), 1) + 1e-3 * (ever > 0)
            if met.entity is not None:
                priority += self._own(met, moment, self._windows[-1], entity)
        priority += alike / max(alike.max(initial=0.0), 1e-9)
        if len(self.values) > self.most:
            ends = np.partition(priority, -self.most, axis=1)[:, -self.most]
            return np.asarray((priority >= ends[:, None]) & (priority > 0))
        return np.asarray(priority > 0)

    def _popular(self, met: _Meetings, moment: int, window: int) -> np.ndarray:
        part = self._part(met, moment, window)
        return np.bincount(met.value[part], minlength=len(self.values))

    def _features(
        self,
        met: _Meetings,
        moment: int,
        entity: np.ndarray,
        at: np.ndarray,
        value: np.ndarray,
    ) -> list[np.ndarray]:
        features = []
        if met.entity is not None:
            own = [self._own(met, moment, w, entity) for w in self._windows]
            totals = [count.sum(axis=1) for count in own]
            features += [count[at, value] for count in own]
            features += [
                count[at, value] / np.maximum(total[at], 1)
                for count, total in zip(own, totals, strict=True)
            ]
            features += [self._own_gap(met, moment, entity, at, value), totals[0][at]]
        popular = [self._popular(met, moment, w) for w in self._windows]
        features += [count[value] for count in popular]
        features += [pd.Series(c).rank(pct=True).to_numpy()[value] for c in popular]
        last = np.full(len(self.values), np.nan)
        part = self._part(met, moment, self._windows[-1])
        last[met.value[part]] = met.time[part]
        return [*features, (moment - last[value]) / _DAY]

    def _own_gap(
        self,
        met: _Meetings,
        moment: int,
        entity: np.ndarray,
        at: np.ndarray,
        value: np.ndarray,
    ) -> np.ndarray:
        part = self._part(met, moment, self._windows[-1])
        assert met.entity is not None
        key = met.entity[part] * len(self.values) + met.value[part]
        # Of repeated keys the last place is kept, which is the latest visit.
        distinct, place = np.unique(key[::-1], return_index=True)
        latest = met.time[part][::-1][place]
        asked = np.where(entity[at] < 0, -1, entity[at] * len(self.values) + value)
        where = np.minimum(np.searchsorted(distinct, asked), max(len(distinct) - 1, 0))
        if not len(distinct):
            return np.full(len(at), _NEVER)
        known = distinct[where] == asked
        return np.where(known, (moment - latest[where]) / _DAY, _NEVER)
