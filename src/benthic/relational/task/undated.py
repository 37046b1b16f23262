"""Which rows does no time of their own hide from the past?"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from benthic.relational.schema import Schema


def undated(schema: Schema, entity_table: str) -> Iterator[str]:
    """Notes on tables without a time of their own that predictions may rest on.

    Args:
        schema: The tables.
        entity_table: For whom is predicted; what no key connects with it is no input.

    Example:
        >>> from benthic.relational.schema import ForeignKey, Table
        >>> users = Table("users", {}, pkey_col="id")
        >>> bills = Table("bills", {}, fkeys=(ForeignKey("user", "users"),))
        >>> print(*undated(Schema({"users": users, "bills": bills}), "users"))
        always visible, for nothing says when their rows came: bills; if they came \
later, they tell the future: {tables: {bills: {ignore: true}}} in --overrides omits them
    """
    tables = [name for name in _connected(schema, entity_table) if name != entity_table]
    dating = {
        name: schema.dated_by(name)
        for name in tables
        if schema.tables[name].time_col is None
    }
    static = {name: _why(schema, name) for name, tables in dating.items() if not tables}
    lent = {name: f" (as {' and '.join(t)})" for name, t in dating.items() if t}
    for what, found in (
        ("always visible, for nothing says when their rows came", static),
        ("visible with the rows they point at, for they have no time", lent),
    ):
        if found:
            yield f"{what}: {_named(found)}; {_advice(schema, found)}"


def _connected(schema: Schema, table: str) -> list[str]:
    """Tables that keys connect with one, in the order of the schema."""
    found, waiting = {table}, [table]
    while waiting:
        name = waiting.pop()
        near = {key.table for key in schema.tables[name].fkeys}
        near |= {child for child, _ in schema.children[name]}
        waiting += near - found
        found |= near
    return [name for name in schema.tables if name in found]


def _why(schema: Schema, table: str) -> str:
    choice = schema.tables[table].choices.get("time_col")
    return f" ({choice.reason.removeprefix('static: ')})" if choice else ""


def _named(found: Mapping[str, str]) -> str:
    return ", ".join(name + why for name, why in found.items())


def _advice(schema: Schema, found: Iterable[str]) -> str:
    # Rows that point somewhere are counted; of the others only the values are read.
    first = max(found, key=lambda name: bool(schema.tables[name].fkeys))
    return (
        "if they came later, they tell the future: "
        f"{{tables: {{{first}: {{ignore: true}}}}}} in --overrides omits them"
    )
