"""SQLite gives a type to each value; a column of ours has one type."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa


@dataclass(frozen=True)
class ColumnKind:
    """How values of one SQLite column become an Arrow array.

    Args:
        arrow: Type of the array.
        convert: From a value that is not NULL to one of that type; None if they are.
    """

    arrow: pa.DataType
    convert: Callable[[Any], Any] | None = None

    def array(self, values: Sequence[Any]) -> pa.Array:
        """Values, None for NULL, as an array."""
        if self.convert is not None:
            convert = self.convert
            values = [None if value is None else convert(value) for value in values]
        return pa.array(values, type=self.arrow)


def _text(value: object) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)


def _blob(value: object) -> bytes:
    return value if isinstance(value, bytes) else str(value).encode()


_KINDS = {
    "BIGINT": ColumnKind(pa.int64()),
    "DOUBLE": ColumnKind(pa.float64(), float),
    "VARCHAR": ColumnKind(pa.string(), _text),
    "BLOB": ColumnKind(pa.binary(), _blob),
    "BOOLEAN": ColumnKind(pa.bool_(), bool),
}


def column_kind(dtype: str) -> ColumnKind:
    """How to convert to a type that :func:`column_type` gave."""
    return _KINDS[dtype]


_BY_CLASS = {
    "integer": "BIGINT",
    "real": "DOUBLE",
    "integer,real": "DOUBLE",
    "blob": "BLOB",
}
_BY_DECLARATION = {
    "INT": "BIGINT",
    "BOOL": "BOOLEAN",
    "REAL": "DOUBLE",
    "FLOA": "DOUBLE",
    "DOUB": "DOUBLE",
    "DEC": "DOUBLE",
    "NUM": "DOUBLE",
    "BLOB": "BLOB",
}


def column_type(declaration: str, held: str) -> str:
    """DuckDB type that holds every value of a column.

    The values decide; the declaration decides for a column of NULLs, and that whole
    numbers are numbers with a fraction or truth values.

    Args:
        declaration: Type in CREATE TABLE; SQLite enforces none of it.
        held: Storage classes of the values, joined by commas (``"integer,null"``).

    Example:
        >>> column_type("NUMERIC(10,2)", "integer,real")
        'DOUBLE'
        >>> column_type("INTEGER", "integer,text")
        'VARCHAR'
    """
    classes = ",".join(sorted(set(held.split(",")) - {"null", ""}))
    upper = declaration.upper()
    if not classes:
        found = (kind for part, kind in _BY_DECLARATION.items() if part in upper)
        return next(found, "VARCHAR")
    if classes == "integer" and "BOOL" in upper:
        return "BOOLEAN"
    if classes == "integer" and any(part in upper for part in ("DEC", "NUM", "REAL")):
        return "DOUBLE"
    return _BY_CLASS.get(classes, "VARCHAR")
