"""What is the semantic type of an expression, and what may stand beside it?"""

from __future__ import annotations

import datetime as dt

from benthic.relational.query import canonical
from benthic.relational.query.names import column_of
from benthic.relational.query.tree import (
    Aggregate,
    Arithmetic,
    ColumnRef,
    Literal,
    Negative,
    Star,
    Value,
)
from benthic.relational.query.vocabulary import FUNCTIONS
from benthic.relational.query.walking import Node
from benthic.relational.schema import Column, Schema, SType

PREDICTABLE = frozenset(
    {SType.numerical, SType.categorical, SType.boolean, SType.multicategorical}
)

NUMBER, TEXT, BOOLEAN, TIME, SET = "number", "text", "boolean", "time", "set"

_STORED = (
    ("TIMESTAMP", TIME),
    ("DATE", TIME),
    ("BOOL", BOOLEAN),
    ("VARCHAR", TEXT),
    ("ENUM", TEXT),
    ("UUID", TEXT),
    ("DOUBLE", NUMBER),
    ("FLOAT", NUMBER),
    ("DECIMAL", NUMBER),
    ("TINYINT", NUMBER),
    ("SMALLINT", NUMBER),
    ("INTEGER", NUMBER),
    ("BIGINT", NUMBER),
    ("HUGEINT", NUMBER),
    ("UTINYINT", NUMBER),
    ("USMALLINT", NUMBER),
    ("UINTEGER", NUMBER),
    ("UBIGINT", NUMBER),
    ("UHUGEINT", NUMBER),
)
"""First letters of DuckDB's types, and the values they hold."""

_DECLARED = {
    SType.numerical: NUMBER,
    SType.boolean: BOOLEAN,
    SType.text: TEXT,
    SType.timestamp: TIME,
    SType.multicategorical: SET,
}


def stype(node: Node, schema: Schema) -> SType | None:
    """The semantic type of an expression; None where it has none or is not known.

    A condition is boolean, an aggregate has the type of its result.

    Args:
        node: Its names are as the schema spells them.
        schema: The database.
    """
    if isinstance(node, ColumnRef):
        column = column_of(node, schema)
        return None if column is None else column.stype
    if isinstance(node, Literal):
        return _of_value(node.value)
    if isinstance(node, Aggregate):
        return _of_aggregate(node, schema)
    if isinstance(node, Star):
        return None
    return (
        SType.numerical if isinstance(node, (Arithmetic, Negative)) else SType.boolean
    )


def is_number(node: Node, schema: Schema) -> bool:
    """Whether an expression can be summed and ordered.

    It is numerical, or a truth value that is stored as 0 and 1.

    Args:
        node: Its names are as the schema spells them.
        schema: The database.
    """
    found = stype(node, schema)
    is_stored_so = found is SType.boolean and NUMBER in families(node, schema)
    return found is SType.numerical or is_stored_so


def _of_value(value: Value) -> SType | None:
    if value is None:
        return None
    if isinstance(value, bool):
        return SType.boolean
    if isinstance(value, str):
        return SType.text
    return SType.timestamp if isinstance(value, dt.datetime) else SType.numerical


def _of_aggregate(node: Aggregate, schema: Schema) -> SType | None:
    if node.function in ("FIRST", "LAST"):
        return stype(node.argument, schema)
    if node.function == "LIST_DISTINCT":
        return SType.multicategorical
    return SType.numerical if node.function in FUNCTIONS else None


def families(node: Node, schema: Schema) -> frozenset[str]:
    """Which values may stand beside an expression; empty if that is not known.

    The semantic type decides; for keys and categories, how they are stored; a boolean
    column may be stored as a number or text.

    Args:
        node: Its names are as the schema spells them.
        schema: The database.
    """
    if isinstance(node, Aggregate) and node.function in ("FIRST", "LAST"):
        return families(node.argument, schema)
    if isinstance(node, ColumnRef):
        column = column_of(node, schema)
        return frozenset() if column is None else of_column(column)
    found = stype(node, schema)
    return frozenset({_DECLARED[found]} if found in _DECLARED else ())


def of_column(column: Column) -> frozenset[str]:
    """Which values may stand beside a column."""
    stored = next((kind for start, kind in _STORED if _starts(column, start)), None)
    declared = _DECLARED.get(column.stype)
    if column.stype is SType.boolean:
        return frozenset({BOOLEAN, *([stored] if stored else [])})
    chosen = declared or stored
    return frozenset({chosen} if chosen else ())


def _starts(column: Column, start: str) -> bool:
    return column.dtype.upper().startswith(start)


def members(node: Node, schema: Schema) -> frozenset[str]:
    """Which values a set may contain; empty if that is not known."""
    if isinstance(node, Aggregate) and node.function == "LIST_DISTINCT":
        return families(node.argument, schema)
    column = column_of(node, schema) if isinstance(node, ColumnRef) else None
    if column is None or not column.dtype.endswith("[]"):
        return frozenset()
    return frozenset(kind for start, kind in _STORED if _starts(column, start))


def is_key(node: Node, schema: Schema) -> bool:
    """Whether an expression is a primary or foreign key column."""
    if not isinstance(node, ColumnRef) or column_of(node, schema) is None:
        return False
    table = schema.tables[node.table]
    return node.name == table.pkey_col or is_foreign_key(node, schema)


def is_foreign_key(node: Node, schema: Schema) -> bool:
    """Whether an expression is a column that points at another table."""
    if not isinstance(node, ColumnRef) or node.table not in schema.tables:
        return False
    return node.name in schema.tables[node.table].fkey_col_to_pkey_table


def described(node: Node, schema: Schema) -> str:
    """An expression and its semantic type, in words.

    Args:
        node: Its names are as the schema spells them.
        schema: The database.
    """
    words = {
        SType.timestamp: "a time",
        SType.text: "text",
        SType.id: "a key",
        SType.multicategorical: "a set of values",
    }
    found = stype(node, schema)
    kind = "a key" if is_key(node, schema) else words.get(found, str(found))  # type: ignore[arg-type]
    return f"{canonical.expression(node)} is {kind}"
