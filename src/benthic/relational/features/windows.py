"""How far back is recent? Windows from the data's own rhythm."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

DAY = 86_400_000_000
"""Microseconds in a day: times are integers of microseconds since 1970."""

_ROWS = (1, 3, 5, 10, 20)
_MULTIPLES = (1, 3, 12, 36)


@dataclass(frozen=True)
class Windows:
    """The windows over which rows are aggregated, narrow to wide.

    Args:
        rows: The last so many rows.
        times: The last so many microseconds.
    """

    rows: tuple[int, ...] = _ROWS
    times: tuple[int, ...] = ()

    @property
    def row_names(self) -> list[str]:
        """``last 5`` …"""
        return [f"last {count}" for count in self.rows]

    @property
    def time_names(self) -> list[str]:
        """``90 days`` …"""
        return [_duration(length) for length in self.times]

    @property
    def row_counts(self) -> NDArray[np.int64]:
        """``rows`` as an array."""
        return np.array(self.rows, np.int64)

    @property
    def time_lengths(self) -> NDArray[np.int64]:
        """``times`` as an array."""
        return np.array(self.times, np.int64)


def choose_windows(
    gap: float | int | None, span: float | int | None, horizon: int | None
) -> Windows:
    """Windows of 1, 3, 12 and 36 times the horizon, or twice the usual gap if longer.

    A window that reaches beyond the rows of nearly every key repeats ``all`` and is
    left out.

    Args:
        gap: Median time between rows of one key, in microseconds; None if none has two.
        span: How long the rows of a long-lived key last, in microseconds.
        horizon: Length of the label's window, in microseconds, if it has one.

    Example:
        >>> choose_windows(14 * DAY, 3000 * DAY, 30 * DAY).time_names
        ['30 days', '90 days', '360 days', '1080 days']
    """
    if not gap or not span:
        return Windows()
    unit = max(int(2 * gap), horizon or 0)
    return Windows(times=tuple(unit * n for n in _MULTIPLES if unit * n < span))


def _duration(length: int) -> str:
    days = length / DAY
    return f"{days:.4g} days" if days >= 1 else f"{days * 24:.4g} hours"
