"""Which columns are times, and how are they read?"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from benthic.relational.declared import DeclaredTable, Probe
from benthic.relational.inference.names import words
from benthic.relational.inference.profile import ColumnProfile
from benthic.relational.schema import Choice, Problem
from benthic.relational.sql import quoted

PARSE_RATE = 0.99
"""Share of a text column's values that must be dates for the column to be one."""

FIRST_SENTINEL = "TIMESTAMP '2100-01-01'"
"""From here on a time says "never"."""

_TIME_WORDS = frozenset(
    {"time", "date", "timestamp", "datetime", "at", "on", "ts", "epoch", "unix", "day"}
    | {"created", "updated", "modified", "when", "since", "until", "utc", "dt", "tstamp"}
)
_EPOCHS = (  # name, low and high for 1990 to 2100, SQL
    ("seconds", 6.3e8, 4.1e9, "make_timestamp(CAST(floor({c} * 1000000) AS BIGINT))"),
    ("milliseconds", 6.3e11, 4.1e12, "make_timestamp(CAST({c} * 1000 AS BIGINT))"),
    ("microseconds", 6.3e14, 4.1e15, "make_timestamp(CAST({c} AS BIGINT))"),
    ("nanoseconds", 6.3e17, 4.1e18, "make_timestamp(CAST({c} // 1000 AS BIGINT))"),
)
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
    table: DeclaredTable, profiles: Mapping[str, ColumnProfile], probe: Probe
) -> tuple[dict[str, Reading], list[Problem]]:
    """How each column of a table that holds times is to be read.

    Args:
        table: The table.
        profiles: Of its columns.
        probe: Access to its data, for dates in other orders than year, month, day.
    """
    found: dict[str, Reading] = {}
    problems: list[Problem] = []
    for column, seen in profiles.items():
        reading = _READERS.get(seen.family, _never)(seen)
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


def _typed(seen: ColumnProfile) -> Reading | None:
    column = quoted(seen.name)
    if seen.share("finite") < 1 and seen.filled:
        column = f"CASE WHEN isfinite({column}) THEN {column} END"
    if seen.dtype == "TIMESTAMP WITH TIME ZONE":
        return Reading(f"make_timestamp(epoch_us({column}))", "with a zone, read in UTC")
    if seen.dtype == "TIMESTAMP":
        expression = "" if column == quoted(seen.name) else column
        return Reading(expression, "a timestamp")
    return Reading(
        f"CAST({column} AS TIMESTAMP)",
        "a date" if seen.dtype == "DATE" else "a timestamp",
    )


def _text(seen: ColumnProfile) -> Reading | None:
    if not seen.filled or seen.share("dates") < PARSE_RATE:
        return None
    text = f"trim({quoted(seen.name)})"
    # A cast to TIMESTAMP drops the offset; the session's zone is UTC.
    return Reading(
        f"make_timestamp(epoch_us(TRY_CAST({text} AS TIMESTAMPTZ)))",
        f"text; {seen.get('dates'):,.0f} of {seen.filled:,} sampled values are dates",
    )


def _number(seen: ColumnProfile) -> Reading | None:
    if not seen.filled or not _is_timely(seen.name):
        return None
    low, high = seen.get("low"), seen.get("high")
    # A few rows may hold 0 for "unknown": the range is taken without it.
    for unit, least, most, sql in _EPOCHS:
        if (least <= low or low == 0) and least <= high <= most:
            return Reading(sql.format(c=quoted(seen.name)), f"{unit} since 1970")
    if seen.is_whole and 19000101 <= low and high < 21000000:
        column = f"CAST(CAST({quoted(seen.name)} AS BIGINT) AS VARCHAR)"
        return Reading(f"try_strptime({column}, '%Y%m%d')", "a number yyyymmdd")
    return None


def _never(seen: ColumnProfile) -> None:
    del seen


_READERS = {"time": _typed, "text": _text, "integer": _number, "real": _number}


def _is_timely(name: str) -> bool:
    found = words(name)
    return any(word in _TIME_WORDS for word in found) or (
        len(found) == 1 and found[0].endswith(("time", "date", "timestamp"))
    )


