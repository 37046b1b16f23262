"""Keys of several columns as one column, in child and parent alike."""

from __future__ import annotations

from dataclasses import dataclass

from benthic.relational.declared import DeclaredTable
from benthic.relational.inference.profile import family
from benthic.relational.sql import quoted

_SEPARATOR = "chr(31)"  # the ASCII unit separator


@dataclass(frozen=True)
class KeyColumn:
    """A key as one column.

    Args:
        name: ``a+b`` for a key of the columns a and b.
        dtype: DuckDB's name of its type.
        sources: The raw columns it is made of.
        expression: SQL over the raw columns; "" for a raw column as it is.
    """

    name: str
    dtype: str
    sources: tuple[str, ...]
    expression: str = ""

    @property
    def sql(self) -> str:
        """The key, as SQL over the raw columns."""
        return self.expression or quoted(self.sources[0])


def key_column(table: DeclaredTable, columns: tuple[str, ...]) -> KeyColumn:
    """The key of a table as one column.

    Args:
        table: The table.
        columns: Columns of its key.

    Example:
        >>> table = DeclaredTable("t", {"a": "BIGINT", "b": "VARCHAR"})
        >>> print(key_column(table, ("a", "b")).expression)
        CAST("a" AS VARCHAR) || chr(31) || CAST("b" AS VARCHAR)
    """
    if len(columns) == 1:
        return KeyColumn(columns[0], table.columns[columns[0]], columns)
    parts = [f"CAST({quoted(column)} AS VARCHAR)" for column in columns]
    return KeyColumn(_name(table, columns), "VARCHAR", columns, _joined(parts))


def pointing_column(
    table: DeclaredTable,
    columns: tuple[str, ...],
    parent: DeclaredTable,
    key: KeyColumn,
) -> KeyColumn:
    """The columns that point at a parent as one column of the type of its key.

    Args:
        table: The child.
        columns: Its columns, in the order of ``key.sources``.
        parent: The table they point at.
        key: Its key.
    """
    parts = [
        _as_in_parent(column, table.columns[column], parent.columns[source])
        for column, source in zip(columns, key.sources, strict=True)
    ]
    if len(columns) == 1:
        as_is = parts[0] == quoted(columns[0])
        dtype = table.columns[columns[0]] if as_is else key.dtype
        return KeyColumn(columns[0], dtype, columns, "" if as_is else parts[0])
    texts = [f"CAST({part} AS VARCHAR)" for part in parts]
    return KeyColumn(_name(table, columns), "VARCHAR", columns, _joined(texts))


def _as_in_parent(column: str, dtype: str, parent_dtype: str) -> str:
    """The column as the parent stores it: text "007" and number 7 are not one key."""
    numbers = {"integer", "real"}
    one, other = family(dtype), family(parent_dtype)
    if one == other or {one, other} == numbers or "nothing" in {one, other}:
        return quoted(column)
    return f"TRY_CAST({quoted(column)} AS {parent_dtype})"


def _joined(parts: list[str]) -> str:
    return f" || {_SEPARATOR} || ".join(parts)


def _name(table: DeclaredTable, columns: tuple[str, ...]) -> str:
    name = "+".join(columns)
    while name in table.columns:
        name += "+"
    return name
