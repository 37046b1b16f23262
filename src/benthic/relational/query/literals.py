"""Which value do the characters of a literal stand for?"""

from __future__ import annotations

import datetime as dt
import math
import re
from collections.abc import Callable

from benthic.relational.query.tree import Value

LARGEST_INTEGER = 2**127 - 1  # DuckDB's HUGEINT

_DATE = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)"
    r"(?:[T ](\d\d):(\d\d)(?::(\d\d)(?:\.(\d+))?)?"
    r"(Z|[+-]\d\d:?\d\d)?)?",
    re.ASCII | re.IGNORECASE,
)


def integer(text: str) -> int:
    """A whole number.

    Raises:
        ValueError: The database has no type that holds it.

    Example:
        >>> integer("42")
        42
    """
    if len(text) > 39 or int(text) > LARGEST_INTEGER:
        raise ValueError("this number is too large")
    return int(text)


def decimal(text: str) -> float:
    """A number with a point or an exponent.

    Raises:
        ValueError: It is beyond the largest float.
    """
    if math.isinf(float(text)):
        raise ValueError("this number is too large")
    return float(text)


def date(text: str) -> dt.datetime:
    """A date, at midnight unless a time follows; digits below 1 µs are dropped.

    Raises:
        ValueError: The calendar or the clock has no such time.

    Example:
        >>> date("2024-02-29 12:30")
        datetime.datetime(2024, 2, 29, 12, 30)
    """
    match = _DATE.fullmatch(text)
    if match is None:
        raise ValueError(f"{text} is not a date")
    *clock, fraction, zone = match.groups()
    microsecond = int((fraction or "0")[:6].ljust(6, "0"))
    year, month, day, hour, minute, second = (int(part or 0) for part in clock)
    try:
        found = dt.datetime(
            year, month, day, hour, minute, second, microsecond, _zone(zone)
        )
        found.replace(tzinfo=None) - (found.utcoffset() or dt.timedelta())
    except (ValueError, OverflowError) as error:
        raise ValueError(f"there is no {text} in the calendar") from error
    return found


def _zone(text: str | None) -> dt.timezone | None:
    if text is None:
        return None
    if text in "Zz":
        return dt.timezone.utc
    hours, minutes = int(text[1:3]), int(text[-2:])
    if minutes > 59:
        raise ValueError("an hour has 60 minutes")
    away = dt.timedelta(hours=hours, minutes=minutes)
    return dt.timezone(-away if text[0] == "-" else away)


def text(quoted: str) -> str:
    """What stands between quotes, single or double; a doubled one is one.

    Example:
        >>> text("'it''s'")
        "it's"
    """
    mark = quoted[0]
    return quoted[1:-1].replace(mark * 2, mark)


READERS: dict[str, Callable[[str], Value]] = {
    "INT": integer,
    "DECIMAL": decimal,
    "DATE": date,
    "STRING": text,
    "TRUE": lambda _: True,
    "FALSE": lambda _: False,
    "NULL": lambda _: None,
}
"""From the kind of a token to the function that reads its value."""


def value(kind: str, characters: str) -> Value:
    """The value of a token.

    Raises:
        ValueError: No value is written so.
    """
    return READERS[kind](characters)
