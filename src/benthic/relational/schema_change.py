"""Does a database still have the schema that a model was fitted on?"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from benthic.relational.schema import Schema, Table


def written_schema(schema: Schema) -> dict[str, Any]:
    """What of a schema a fitted model relies on, as plain values.

    Args:
        schema: Of the database that the model was fitted on.
    """
    return {name: _written_table(table) for name, table in schema.tables.items()}


def _written_table(table: Table) -> dict[str, Any]:
    return {
        "primary key": table.pkey_col,
        "time column": table.time_col,
        "end time column": table.end_time_col,
        "foreign keys": dict(sorted(table.fkey_col_to_pkey_table.items())),
        "columns": {column.name: column.dtype for column in table.columns.values()},
    }


def schema_changes(written: Mapping[str, Any], schema: Schema) -> list[str]:
    """What has changed so that a fitted model no longer fits; nothing if it does.

    Tables and columns that came are no change: the model does not read them. Nor is a
    semantic type that later rows changed: a model keeps those that it was fitted with.

    Args:
        written: What :func:`written_schema` gave.
        schema: Of the database now.

    Example:
        >>> from benthic.relational.schema import Column, SType
        >>> was = Schema({"a": Table("a", {"n": Column("n", "BIGINT", SType.id)}, "n")})
        >>> schema_changes(written_schema(was), Schema({}))
        ['table a is gone']
        >>> schema_changes(written_schema(was), Schema({"a": Table("a", {}, "n")}))
        ['column a.n is gone']
    """
    changes: list[str] = []
    for name, before in written.items():
        table = schema.tables.get(name)
        if table is None:
            changes.append(f"table {name} is gone")
        else:
            changes += _table_changes(name, before, _written_table(table))
    return changes


def _table_changes(
    name: str, before: Mapping[str, Any], now: Mapping[str, Any]
) -> Iterator[str]:
    for word in ("primary key", "time column", "end time column"):
        if before[word] != now[word]:
            yield f"the {word} of {name} was {before[word]} and is {now[word]}"
    for column, parent in before["foreign keys"].items():
        found = now["foreign keys"].get(column)
        if found != parent and column in now["columns"]:
            where = f"points at {found}" if found else "is no foreign key"
            yield f"{name}.{column} pointed at {parent} and {where}"
    for column, kind in before["columns"].items():
        found = now["columns"].get(column)
        if found is None:
            yield f"column {name}.{column} is gone"
        elif found != kind:
            yield f"{name}.{column} was {kind} and is {found}"
