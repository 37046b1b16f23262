"""Literals of a query as SQL, in the type of what stands beside them."""

from __future__ import annotations

import datetime as dt

from benthic.relational.query import literals
from benthic.relational.query.tree import Value
from benthic.relational.sql import literal


def _boolean(value: Value) -> str:
    return f"TRY_CAST({literal(str(value))} AS BOOLEAN)"


def _text(value: Value) -> str:
    return literal(str(value).lower() if isinstance(value, bool) else str(value))


def _time(value: Value) -> str:
    if isinstance(value, str):
        value = literals.date(value)
    return literal(value) if isinstance(value, dt.datetime) else "NULL"


_BY_DTYPE = {
    "BOOLEAN": _boolean,
    "VARCHAR": _text,
    "TIMESTAMP": _time,
    "DATE": _time,
}


def literal_sql(value: Value, dtype: str | None = None) -> str:
    """A literal beside a value of DuckDB type ``dtype``.

    Keys and categories may be stored as text or as numbers; the literal follows the
    column, never the column the literal.

    Args:
        value: What the query says.
        dtype: Type of the other side; None if it has none of its own.

    Example:
        >>> literal_sql(7, "VARCHAR"), literal_sql(1, "BOOLEAN"), literal_sql(0.5)
        ("'7'", "TRY_CAST('1' AS BOOLEAN)", '0.5::DOUBLE')
        >>> literal_sql("x", "BIGINT")
        "TRY_CAST('x' AS BIGINT)"
    """
    if value is None:
        return "NULL"
    if dtype is None:
        return literal(value)
    plain = dtype.split("(")[0].split(" ")[0]
    if plain in _BY_DTYPE:
        return _BY_DTYPE[plain](value)
    if plain == "ENUM":
        return _text(value)
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    # A number stays as it is: 2.5 beside a column of integers is no integer.
    return literal(value) if is_number else f"TRY_CAST({literal(value)} AS {dtype})"
