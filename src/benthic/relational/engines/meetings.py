"""Who met what up to a moment?  Counts in windows, for one table of visits."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import pandas as pd
from scipy import sparse

DAY = 86_400_000_000
"""In microseconds, the unit of every time here."""


@dataclass(frozen=True)
class Meetings:
    """Visits of one table, ordered by time.

    Args:
        name: Of the table.
        entity: Code of each visitor `[R]`; None where the rows know only values.
        value: Code of what was visited `[R]`.
        time: In microseconds `[R]`.
        shape: How many entities and values there are.
    """

    name: str
    entity: np.ndarray | None
    value: np.ndarray
    time: np.ndarray
    shape: tuple[int, int]

    def within(self, moment: int, window: int) -> slice:
        """The visits in (moment - window, moment].

        Args:
            moment: In microseconds.
            window: In microseconds.
        """
        stop = int(np.searchsorted(self.time, moment, side="right"))
        start = int(np.searchsorted(self.time, moment - window, side="right"))
        return slice(start, max(start, stop))

    def by(self, code: np.ndarray, size: int) -> Meetings:
        """The same visits, told apart by less than what was visited.

        Args:
            code: What to count each value as `[V]`.
            size: How many of those there are.
        """
        return replace(self, value=code[self.value], shape=(self.shape[0], size))


@dataclass(frozen=True)
class Snapshot:
    """Meetings as they were known at a moment, counted once for all who ask.

    Args:
        met: The visits.
        moment: In microseconds; later visits do not exist.
        windows: Lengths, in microseconds; the last one holds everything.
    """

    met: Meetings
    moment: int
    windows: list[int]

    @cached_property
    def own(self) -> list[sparse.csr_matrix]:
        """How often each entity met each value in each window `[E + 1, V]`.

        The last row, of entities that no visit names, is empty: code -1 finds it.
        """
        assert self.met.entity is not None
        num_entities, num_values = self.met.shape
        counts = []
        for window in self.windows:
            part = self.met.within(self.moment, window)
            codes = (self.met.entity[part], self.met.value[part])
            ones = np.ones(part.stop - part.start, np.float32)
            shape = (num_entities + 1, num_values)
            counts.append(sparse.csr_matrix((ones, codes), shape))
        return counts

    @cached_property
    def popular(self) -> list[np.ndarray]:
        """How often each value was met in each window `[V]`."""
        return [
            np.bincount(
                self.met.value[self.met.within(self.moment, window)],
                minlength=self.met.shape[1],
            )
            for window in self.windows
        ]

    @cached_property
    def rank(self) -> list[np.ndarray]:
        """Rank by popularity in each window: 1 + how many are more popular `[V]`.

        A share of all values would tell how many more of them there will be.
        """
        return [
            pd.Series(-count).rank(method="min").to_numpy() for count in self.popular
        ]

    @cached_property
    def gap(self) -> np.ndarray:
        """Days since each value was last met; NaN if never `[V]`."""
        last = np.full(self.met.shape[1], np.nan)
        part = self.met.within(self.moment, self.windows[-1])
        last[self.met.value[part]] = self.met.time[part]
        return (self.moment - last) / DAY

    def own_gap(self, entity: np.ndarray, value: np.ndarray) -> np.ndarray:
        """Days since each entity last met each value; NaN if never `[P]`.

        Args:
            entity: Codes `[P]`; -1 for one that no visit names.
            value: Codes `[P]`.
        """
        distinct, latest = self._latest
        if not len(distinct):
            return np.full(len(value), np.nan)
        asked = np.where(entity < 0, -1, entity * self.met.shape[1] + value)
        where = np.minimum(np.searchsorted(distinct, asked), len(distinct) - 1)
        known = distinct[where] == asked
        return np.where(known, (self.moment - latest[where]) / DAY, np.nan)

    @cached_property
    def _latest(self) -> tuple[np.ndarray, np.ndarray]:
        part = self.met.within(self.moment, self.windows[-1])
        assert self.met.entity is not None
        key = self.met.entity[part] * self.met.shape[1] + self.met.value[part]
        # Of repeated keys the last place is kept, which is the latest visit.
        distinct, place = np.unique(key[::-1], return_index=True)
        return distinct, self.met.time[part][::-1][place]


@dataclass(frozen=True)
class Likeness:
    """Which values were met by those who met the same?

    Score of value v for entity e: the sum, over what e met, of the cosine of the sets
    of entities that met it and v.

    Args:
        met: Whether each entity met each value `[E + 1, V]`.
        together: The cosines `[V, V]`.
    """

    met: sparse.csr_matrix
    together: sparse.spmatrix

    @classmethod
    def of(cls, counts: sparse.csr_matrix) -> Likeness:
        """From counts of meetings.

        Args:
            counts: Of each entity and value `[E + 1, V]`.
        """
        met = counts.copy()
        met.data[:] = 1.0
        size = np.asarray(met.sum(axis=0)).ravel()
        scaled = met @ sparse.diags(1 / np.sqrt(np.maximum(size, 1)))
        return cls(met, scaled.T @ scaled)

    def __call__(self, entity: np.ndarray) -> sparse.csr_matrix:
        """Scores `[S, V]`.

        Args:
            entity: Codes `[S]`; -1 for one that no visit names.
        """
        return self.met[entity] @ self.together
