"""What time of the year is it, and what happened at this time last year?"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from benthic.relational.features.events import Floats, Ints, Moments
from benthic.relational.features.feature import feature
from benthic.relational.features.history import LABELS, LabelHistory
from benthic.relational.features.path_features import Named
from benthic.relational.features.windows import DAY

_YEAR = 365.2425
_YEARS = 3
CALENDAR = "calendar"


def calendar_features(moments: Moments) -> Named:
    """Month, day of year, month and week, hour of the anchor; days since the cut.

    Args:
        moments: The seeds.
    """
    times = pd.DatetimeIndex(moments.anchors.astype("datetime64[us]"))
    found = {
        "month": times.month,
        "day of year": times.day_of_year,
        "day of month": times.day,
        "weekday": times.day_of_week,
        "hour": times.hour,
    }
    for name, values in found.items():
        yield (
            feature(CALENDAR, CALENDAR, CALENDAR, None, name),
            np.asarray(values, np.float64),
        )
    lag = (moments.anchors - moments.until) // DAY / 1.0
    yield feature(CALENDAR, CALENDAR, CALENDAR, None, "days since cut"), lag


def years_back(moments: Moments, span: int, years: int) -> NDArray[np.int64]:
    """Whole weeks, nearest to whole years, back to a window that is over by ``until``.

    Args:
        moments: The seeds.
        span: Length of the window after the anchor, in microseconds.
        years: 0 for the newest such year, 1 for the one before …
    """
    late = (moments.anchors + span - moments.until) / (DAY * _YEAR)
    count = np.maximum(np.ceil(late), 1) + years
    weeks = np.ceil(count * _YEAR / 7 - 0.5)
    short = weeks * 7 * DAY < moments.anchors + span - moments.until
    return ((weeks + short) * 7 * DAY).astype(np.int64)


@dataclass(frozen=True)
class Days:
    """How many rows a table got on each day.

    Args:
        days: Start of each day that has rows, ascending, in microseconds.
        rows: Rows of that day.
    """

    days: Ints
    rows: Ints

    def between(self, start: Ints, end: Ints) -> tuple[Floats, Floats]:
        """Rows and days with rows among the days that start in ``[start, end)``.

        Args:
            start: Microseconds.
            end: Microseconds.
        """
        low = np.searchsorted(self.days, start)
        high = np.searchsorted(self.days, end)
        total = np.append(0, np.cumsum(self.rows)).astype(np.float64)
        return total[high] - total[low], (high - low).astype(np.float64)


def season_features(table: str, days: Days, moments: Moments, horizon: int) -> Named:
    """What a table got in this window of the newest years that are over by ``until``.

    Args:
        table: The table.
        days: Its rows by day.
        moments: The seeds.
        horizon: Length of the window.
    """
    by_year = []
    for year in range(_YEARS):
        # A day counts only when it is over: its later hours may not be visible yet.
        start = moments.anchors - years_back(moments, horizon + 2 * DAY, year)
        rows, active = days.between(start + DAY, start + DAY + horizon)
        known = start > days.days[0] if len(days.days) else np.zeros(len(start), bool)
        by_year.append(np.where(known, np.stack([rows, active]), np.nan))
    for i, what in enumerate(("rows", "days with rows")):
        newest = by_year[0][i]
        yield feature(table, table, table, None, what, "this season last year"), newest
        mean = _mean([year[i] for year in by_year])
        yield (
            feature(table, table, table, None, what, "this season earlier years"),
            mean,
        )


def season_of_labels(history: LabelHistory, moments: Moments, horizon: int) -> Named:
    """Mean label of all entities at anchors of this season in the newest years known.

    Args:
        history: Past labels.
        moments: The seeds.
        horizon: Length of the label's window.
    """
    order = np.argsort(history.anchors, kind="stable")
    anchors = history.anchors[order]
    known = history.observed[order] - anchors
    longest = int(known.max()) if len(known) else 0
    for i, target in enumerate(history.targets):
        total = np.append(0, np.cumsum(np.nan_to_num(history.labels[order, i])))
        by_year = []
        for year in range(_YEARS):
            middle = moments.anchors - years_back(moments, longest + horizon // 2, year)
            low = np.searchsorted(anchors, middle - horizon // 2)
            high = np.searchsorted(anchors, middle + horizon // 2, side="right")
            with np.errstate(invalid="ignore"):
                by_year.append((total[high] - total[low]) / (high - low))
        path = "all entities"
        name = "mean in this season"
        yield feature(LABELS, path, LABELS, target, name, "last year"), by_year[0]
        yield (
            feature(LABELS, path, LABELS, target, name, "earlier years"),
            _mean(by_year),
        )


def _mean(columns: list[Floats]) -> Floats:
    values = np.stack(columns)
    known = np.isfinite(values)
    total = np.where(known, values, 0.0).sum(0)
    return np.where(known.any(0), total / np.maximum(known.sum(0), 1), np.nan)
