"""How are times written as a number, or as text?"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from benthic.relational.sql import quoted


@dataclass(frozen=True)
class TimeNotation:
    """One way to write a time.

    Args:
        name: What it is called in a reason.
        expression: SQL with ``{c}`` for the raw value; NULL where it is no such time.
    """

    name: str
    expression: str

    def sql(self, column: str) -> str:
        """The time, a naive UTC ``TIMESTAMP``, as SQL over the raw column."""
        return self.expression.replace("{c}", quoted(column))


_FIRST_SECOND, _LAST_SECOND = 6.3e8, 4.1e9  # from 1990 to 2100
_EPOCHS = (  # name, units a second, microseconds since 1970 as SQL
    ("seconds", 1, "CAST({n} * 1000000 AS BIGINT)"),
    ("milliseconds", 10**3, "CAST({n} * 1000 AS BIGINT)"),
    ("microseconds", 10**6, "CAST({n} AS BIGINT)"),
    ("nanoseconds", 10**9, "CAST({n} AS BIGINT) // 1000"),
)


def _epochs(number: str) -> Iterator[TimeNotation]:
    for unit, scale, micros in _EPOCHS:
        fits = f"BETWEEN {_FIRST_SECOND * scale:.0f} AND {_LAST_SECOND * scale:.0f}"
        time = f"make_timestamp({micros.replace('{n}', number)})"
        yield TimeNotation(
            f"{unit} since 1970", f"CASE WHEN {number} {fits} THEN {time} END"
        )


# A cast reads 24-12-31 as of the year 24, and drops the offset of a TIMESTAMP; the
# session's zone is UTC.
ISO = TimeNotation(
    "dates",
    r"make_timestamp(epoch_us(TRY_CAST(CASE WHEN regexp_matches({c}, "
    r"'^\s*[1-9]\d\d\d[-/]') THEN trim({c}) END AS TIMESTAMPTZ)))",
)
_CLOCKS = ("", " %H:%M", " %H:%M:%S", " %H:%M:%S.%f", " %I:%M %p", " %I:%M:%S %p")
_LONG = (
    *("%d.%m.%Y", "%d/%m/%Y", "%m/%d/%Y", "%d-%m-%Y", "%m-%d-%Y", "%Y/%m/%d"),
    *("%Y%m%d", "%d %b %Y", "%b %d, %Y", "%d %B %Y", "%B %d, %Y", "%d-%b-%Y"),
)
_SHORT = (
    *("%d.%m.%y", "%d/%m/%y", "%m/%d/%y", "%d-%m-%y", "%m-%d-%y", "%y-%m-%d"),
    *("%y/%m/%d", "%d-%b-%y", "%d %b %y"),
)
_RFC_2822 = ("%a, %d %b %Y %H:%M:%S %Z", "%d %b %Y %H:%M:%S %Z")
_RFC_2822_OFFSET = ("%a, %d %b %Y %H:%M:%S %z", "%d %b %Y %H:%M:%S %z")


def _format(form: str) -> TimeNotation:
    tried = ", ".join(f"'{form}{clock}'" for clock in _CLOCKS)
    text = "trim({c})"
    if "%Y" in form:  # which takes two digits, too, as a year of the first century
        text = rf"CASE WHEN regexp_matches({{c}}, '[1-9]\d\d\d') THEN {text} END"
    return TimeNotation(form, f"try_strptime({text}, [{tried}])")


def _zoned(name: str, *forms: tuple[str, ...]) -> TimeNotation:
    tried = ", ".join(
        f"try_strptime(trim({{c}}), [{', '.join(map(repr, each))}])" for each in forms
    )
    return TimeNotation(name, f"make_timestamp(epoch_us(coalesce({tried})))")


NUMBERS = (
    *_epochs("CAST({c} AS DOUBLE)"),
    TimeNotation(
        "yyyymmdd",
        "CASE WHEN {c} BETWEEN 19000101 AND 20991231 AND {c} = floor({c}) "
        "THEN try_strptime(CAST(CAST({c} AS BIGINT) AS VARCHAR), '%Y%m%d') END",
    ),
)
"""Of a number that is said or named to be a time."""

TEXTS = (
    ISO,
    *map(_format, _LONG),
    _zoned("dates as in e-mail", _RFC_2822, _RFC_2822_OFFSET),
)
"""Of any text, the one to ask first before the others."""

NAMED_TEXTS = (*TEXTS, *map(_format, _SHORT), *_epochs("TRY_CAST({c} AS DOUBLE)"))
"""Of a text that is said or named to be a time: 1.10.12 may be a version."""
