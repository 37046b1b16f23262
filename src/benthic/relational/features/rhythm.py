"""What the rows before the training cutoff are like: gaps, spans, common values."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pandas as pd

from benthic.relational.features.columns import Reading
from benthic.relational.features.row_source import ALWAYS

_MOST_COMMON = 6
_MIN_SHARE = 0.01
_MIN_SHARE_OF_NUMBER = 0.05
_UNIQUE = 0.9


def usual_gap(rows: pd.DataFrame) -> float | None:
    """Median time between two moments of one key, in microseconds.

    Args:
        rows: ``key`` and ``time`` of each row.
    """
    times = rows[["key", "time"]].drop_duplicates().sort_values(["key", "time"])
    gaps = times.groupby("key")["time"].diff().dropna()
    return float(gaps.median()) if len(gaps) else None


def usual_span(rows: pd.DataFrame) -> float | None:
    """Time from first to last row of a long-lived key (upper decile), in microseconds.

    Args:
        rows: ``key`` and ``time`` of each row.
    """
    timed = rows[rows["time"] > ALWAYS]
    if timed.empty:
        return None
    times = timed.groupby("key")["time"]
    return float((times.max() - times.min()).quantile(0.9))


def moments_per_key(rows: pd.DataFrame) -> float:
    """Mean number of different times among the rows of one key.

    Args:
        rows: ``key`` and ``time`` of each row.
    """
    if rows.empty:
        return 0.0
    return float(rows.groupby("key")["time"].nunique().mean())


def with_statistics(reading: Reading, raw: pd.DataFrame) -> Reading | None:
    """The reading with its common values, or None where it can tell nothing.

    Args:
        reading: One column.
        raw: Values of each reading before the training cutoff.
    """
    values = raw[reading.name]
    known = values.dropna()
    shares = known.value_counts(normalize=True, sort=False)
    if len(shares) < 2 and len(known) == len(values):
        return None
    missing = 0.005 < 1 - len(known) / max(len(values), 1) < 0.995
    if reading.is_category and len(shares) > _UNIQUE * len(known):
        return None
    least = _MIN_SHARE if reading.is_category else _MIN_SHARE_OF_NUMBER
    common = [] if reading.key else _commonest(shares[shares >= least])
    return replace(
        reading,
        common=tuple(common) if _worth_shares(reading, len(shares)) else (),
        missing=missing and reading.key is None,
    )


def _worth_shares(reading: Reading, distinct: int) -> bool:
    # Two values of a number: their mean says it all.
    return distinct > 2 or reading.is_category


def _commonest(shares: pd.Series) -> list[str]:
    ordered = sorted(shares.items(), key=lambda pair: (-pair[1], str(pair[0])))
    return [str(value) for value, _ in ordered[:_MOST_COMMON]]


def useful(readings: Sequence[Reading], raw: pd.DataFrame) -> tuple[Reading, ...]:
    """The readings that vary, with their statistics.

    Args:
        readings: All columns of the rows.
        raw: Values of each reading before the training cutoff.
    """
    found = (with_statistics(reading, raw) for reading in readings)
    return tuple(reading for reading in found if reading is not None)
