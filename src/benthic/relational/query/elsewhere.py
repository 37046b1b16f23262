"""Words and signs of other languages, and what to write here."""

from __future__ import annotations

import re
from collections.abc import Callable

from benthic.relational.query import canonical
from benthic.relational.query.stop import Stop
from benthic.relational.query.tree import Place

HINTS = {
    "SELECT": "there are no subqueries: write the values, or an aggregate",
    "FROM": "tables are named with their columns: table.column",
    "JOIN": "tables are joined by their foreign keys: name the column",
    "INNER": "tables are joined by their foreign keys: name the column",
    "LEFT": "tables are joined by their foreign keys: name the column",
    "ON": "tables are joined by their foreign keys: name the column",
    "GROUP": "FOR EACH already gives one prediction for each entity",
    "ORDER": "sort the returned table instead",
    "LIMIT": "cut the returned table instead; for a list: RANK TOP k",
    "OFFSET": "cut the returned table instead",
    "HAVING": "write the condition after WHERE",
    "UNION": "write one query each",
    "WITH": "write one query each",
    "AS": "leave the new name out",
    "CASE": "write a condition, or one query for each case",
    "WHEN": "write a condition, or one query for each case",
    "BETWEEN": "write >= and <=",
    "EXISTS": "write COUNT(...) > 0",
    "DISTINCT": "write COUNT_DISTINCT(table.column, ...)",
    "ILIKE": "write LIKE: it respects case",
    "GIVEN": "write WHERE for the past, ASSUMING for the future",
    "IF": "write WHERE for the past, ASSUMING for the future",
    "OVER": "windows of time stand inside the aggregate: 0, 30, days",
    "INTERVAL": "windows are written start, end, unit: 0, 30, days",
    "MEAN": "write AVG(table.column, ...)",
}
"""First words, and what to do instead."""

TWO_WORDS = {"GROUP": "BY", "ORDER": "BY"}

SIGNS = {
    "==": "write =",
    "=>": "write >=",
    "=<": "write <=",
    "!": "write NOT",
    "&&": "write AND",
    "&": "write AND",
    "||": "write OR",
    "|": "write OR",
    "?": "write the value itself: there are no parameters",
    "`": "names with spaces stand in double quotes",
    "[": "names with spaces stand in double quotes",
    "%": "write the remainder as a column of the database",
    "‘": "text stands in straight quotes: '...'",
    "’": "text stands in straight quotes: '...'",
    "“": "text stands in straight single quotes: '...'",
    "”": "text stands in straight single quotes: '...'",
    "{": "write the value itself: there are no parameters",
    "$": "write the value itself: there are no parameters",
    "@": "write the value itself: there are no parameters",
}
"""Signs, and what to write instead."""

TRAILING = frozenset({"GROUP", "ORDER", "LIMIT", "OFFSET", "HAVING", "UNION"})
"""Words of clauses that would follow ours."""

_SMART = re.compile("[‘’“”]([^‘’“”\n]*)[‘’“”]")

_PARAMETER = re.compile(r":\w+|[$@]\w+|\{\w*\}|\?\d*")


def foreign(here: Stop) -> tuple[Place, str, str] | None:
    """The word or sign from elsewhere on which the reading stopped.

    Returns:
        Its place, itself, and what to write instead; None if it is nothing known.
    """
    return _smart_quotes(here) or _sign(here) or _word(here) or _word_before(here)


def _smart_quotes(here: Stop) -> tuple[Place, str, str] | None:
    match = _SMART.match(here.text, here.offset)
    if match is None:
        return None
    place = here.place_at(here.offset, len(match.group()))
    return place, match.group()[0], f"did you mean {canonical.value(match.group(1))}?"


def _sign(here: Stop) -> tuple[Place, str, str] | None:
    parameter = _PARAMETER.match(here.text, here.offset)
    if parameter is not None and not here.kind:
        hint = "write the value itself: there are no parameters"
        place = here.place_at(here.offset, len(parameter.group()))
        return place, parameter.group(), hint
    # ``==`` and its like are read as one sign, then a second one that does not fit.
    for start in (here.offset - 1, here.offset):
        for length in (2, 1):
            sign = here.text[max(0, start) : start + length]
            known = sign in SIGNS and start + length > here.offset
            if known and not here.text[here.offset].isspace():
                return here.place_at(start, length), sign, SIGNS[sign]
    return None


def _word(here: Stop) -> tuple[Place, str, str] | None:
    word = here.found.upper()
    if word not in HINTS or here.kind not in ("NAME", "WITH"):
        return None
    second = TWO_WORDS.get(word)
    rest = here.text[here.offset + len(word) :]
    match = re.match(rf"\s+{second}\b", rest, re.IGNORECASE) if second else None
    length = len(word) + (match.end() if match else 0)
    shown = f"{word} {second}" if match else word
    special = _SPECIAL[word](here) if word in _SPECIAL else None
    return here.place_at(here.offset, length), shown, special or HINTS[word]


def _word_before(here: Stop) -> tuple[Place, str, str] | None:
    token = here.last()
    if token is None or token.type != "NAME" or "DOT" not in here.accepts:
        return None
    word = token.upper()
    if word not in HINTS:
        return None
    return here.place_at(token.start_pos or 0, len(token)), word, HINTS[word]


_BOUNDS = re.compile(
    r"BETWEEN\s+('[^']*'|[-+\w.]+)\s+AND\s+('[^']*'|[-+\w.]+)", re.IGNORECASE
)


def _between(here: Stop) -> str | None:
    """``a BETWEEN 1 AND 2`` in our words, where ``a`` is a column."""
    bounds = _BOUNDS.match(here.text, here.offset)
    if bounds is None or here.last_kinds(3)[1:2] != ("DOT",):
        return None
    column = "".join(str(token) for token in here.before[-3:])
    low, high = bounds.groups()
    return f"did you mean {column} >= {low} AND {column} <= {high}?"


def _limit(here: Stop) -> str | None:
    """``LIMIT 10`` in our words, where a list is predicted."""
    number = re.compile(r"LIMIT\s+(\d+)", re.IGNORECASE).match(here.text, here.offset)
    listed = any(token.upper() == "LIST_DISTINCT" for token in here.before)
    if number is None or not listed or "FOR" not in here.accepts:
        return None
    return f"did you mean RANK TOP {number.group(1)}?"


_SPECIAL: dict[str, Callable[[Stop], str | None]] = {
    "BETWEEN": _between,
    "LIMIT": _limit,
}
