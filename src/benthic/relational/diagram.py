"""A schema as rows for a table, as JSON and as a drawing."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from benthic.relational.schema import Choice, Column, Schema, Table

_UNSAFE = re.compile(r"[^A-Za-z0-9_]+")


def table_rows(schema: Schema) -> list[dict[str, str]]:
    """One row a table: its rows, key, time and links, each with how sure we are.

    Args:
        schema: What to show.

    Example:
        >>> from benthic.relational.schema import SType
        >>> key = Column("id", "BIGINT", SType.id)
        >>> users = Table("users", {"id": key}, pkey_col="id", num_rows=1200)
        >>> table_rows(Schema({"users": users}))[0]["rows"]
        '1,200'
    """
    return [
        {
            "table": table.name,
            "rows": f"{table.num_rows:,}",
            "pkey": _shown(table.pkey_col, table.choices.get("pkey_col")),
            "time_col": _time(schema, table),
            "end_time_col": _shown(
                table.end_time_col, table.choices.get("end_time_col")
            ),
            "fkeys": "\n".join(
                f"{key.column} -> {key.table}{_sure(key.choice)}" for key in table.fkeys
            ),
        }
        for table in schema.tables.values()
    ]


def column_rows(schema: Schema, table: str) -> list[dict[str, str]]:
    """One row a column of a table: its type, semantic type, part in the table and why.

    Args:
        schema: What to show.
        table: Name of the table.
    """
    shown = schema.tables[table]
    return [
        {
            "column": column.name,
            "dtype": column.dtype,
            "stype": str(column.stype),
            "part": _part(shown, column.name),
            "reason": _why(shown, column).reason,
            "confidence": f"{_why(shown, column).confidence:.2f}",
        }
        for column in shown.columns.values()
    ]


def problem_rows(schema: Schema) -> list[dict[str, str]]:
    """One row a problem, in the order of the tables.

    Args:
        schema: What to show.
    """
    order = {name: position for position, name in enumerate(schema.tables)}
    problems = sorted(
        schema.problems, key=lambda problem: order.get(problem.table, len(order))
    )
    return [
        {
            "table": problem.table,
            "column": problem.column or "",
            "problem": problem.text,
        }
        for problem in problems
    ]


def schema_to_json(schema: Schema) -> dict[str, Any]:
    """The whole schema as what ``json.dumps`` takes, with reasons and confidences.

    Args:
        schema: What to write.

    Example:
        >>> schema_to_json(Schema({}))
        {'tables': [], 'problems': []}
    """
    return {
        "tables": [_table_to_json(schema, table) for table in schema.tables.values()],
        "problems": [
            {"table": problem.table, "column": problem.column, "text": problem.text}
            for problem in schema.problems
        ],
    }


def schema_diagram(schema: Schema) -> str:
    """The schema as a Mermaid ``erDiagram``: keys and times, and who points at whom.

    A link that was inferred is dashed, one that was declared is drawn through.

    Args:
        schema: What to draw.

    Example:
        >>> from benthic.relational.schema import SType
        >>> key = Column("id", "BIGINT", SType.id)
        >>> users = Table("users", {"id": key}, pkey_col="id")
        >>> print(schema_diagram(Schema({"users": users})))
        erDiagram
            t0["users"] {
                BIGINT id PK
            }
    """
    names = {name: f"t{position}" for position, name in enumerate(schema.tables)}
    lines = ["erDiagram"]
    for table in schema.tables.values():
        lines.append(f"    {names[table.name]}[{_label(table.name)}] {{")
        lines.extend(_entity(table))
        lines.append("    }")
    for table in schema.tables.values():
        for key in table.fkeys:
            line = "--" if key.choice.confidence == 1 else ".."
            lines.append(
                f"    {names[key.table]} ||{line}o{{ {names[table.name]} : "
                f"{_label(key.column)}"
            )
    return "\n".join(lines)


def _entity(table: Table) -> Iterator[str]:
    """Keys and times; a table of two hundred columns would hide its links."""
    for column in table.columns.values():
        part = _part(table, column.name)
        if part:
            marks = [mark for mark in ("PK", "FK") if mark in part.split(", ")]
            other = "" if set(part.split(", ")) <= {"PK", "FK"} else f' "{part}"'
            sign = f" {', '.join(marks)}" if marks else ""
            yield f"        {_word(column.dtype)} {_word(column.name)}{sign}{other}"


def _word(name: str) -> str:
    """A name that Mermaid reads as one: it knows no quotes around a column."""
    word = _UNSAFE.sub("_", name)
    return word if word[:1].isalpha() else f"c_{word}"


def _label(name: str) -> str:
    return '"' + name.replace('"', "'").replace("\n", " ") + '"'


def _part(table: Table, column: str) -> str:
    parts = {
        "PK": column == table.pkey_col,
        "FK": column in table.fkey_col_to_pkey_table,
        "time": column == table.time_col,
        "end time": column == table.end_time_col,
    }
    return ", ".join(part for part, holds in parts.items() if holds)


def _why(table: Table, column: Column) -> Choice:
    """Why a column plays its part: that of the key or time before that of its type."""
    for key in table.fkeys:
        if key.column == column.name:
            return key.choice
    named = {
        table.pkey_col: "pkey_col",
        table.time_col: "time_col",
        table.end_time_col: "end_time_col",
    }
    part = named.get(column.name)
    return table.choices.get(part, column.choice) if part else column.choice


def _sure(choice: Choice | None) -> str:
    return f" ({choice.confidence:.2f})" if choice and choice.confidence < 1 else ""


def _time(schema: Schema, table: Table) -> str:
    """The time column, or what says in its place when rows become visible."""
    if table.time_col is not None:
        return _shown(table.time_col, table.choices.get("time_col"))
    dating = schema.dated_by(table.name)
    return f"(as {' and '.join(dating)})" if dating else "(always visible)"


def _shown(column: str | None, choice: Choice | None) -> str:
    return "" if column is None else f"{column}{_sure(choice)}"


def _choice_to_json(choice: Choice | None) -> dict[str, Any]:
    choice = choice or Choice()
    return {"reason": choice.reason, "confidence": round(choice.confidence, 4)}


def _table_to_json(schema: Schema, table: Table) -> dict[str, Any]:
    return {
        "table": table.name,
        "num_rows": table.num_rows,
        "pkey_col": table.pkey_col,
        "time_col": table.time_col,
        "dated_by": list(schema.dated_by(table.name)),
        "end_time_col": table.end_time_col,
        "choices": {
            name: _choice_to_json(choice) for name, choice in table.choices.items()
        },
        "fkeys": [
            {"column": key.column, "table": key.table, **_choice_to_json(key.choice)}
            for key in table.fkeys
        ],
        "columns": [
            {
                "column": column.name,
                "dtype": column.dtype,
                "stype": str(column.stype),
                **_choice_to_json(column.choice),
            }
            for column in table.columns.values()
        ],
    }