def _may_be_dates(seen: ColumnProfile) -> bool:
    if seen.filled == 0 or seen.get("length") > 32:
        return False
    digits_first = seen.share("datelike") >= PARSE_RATE
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
    filled, *parsed = probe.query(
        f"SELECT count({quoted(column)}), {counts} FROM {probe.sample(table.name)}"
    )[0]
    return [
        form
        for form, count in zip(_FORMATS, parsed, strict=True)
        if count >= PARSE_RATE * filled
    ]


# Words of a name, and how likely the column says when the row came to be.
_CAME_TO_BE = frozenset(
    "created creation inserted placed ordered submitted registered purchased occurred "
    "posted sent paid issued joined signup signed recorded logged received booked "
    "hired enrolled opened since visited uploaded published".split()
)
_PLAIN = frozenset("date time timestamp datetime ts when dt tstamp".split())
_BEGAN = frozenset("start started begin began from first effective".split())
_LATER = frozenset(
    "updated update modified modification last edit edited changed change refreshed "
    "synced loaded etl due deadline expected estimated scheduled planned required next "
    "shipped delivered delivery returned return resolved completed finished reviewed "
    "cancelled canceled approved confirmed accepted arrival release released".split()
)
_ENDED = frozenset(
    "end ended ends expires expired expiry expiration expire closed close until "
    "terminated termination deleted removed left finish stop stopped thru through "
    "deactivated withdrawn churned".split()
)
_OF_A_LIFE = frozenset("birth born dob birthday birthdate death died deceased".split())
_IS_BIRTH = "birth"


@dataclass(frozen=True)
class Rank:
    """How a column's name ranks as the time of its row.

    Args:
        score: 5 "created_at" … 2 no hint, 0 never.
        clause: Why.
    """

    score: int
    clause: str


def rank(table: str, column: str) -> Rank:
    """Ranks a time column by its name.

    Example:
        >>> rank("orders", "created_at").score, rank("drivers", "dob").score
        (5, 0)
        >>> rank("returns", "return_date").score, rank("rental", "return_date").score
        (5, 0)
    """
    found = frozenset(words(column))
    if found & _OF_A_LIFE or _IS_BIRTH in column.lower():
        return Rank(0, f"{column} belongs to a person's life, not to the row")
    if found & _ENDED:
        return Rank(0, f"{column} says when something ends")
    if _of_the_table(found, table):
        return Rank(5, f"{column} is named after {table}")
    if found & _LATER:
        return Rank(0, f"{column} is set later than the row")
    return _by_hint(found, column)


def _by_hint(found: frozenset[str], column: str) -> Rank:
    if found & _CAME_TO_BE:
        return Rank(5, f"{column} says when the row came to be")
    if found <= _PLAIN | {"utc", "event"}:
        return Rank(4, f"{column} is the row's {column.lower()}")
    if found & _BEGAN:
        return Rank(2, f"{column} says when something starts")
    return Rank(3 if found & _TIME_WORDS else 2, f"{column} is a time of the row")


def is_end(column: str) -> bool:
    """Whether a column's name says when a row ceases to be.

    Example:
        >>> is_end("valid_to"), is_end("expires_at"), is_end("created_at")
        (True, True, False)
    """
    found = words(column)
    return bool(_ENDED & set(found)) or found[-1:] == ("to",)


def _of_the_table(found: frozenset[str], table: str) -> bool:
    """Whether the words share the beginning of a word with the table's name.

    ``paid`` does not, ``rental_date`` of ``rentals`` and ``cancelled_at`` of
    ``cancellations`` do.
    """
    theirs = words(table.rpartition(".")[2])
    return any(
        len(word) >= 5 and any(other[:5] == word[:5] for other in theirs)
        for word in found - _PLAIN
    )


def rank_readings(
    table: str, readings: Mapping[str, Reading]
) -> Iterator[tuple[str, Rank]]:
    """Times of a table with their rank, best first."""
    ranked = [(column, rank(table, column)) for column in readings]
    yield from sorted(ranked, key=lambda item: (-item[1].score, item[0]))


