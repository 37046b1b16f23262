"""Steps of the calendar: t + n units, in Python and in SQL alike."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from dataclasses import dataclass

import pandas as pd

from benthic.relational.query.tree import Window
from benthic.relational.query.windows import DAYS, end_in_days

_YEARS = 2000
"""No window needs to look farther; DuckDB's and pandas' clocks end somewhere."""

_PANDAS_YEARS = 200

_DURATIONS = ("seconds", "minutes", "hours", "days", "weeks")


@dataclass(frozen=True)
class Span:
    """So many units of the calendar.

    Args:
        count: How many.
        unit: seconds, minutes, hours, days, weeks, months or years.

    Example:
        >>> Span(1, "months").after(pd.Timestamp("2024-01-31"))
        Timestamp('2024-02-29 00:00:00')
    """

    count: int
    unit: str

    def after(self, time: pd.Timestamp, times: int = 1) -> pd.Timestamp:
        """The moment ``times`` spans after ``time``.

        Months and years stop at the last day of a shorter month.
        """
        most = int(_PANDAS_YEARS * 365 / DAYS[self.unit])
        count = min(max(self.count * times, -most), most)
        if self.unit in _DURATIONS:
            days = dt.timedelta(**{self.unit: count})
            return pd.Timestamp(time + days)
        return pd.Timestamp(time + pd.DateOffset(**{self.unit: count}))

    @property
    def days(self) -> float:
        """Mean length in days."""
        return self.count * DAYS[self.unit]

    def __str__(self) -> str:
        return f"{self.count} {self.unit}"


@dataclass(frozen=True)
class Horizon:
    """How far after its anchor a label reaches.

    Args:
        spans: The ends of all its windows; which is the last may depend on the month.
    """

    spans: tuple[Span, ...]

    @classmethod
    def of(cls, windows: Iterable[Window], frames: int = 1) -> Horizon | None:
        """The horizon of a target's windows; None if there are none.

        Args:
            windows: What the target aggregates over.
            frames: How many times each is moved on by its width.
        """
        ends: dict[str, Window] = {}
        for window in windows:
            width = window.end - (window.start or 0) if frames > 1 else 0
            last = Window(None, window.end + (frames - 1) * width, window.unit)
            ends[window.unit] = max(ends.get(window.unit, last), last, key=end_in_days)
        return cls(tuple(Span(w.end, w.unit) for w in ends.values())) if ends else None

    @property
    def longest(self) -> Span:
        """The span that is longest on the whole."""
        return max(self.spans, key=lambda span: span.days)

    def after(self, time: pd.Timestamp) -> pd.Timestamp:
        """When a label of this anchor is observed."""
        return max(span.after(time) for span in self.spans)

    @property
    def timedelta(self) -> pd.Timedelta:
        """Its mean length."""
        return pd.Timedelta(days=min(self.longest.days, _PANDAS_YEARS * 365))

    def sql(self, time: str) -> str:
        """When the label of the anchor ``time`` is observed, as SQL."""
        ends = [shifted(time, span.count, span.unit) for span in self.spans]
        return f"greatest({', '.join(ends)})"

    def __str__(self) -> str:
        return str(self.longest)


def shifted(time: str, count: int, unit: str, later: str = "0") -> str:
    """SQL of ``time`` and ``count`` (and ``later``) units.

    Args:
        time: SQL of a TIMESTAMP.
        count: How many units.
        unit: Which.
        later: SQL of more units to add.

    Example:
        >>> shifted("s.anchor_time", 30, "days")
        's.anchor_time + to_days(CAST(30 + 0 AS INTEGER))'
    """
    most = int(_YEARS * 365 / DAYS[unit])
    count = min(max(count, -most), most)
    integer = "BIGINT" if unit in ("seconds", "minutes", "hours") else "INTEGER"
    return f"{time} + to_{unit}(CAST({count} + {later} AS {integer}))"
