"""What in the data should the user know of?"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from benthic.relational.declared import DeclaredTable, Probe
from benthic.relational.inference.keys import EXACT_ROWS
from benthic.relational.inference.profile import ColumnProfile, family
from benthic.relational.inference.times import (
    FIRST_MOMENT,
    FIRST_SENTINEL,
    Reading,
    without_sentinels,
)
from benthic.relational.schema import Problem
from benthic.relational.sql import quoted

_PLACEHOLDERS = ("1753-01-01", "1900-01-01", "1970-01-01")
"""What databases write for an unknown time: days like others among old ones."""

_MODERN = "TIMESTAMP '1980-01-01'"


def column_problems(
    table: DeclaredTable, profiles: Mapping[str, ColumnProfile]
) -> Iterator[Problem]:
    """Empty tables, and columns that are empty or always the same.

    Args:
        table: The table.
        profiles: Of its columns.
    """
    if not table.num_rows:
        yield Problem(table.name, None, "has no rows; it says nothing")
        return
    for column, seen in profiles.items():
        where = "row" if seen.whole_table else "sampled row"
        if not seen.filled:
            yield Problem(table.name, column, f"NULL in every {where}; says nothing")
        elif seen.distinct == 1 and seen.filled == seen.rows > 1:
            yield Problem(
                table.name, column, f"the same in every {where}; says nothing"
            )


def time_problems(
    table: DeclaredTable,
    column: str,
    reading: Reading,
    probe: Probe,
    *,
    is_end: bool = False,
) -> tuple[Reading, list[Problem]]:
    """Rows without a usable time, and the reading that leaves their time NULL.

    Args:
        table: The table.
        column: A time of its rows.
        reading: How it is read.
        probe: Access to the data.
        is_end: Whether it says when a row ceases to be: NULL, infinity and a far year
            are then no fault, the row is still there.
    """
    exact = table.num_rows <= EXACT_ROWS
    rows = probe.relation(table.name, [column]) if exact else probe.sample(table.name)
    total, filled, timed, early, never, placeholders = _counts(
        column, reading, rows, probe
    )
    unknown = "such rows count as not ended" if is_end else "their time counts as NULL"
    hidden = "such rows count as not ended" if is_end else "such rows are never visible"
    where = f"{total:,}{'' if exact else ' sampled'} rows"
    infinite = family(table.columns[column]) == "time"  # what else is no time there?
    faults = [
        ("NULL", 0 if is_end else total - filled, hidden),
        ("no time", 0 if is_end and infinite else filled - timed, hidden),
        ("before the year 1000", early, unknown),
        ("2100 or later", 0 if is_end else never, unknown),
        *((day, count, unknown) for day, count in placeholders.items()),
    ]
    problems = [
        Problem(table.name, column, f"{what} in {count:,} of {where}; {then}")
        for what, count, then in faults
        if count
    ]
    if early or never or placeholders:
        reading = without_sentinels(column, reading, tuple(placeholders))
    return reading, problems


def _counts(
    column: str, reading: Reading, rows: str, probe: Probe
) -> tuple[int, int, int, int, int, dict[str, int]]:
    """Rows; those filled, with a time, too early, never; placeholders by day."""
    held = ", ".join(f"TIMESTAMP '{day}'" for day in _PLACEHOLDERS)
    by_day = "".join(
        f", count(*) FILTER (t = TIMESTAMP '{day}')" for day in _PLACEHOLDERS
    )
    real = f"t >= {FIRST_MOMENT} AND t NOT IN ({held})"
    total, filled, timed, early, never, is_modern, *days = probe.query(
        f"WITH t AS (SELECT {quoted(column)} AS raw, {reading.sql(column)} AS t "
        f"FROM {rows}) SELECT count(*), count(raw), count(t), "
        f"count(*) FILTER (t < {FIRST_MOMENT}), "
        f"count(*) FILTER (t >= {FIRST_SENTINEL}), "
        f"coalesce(min(t) FILTER ({real}) > {_MODERN}, FALSE){by_day} FROM t"
    )[0]
    counted = dict(zip(_PLACEHOLDERS, days, strict=True))
    found = {day: count for day, count in counted.items() if count and is_modern}
    return total, filled, timed, early, never, found
