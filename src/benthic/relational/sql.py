"""Names and values as SQL text that DuckDB reads back as they are."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from decimal import Decimal
from typing import Any

from benthic.errors import InputError


def quoted(*names: str) -> str:
    """A name, or a dotted path of names, that keeps its case and any character.

    Args:
        names: Schema, table, column, … from the outside in.

    Example:
        >>> quoted("my schema", 'the "best" table')
        '"my schema"."the ""best"" table"'
    """
    return ".".join('"' + name.replace('"', '""') + '"' for name in names)


def members(value: str) -> str:
    """SQL of the set that a text with delimiters holds: ``a|b``, ``{a,b}``, ``<a><b>``.

    Args:
        value: SQL of the text; NULL gives NULL, what holds no word an empty set.

    Example:
        >>> "list_distinct" in members("tags")
        True
    """
    text = f"CAST({value} AS VARCHAR)"
    marks = f"CASE WHEN starts_with(ltrim({text}), '[') THEN ' ''' ELSE ' ' END"
    parts = f"regexp_extract_all({text}, '[^<>{{}}\\[\\]|;,\"]+')"
    trimmed = f"list_transform({parts}, lambda part: trim(part, {marks}))"
    return f"list_distinct(list_filter({trimmed}, lambda part: part <> ''))"


def literal(value: object) -> str:
    """A value as a SQL literal.

    Args:
        value: None, bool, int, float, Decimal, str, bytes, date, datetime or a list
            of them. A time with a zone becomes UTC.

    Raises:
        InputError: If it is of another type.

    Example:
        >>> print(literal("O'Hara"), literal(dt.datetime(2024, 5, 1)), literal([1]))
        'O''Hara' TIMESTAMP '2024-05-01 00:00:00' [1]
    """
    if isinstance(value, list | tuple):
        return f"[{', '.join(literal(item) for item in value)}]"
    for kinds, write in _LITERALS:
        if isinstance(value, kinds):
            return write(value)
    raise InputError(
        "value",
        f"{value!r} of type {type(value).__name__}",
        "give a number, text, a truth value or a time",
    )


def _time(value: dt.datetime) -> str:
    if value.tzinfo is not None:
        value = value.astimezone(dt.timezone.utc).replace(tzinfo=None)
    return f"TIMESTAMP '{value.isoformat(sep=' ')}'"


def _float(value: float) -> str:
    return f"'{value!r}'::DOUBLE" if value - value != 0 else f"{value!r}::DOUBLE"


# A bool is an int and a datetime is a date: the narrower type stands first.
_LITERALS: tuple[tuple[type, Callable[[Any], str]], ...] = (
    (type(None), lambda _: "NULL"),
    (bool, lambda value: "TRUE" if value else "FALSE"),
    (int, lambda value: str(int(value))),
    (float, lambda value: _float(float(value))),
    (Decimal, str),
    (str, lambda value: "'" + str(value).replace("'", "''") + "'"),
    (bytes, lambda value: f"from_hex('{value.hex()}')"),
    (dt.datetime, _time),
    (dt.date, lambda value: f"DATE '{value.isoformat()}'"),
)
