"""What the rows of one path say: counts, rhythm, columns, as each seed may see them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from benthic.relational.features import aggregates
from benthic.relational.features.columns import Json, Reading
from benthic.relational.features.events import Events, Floats, Ints, Moments
from benthic.relational.features.feature import Feature, feature
from benthic.relational.features.paths import Path
from benthic.relational.features.windows import DAY, Windows

Truths: TypeAlias = NDArray[np.bool_]
Named: TypeAlias = Iterator[tuple[Feature, NDArray[np.floating]]]

_COUNT, _MEAN, _STD, _MIN, _MAX = range(5)
_SPREAD = {"std": _STD, "min": _MIN, "max": _MAX}
_WHOLE = {"mean": 1, "std": 2, "min": 3, "max": 4, "first": 5, "decayed mean": 7}
_DECAY = 0.5 ** (1 / 5)
_SLOPE_ROWS = 10


@dataclass(frozen=True)
class PathPlan:
    """What is computed from one path: fixed by ``fit``.

    Args:
        path: Which rows.
        readings: Which columns of them.
        windows: Over which rows.
        brief: Only counts and means: for rows that are not the entity's own.
    """

    path: Path
    readings: tuple[Reading, ...]
    windows: Windows
    brief: bool = False

    def feature(
        self, column: str | None, aggregate: str, window: str | None = None
    ) -> Feature:
        """A feature of this path."""
        return feature(
            self.path.label, str(self.path), self.path.table, column, aggregate, window
        )


@dataclass(frozen=True)
class View:
    """The rows of each seed in sorted events.

    Args:
        events: The rows.
        moments: The seeds.
        begin: First row of each seed's key.
        end: One past its last visible row.
        rows: First row of each row window, ``[N, windows]``.
        times: First row of each time window, ``[N, windows]``.
        order: Seeds sorted by (begin, end).
    """

    events: Events
    moments: Moments
    begin: Ints
    end: Ints
    rows: Ints
    times: Ints
    order: Ints

    @property
    def is_empty(self) -> NDArray[np.bool_]:
        """Which seeds see no row."""
        return np.equal(self.end, self.begin)

    def at(self, values: NDArray[np.generic], rows: Ints) -> Floats:
        """A value of one row of each seed, NaN where it sees none.

        Args:
            values: One per row.
            rows: A row of each seed.
        """
        found = np.full(len(self.end), np.nan)
        some = ~self.is_empty
        found[some] = values[rows[some]]
        return found

    def at_last(self, values: NDArray[np.generic]) -> Floats:
        """A value of each seed's last row, NaN where it sees none.

        Args:
            values: One per row.
        """
        return self.at(values, self.end - 1)

    def last_codes(self, name: str) -> Ints:
        """A category of each seed's last row, -1 where there is none.

        Args:
            name: Name of the reading.
        """
        codes = self.events.codes(name)
        if not len(codes):
            return np.full(len(self.end), -1, np.int64)
        return np.where(self.is_empty, -1, codes[np.maximum(self.end - 1, 0)])


def view(events: Events, moments: Moments, windows: Windows) -> View:
    """Finds the rows that each seed may see, by binary search.

    Args:
        events: The rows.
        moments: The seeds.
        windows: The windows whose starts are wanted.
    """
    positions = events.positions(moments.keys)
    begin, end = aggregates.visible_rows(
        events.offsets, events.times, positions, moments.until
    )
    times = aggregates.time_starts(
        events.times, begin, end, moments.until, windows.time_lengths
    )
    rows = aggregates.row_starts(begin, end, windows.row_counts)
    return View(events, moments, begin, end, rows, times, np.lexsort((end, begin)))


def path_features(plan: PathPlan, seen: View, hashes: Mapping[str, int]) -> Named:
    """All features of one path.

    Args:
        plan: What to compute.
        seen: The rows of each seed.
        hashes: ``key_hash`` of each common value of a category.
    """
    yield from _rhythm(plan, seen)
    for reading in plan.readings:
        if reading.is_category:
            yield from _category(plan, seen, reading, hashes)
        elif reading.key is not None:
            last = seen.at_last(seen.events.numbers(reading.name))
            yield plan.feature(reading.name, "last"), last
        else:
            yield from _number(plan, seen, reading)


def _rhythm(plan: PathPlan, seen: View) -> Named:
    counts = seen.end[:, None] - seen.times
    total = seen.end - seen.begin
    yield plan.feature(None, "count", "all"), total.astype(np.float64)
    for j, name in enumerate(plan.windows.time_names):
        yield plan.feature(None, "count", name), counts[:, j].astype(np.float64)
    for j, name in enumerate(plan.windows.time_names[1:], 1):
        share = counts[:, j - 1] / np.maximum(counts[:, j], 1)
        yield plan.feature(None, "count trend", name), share
    if not plan.windows.times:
        return
    times = seen.events.times
    last = seen.at_last(times)
    yield plan.feature(None, "days since last"), (seen.moments.anchors - last) / DAY
    yield (
        plan.feature(None, "visible days since last"),
        (seen.moments.until - last) / DAY,
    )
    if plan.brief:
        return
    first = seen.at(times, seen.begin)
    yield plan.feature(None, "days since first"), (seen.moments.anchors - first) / DAY
    yield plan.feature(None, "days from first to last"), (last - first) / DAY
    for j, (rows, name) in enumerate(
        zip(plan.windows.rows, plan.windows.row_names, strict=True)
    ):
        if rows > 1:
            older = seen.at(times, seen.rows[:, j])
            gap = (last - older) / DAY / np.maximum(seen.end - seen.rows[:, j] - 1, 1)
            yield plan.feature(None, "mean gap in days", name), gap


def _number(plan: PathPlan, seen: View, reading: Reading) -> Named:
    values = seen.events.numbers(reading.name)
    by_rows = aggregates.nested_windows(values, seen.end, seen.rows)
    by_time = aggregates.nested_windows(values, seen.end, seen.times)
    whole = aggregates.whole_history(values, seen.begin, seen.end, seen.order, _DECAY)
    yield from _windows(plan, reading.name, by_rows, plan.windows.row_names)
    yield from _windows(plan, reading.name, by_time, plan.windows.time_names)
    for aggregate, index in _WHOLE.items():
        if not plan.brief or aggregate in ("mean", "decayed mean"):
            yield plan.feature(reading.name, aggregate, "all"), whole[:, index]
    if not plan.brief:
        yield from _trend(plan, seen, reading.name, by_rows, whole)
    yield from _shares(plan, seen, reading.name, _indicators(reading, values))


def _windows(plan: PathPlan, column: str, stats: Floats, names: list[str]) -> Named:
    for j, name in enumerate(names):
        if plan.brief and name == "last 1":
            continue
        yield plan.feature(column, "mean", name), stats[:, j, _MEAN]
        if plan.brief or name == "last 1":
            continue
        for aggregate, index in _SPREAD.items():
            yield plan.feature(column, aggregate, name), stats[:, j, index]
        if not name.startswith("last"):
            total = stats[:, j, _COUNT] * np.nan_to_num(stats[:, j, _MEAN])
            yield plan.feature(column, "sum", name), total


def _trend(
    plan: PathPlan, seen: View, column: str, by_rows: Floats, whole: Floats
) -> Named:
    for j, name in enumerate(plan.windows.row_names):
        if 1 < plan.windows.rows[j] <= _SLOPE_ROWS:
            gap = by_rows[:, j, _MEAN] - whole[:, 1]
            yield plan.feature(column, "mean minus mean of all", name), gap
    start = np.maximum(seen.begin, seen.end - _SLOPE_ROWS)
    slope = aggregates.slopes(seen.events.numbers(column), seen.end, start)
    yield plan.feature(column, "slope", f"last {_SLOPE_ROWS}"), slope


def _indicators(reading: Reading, values: Floats) -> Iterator[tuple[str, Truths]]:
    if reading.missing:
        yield "missing", np.isnan(values)
    for value in reading.common[:3]:
        yield f"= {float(value):g}", values == float(value)


def _shares(
    plan: PathPlan, seen: View, column: str, indicators: Iterator[tuple[str, Truths]]
) -> Named:
    for what, truths in indicators:
        by_rows = aggregates.nested_shares(truths, seen.end, seen.rows)
        by_time = aggregates.nested_shares(truths, seen.end, seen.times)
        for j, name in enumerate(plan.windows.row_names):
            if plan.windows.rows[j] > 1:
                yield plan.feature(column, f"share {what}", name), by_rows[:, j]
        for j, name in enumerate(plan.windows.time_names):
            yield plan.feature(column, f"share {what}", name), by_time[:, j]
        whole = aggregates.whole_shares(
            truths, seen.begin, seen.end, seen.order, _DECAY
        )
        yield plan.feature(column, f"share {what}", "all"), whole[:, 0]
        yield plan.feature(column, f"decayed share {what}", "all"), whole[:, 1]


def _category(
    plan: PathPlan, seen: View, reading: Reading, hashes: Mapping[str, int]
) -> Named:
    known = {hashes[value]: rank for rank, value in enumerate(reading.common)}
    if reading.key is None:
        codes = seen.events.codes(reading.name)
        indicators = (
            (f"= {value}", codes == hashes[value]) for value in reading.common
        )
        yield from _shares(plan, seen, reading.name, indicators)
    if plan.brief:
        return
    last = seen.last_codes(reading.name)
    if known:
        ranks = np.full(len(last), np.nan)
        for code, rank in known.items():
            ranks[last == code] = rank
        yield plan.feature(reading.name, "last"), ranks
    if reading.key is None:
        yield from _variety(plan, seen, reading.name)


def _variety(plan: PathPlan, seen: View, column: str) -> Named:
    codes, num_kinds = seen.events.dense_codes(column)
    starts = np.hstack([seen.rows, seen.begin[:, None]])
    found = aggregates.distinct_values(codes, seen.end, starts, max(num_kinds, 1))
    for j, name in enumerate([*plan.windows.row_names, "all"]):
        if name not in ("last 1", "last 3"):
            yield plan.feature(column, "distinct", name), found[:, j]
    start = aggregates.run_starts(codes, seen.begin, seen.end)
    yield (
        plan.feature(column, "rows since change"),
        (seen.end - start).astype(np.float64),
    )
    days = (seen.moments.until - seen.at(seen.events.times, start)) / DAY
    yield plan.feature(column, "days since change"), days


def plan_to_json(plan: PathPlan) -> Json:
    """A plan's choices as plain JSON; the path itself follows from the schema.

    Args:
        plan: The plan.
    """
    return {
        "path": str(plan.path),
        "label": plan.path.label,
        "readings": [reading.to_json() for reading in plan.readings],
        "rows": list(plan.windows.rows),
        "times": list(plan.windows.times),
        "brief": plan.brief,
    }
