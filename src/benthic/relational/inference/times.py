"""Which columns are times, and how are they read?"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace

from benthic.relational.declared import DeclaredTable, Probe
from benthic.relational.inference.names import words
from benthic.relational.inference.profile import ColumnProfile
from benthic.relational.inference.time_notation import (
    ISO,
    NAMED_TEXTS,
    NUMBERS,
    TEXTS,
    TimeNotation,
)
from benthic.relational.schema import Problem
from benthic.relational.sql import quoted

_MOSTLY = 0.5  # of the values, where the name says time, or where they look like dates
_ALIKE = 0.99  # of the values of the best reading: another that reads so many rivals it

FIRST_MOMENT = "TIMESTAMP '1000-01-01'"
"""Before it a time is a placeholder, or a year of two digits."""

FIRST_SENTINEL = "TIMESTAMP '2100-01-01'"
"""From here on a time says "never"."""

TIME_WORDS = frozenset(
    {"time", "date", "timestamp", "datetime", "at", "on", "ts", "epoch", "unix", "day"}
    | {
        "created",
        "updated",
        "modified",
        "when",
        "since",
        "until",
        "utc",
        "dt",
        "tstamp",
    }
)


@dataclass(frozen=True)
class Reading:
    """How a raw column becomes a naive UTC ``TIMESTAMP``.

    Args:
        expression: SQL over the raw column; "" where it is one already.
        clause: What the column holds, for the reason.
        unread: What it holds beside times; "" if nothing.
    """

    expression: str
    clause: str
    unread: str = ""

    def sql(self, column: str) -> str:
        """The time, as SQL over the raw column."""
        return self.expression or quoted(column)


def read_times(
    table: DeclaredTable,
    profiles: Mapping[str, ColumnProfile],
    probe: Probe,
    trusted: Collection[str | None] = (),
) -> tuple[dict[str, Reading], list[Problem]]:
    """How each column of a table that holds times is to be read.

    Args:
        table: The table.
        profiles: Of its columns.
        probe: Access to its data, for dates in other orders than year, month, day.
        trusted: Columns that someone says are times: numbers need no name for it.
    """
    found: dict[str, Reading] = {}
    problems: list[Problem] = []
    for column, seen in profiles.items():
        said = column in trusted
        if seen.family == "time":
            found[column] = _typed(seen)
        elif _is_asked(seen, said):
            reading, fault = _written(table, seen, probe, said)
            if reading is not None:
                found[column] = reading
            if fault:
                problems.append(Problem(table.name, column, fault))
    return found, problems


def without_sentinels(
    column: str, reading: Reading, unknown: Collection[str] = ()
) -> Reading:
    """The same reading with NULL for times that mean "never" or "unknown".

    Args:
        column: The raw column.
        reading: How it is read.
        unknown: Days that mean so here.
    """
    time = reading.sql(column)
    kept = [f"{time} >= {FIRST_MOMENT}", f"{time} < {FIRST_SENTINEL}"]
    kept += [f"{time} <> TIMESTAMP '{day}'" for day in unknown]
    condition = " AND ".join(kept)
    return replace(reading, expression=f"CASE WHEN {condition} THEN {time} END")


def _typed(seen: ColumnProfile) -> Reading:
    column = quoted(seen.name)
    if seen.filled and (seen.share("finite") < 1 or not seen.whole_table):
        column = f"CASE WHEN isfinite({column}) THEN {column} END"
    if seen.dtype == "TIMESTAMP WITH TIME ZONE":
        return Reading(
            f"make_timestamp(epoch_us({column}))", "with a zone, read in UTC"
        )
    if seen.dtype == "TIMESTAMP":
        expression = "" if column == quoted(seen.name) else column
        return Reading(expression, "a timestamp")
    return Reading(
        # A date may be later than any timestamp.
        f"TRY_CAST({column} AS TIMESTAMP)",
        "a date" if seen.dtype == "DATE" else "a timestamp",
    )


def _is_asked(seen: ColumnProfile, said: bool) -> bool:
    """Whether a column may hold times though its type does not say so."""
    if seen.family not in _NAMED or not seen.worded or seen.share("clocks") == 1:
        return False
    looks = max(seen.get("dates"), seen.get("datelike"))
    return said or is_timely(seen.name) or looks > _MOSTLY * seen.worded


def _written(
    table: DeclaredTable, seen: ColumnProfile, probe: Probe, said: bool
) -> tuple[Reading | None, str]:
    """How a number or a text is read as a time, or why it is not."""
    if seen.get("dates") == seen.worded:
        return _reading(seen, ISO, seen.worded), ""
    named = said or is_timely(seen.name)
    ways = _NAMED[seen.family] if named else TEXTS
    rows = probe.sample(table.name)
    counts = ", ".join(f"count({how.sql(seen.name)})" for how in ways)
    counted = probe.query(f"SELECT {counts} FROM {rows}")[0]
    most = max(counted)
    if not most or (most <= _MOSTLY * seen.worded and not said):
        where = f"{seen.worded:,} values are read as one; no time was made"
        return None, f"named like a time, but {most:,} of {where}" if named else ""
    best = ways[counted.index(most)]
    for other, count in zip(ways, counted, strict=True):
        differ = f"{best.sql(seen.name)} <> {other.sql(seen.name)}"
        count_differing = f"SELECT count(*) FILTER ({differ}) FROM {rows}"
        if count >= _ALIKE * most and probe.query(count_differing)[0][0]:
            names = f"{best.name} and {other.name}"
            return None, f"dates that fit {names} alike; no time was made"
    return _reading(seen, best, most), ""


def _reading(seen: ColumnProfile, how: TimeNotation, count: int) -> Reading:
    of = f"of {seen.worded:,} sampled values"
    unread = seen.worded - count
    return Reading(
        how.sql(seen.name),
        f"{seen.family}; {count:,} {of} are {how.name}",
        f"no time in {unread:,} {of}; they count as NULL" if unread else "",
    )


_NAMED = {"text": NAMED_TEXTS, "integer": NUMBERS, "real": NUMBERS}


def is_timely(name: str) -> bool:
    """Whether a column's name says that it holds times."""
    found = words(name)
    return any(word in TIME_WORDS for word in found) or (
        len(found) == 1 and found[0].endswith(("time", "date", "timestamp"))
    )
