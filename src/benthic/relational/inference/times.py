"""Which columns are times, and how are they read?"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from benthic.relational.declared import DeclaredTable, Probe
from benthic.relational.inference.names import words
from benthic.relational.inference.profile import ColumnProfile
from benthic.relational.schema import Problem
from benthic.relational.sql import quoted

PARSE_RATE = 0.99
"""Share of a text column's values that must be dates for the column to be one."""

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
_EPOCHS = (  # name, units a second, microseconds since 1970 as SQL
    ("seconds", 1, "CAST(CAST({c} AS DOUBLE) * 1000000 AS BIGINT)"),
    ("milliseconds", 10**3, "CAST(CAST({c} AS DOUBLE) * 1000 AS BIGINT)"),
    ("microseconds", 10**6, "CAST({c} AS BIGINT)"),
    ("nanoseconds", 10**9, "CAST({c} AS BIGINT) // 1000"),
)
_FIRST_SECOND, _LAST_SECOND = 6.3e8, 4.1e9  # from 1990 to 2100
_CLOCKS = ("", " %H:%M", " %H:%M:%S", " %I:%M %p", " %I:%M:%S %p")
_FORMATS = (
    *("%d.%m.%Y", "%d/%m/%Y", "%m/%d/%Y", "%d-%m-%Y", "%m-%d-%Y", "%Y/%m/%d"),
    *("%Y%m%d", "%d %b %Y", "%b %d, %Y", "%d %B %Y", "%B %d, %Y", "%d-%b-%Y"),
)


@dataclass(frozen=True)
class Reading:
    """How a raw column becomes a naive UTC ``TIMESTAMP``.

    Args:
        expression: SQL over the raw column; "" where it is one already.
        clause: What the column holds, for the reason.
    """

    expression: str
    clause: str

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
        reading = _READERS.get(seen.family, _never)(seen, column in trusted)
        if reading is None and seen.family == "text" and _may_be_dates(seen):
            formats = _fitting_formats(table, column, probe)
            if len(formats) > 1:
                names = " and ".join(formats)
                text = f"dates that fit {names} alike; read as text, no time was made"
                problems.append(Problem(table.name, column, text))
            reading = _by_format(column, formats[0]) if len(formats) == 1 else None
        if reading is not None:
            found[column] = reading
    return found, problems


def without_sentinels(column: str, reading: Reading, *, epoch_zero: bool) -> Reading:
    """The same reading with NULL for times that mean "never" or "unknown".

    Args:
        column: The raw column.
        reading: How it is read.
        epoch_zero: Whether 1970-01-01 00:00:00 means unknown here.
    """
    time = reading.sql(column)
    kept = [f"{time} < {FIRST_SENTINEL}"]
    if epoch_zero:
        kept.append(f"{time} <> TIMESTAMP '1970-01-01'")
    condition = " AND ".join(kept)
    return Reading(f"CASE WHEN {condition} THEN {time} END", reading.clause)


def _typed(seen: ColumnProfile, trusted: bool) -> Reading | None:
    del trusted
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


def _text(seen: ColumnProfile, trusted: bool) -> Reading | None:
    del trusted
    worded = seen.filled - seen.get("blank")
    if not worded or seen.get("dates") < PARSE_RATE * worded:
        return None
    text = f"trim({quoted(seen.name)})"
    # A cast to TIMESTAMP drops the offset; the session's zone is UTC.
    return Reading(
        f"make_timestamp(epoch_us(TRY_CAST({text} AS TIMESTAMPTZ)))",
        f"text; {seen.get('dates'):,.0f} of {worded:,.0f} sampled values are dates",
    )


def _number(seen: ColumnProfile, trusted: bool) -> Reading | None:
    if not seen.filled or not (trusted or _is_timely(seen.name)):
        return None
    low, high = seen.get("low"), seen.get("high")
    # A few rows may hold 0 for "unknown": the range is taken without it.
    for unit, scale, micros in _EPOCHS:
        first, last = _FIRST_SECOND * scale, _LAST_SECOND * scale
        if (first <= low or low == 0) and first <= high <= last:
            column = quoted(seen.name)
            # What the sample did not show may not fit into a timestamp.
            fits = f"{column} BETWEEN {-last:.0f} AND {2 * last:.0f}"
            time = f"make_timestamp({micros.format(c=column)})"
            return Reading(f"CASE WHEN {fits} THEN {time} END", f"{unit} since 1970")
    if seen.is_whole and 19000101 <= low and high < 21000000:
        column = f"CAST(CAST({quoted(seen.name)} AS BIGINT) AS VARCHAR)"
        return Reading(f"try_strptime({column}, '%Y%m%d')", "a number yyyymmdd")
    return None


def _never(seen: ColumnProfile, trusted: bool) -> None:
    del seen, trusted


_READERS = {"time": _typed, "text": _text, "integer": _number, "real": _number}


def _is_timely(name: str) -> bool:
    found = words(name)
    return any(word in TIME_WORDS for word in found) or (
        len(found) == 1 and found[0].endswith(("time", "date", "timestamp"))
    )


def _may_be_dates(seen: ColumnProfile) -> bool:
    if seen.filled == 0 or seen.get("length") > 32:
        return False
    worded = seen.filled - seen.get("blank")
    digits_first = worded > 0 and seen.get("datelike") >= PARSE_RATE * worded
    return digits_first or _is_timely(seen.name)


def _by_format(column: str, form: str) -> Reading:
    tried = ", ".join(f"'{form}{clock}'" for clock in _CLOCKS)
    return Reading(
        f"try_strptime(trim({quoted(column)}), [{tried}])", f"text; dates as {form}"
    )


def _fitting_formats(table: DeclaredTable, column: str, probe: Probe) -> list[str]:
    counts = ", ".join(
        f"count({_by_format(column, form).expression})" for form in _FORMATS
    )
    rows = probe.sample(table.name)
    filled, *parsed = probe.query(
        f"SELECT count(nullif(trim({quoted(column)}), '')), {counts} FROM {rows}"
    )[0]
    return [
        form
        for form, count in zip(_FORMATS, parsed, strict=True)
        if count and count >= PARSE_RATE * filled
    ]
