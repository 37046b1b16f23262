"""Do the tables and columns exist, and how does the database spell them?"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import TypeVar

from benthic.relational.query import canonical, wording
from benthic.relational.query.faults import Faults
from benthic.relational.query.tree import Clauses, ColumnRef, Expression, Place, Star
from benthic.relational.query.walking import Node, rebuilt
from benthic.relational.schema import Column, Schema, Table

Found = TypeVar("Found")


def resolved(clauses: Clauses, schema: Schema, faults: Faults) -> Clauses:
    """The same clauses with every name as the database spells it.

    Names match exactly, else without regard to case if that is unique. What matches
    nothing is noted as a fault and left as it was written.
    """

    def change(node: Node) -> Node:
        if isinstance(node, ColumnRef):
            return _column(node, schema, faults)
        if isinstance(node, Star):
            table = _table(node.table, node.place, schema, faults)
            return node if table is None else replace(node, table=table.name)
        return node

    def renewed(node: Expression | None) -> Expression | None:
        return None if node is None else rebuilt(node, change)

    return replace(
        clauses,
        target=rebuilt(clauses.target, change),
        entity=_column(clauses.entity, schema, faults),
        where=renewed(clauses.where),
        assuming=renewed(clauses.assuming),
    )


def column_of(reference: ColumnRef, schema: Schema) -> Column | None:
    """The column a resolved reference means; None if there is none."""
    table = schema.tables.get(reference.table)
    return None if table is None else table.columns.get(reference.name)


def found_table(schema: Schema | None, word: str) -> Table | None:
    """The table a word means, if it means one."""
    return None if schema is None else _match(word, schema.tables)


def table_list(schema: Schema) -> str:
    """What to expect where a table is named."""
    return f"a table of this database: {wording.listed(sorted(schema.tables))}"


def column_list(table: Table) -> str:
    """What to expect where a column of this table is named."""
    names = (canonical.name(column, after_dot=True) for column in table.columns)
    return f"a column of {table.name}: {wording.listed(sorted(names))}"


def columns_named(word: str, schema: Schema) -> list[str]:
    """``table.column`` of all columns of exactly this name, primary keys first."""
    owners = [table for table in schema.tables.values() if word in table.columns]
    owners.sort(key=lambda table: table.pkey_col != word)
    return [canonical.expression(ColumnRef(table.name, word)) for table in owners]


def _match(word: str, names: Mapping[str, Found]) -> Found | None:
    if word in names:
        return names[word]
    alike = [name for name in names if name.casefold() == word.casefold()]
    return names[alike[0]] if len(alike) == 1 else None


def _table(word: str, place: Place, schema: Schema, faults: Faults) -> Table | None:
    found = _match(word, schema.tables)
    if found is None:
        near = wording.nearest(word, schema.tables)
        faults.add(
            "unknown name",
            place,
            f"no table named {canonical.name(word)}",
            "a table of this database" if near else table_list(schema),
            wording.did_you_mean(_quoted(near)),
        )
    return found


def _column(node: ColumnRef, schema: Schema, faults: Faults) -> ColumnRef:
    table = _table(node.table, node.place, schema, faults)
    if table is None:
        return node
    found = _match(node.name, table.columns)
    if found is not None:
        return replace(node, table=table.name, name=found.name)
    written = canonical.name(node.name, after_dot=True)
    near = wording.nearest(node.name, table.columns)
    elsewhere = columns_named(node.name, schema)
    expected = column_list(table)
    suggestion = wording.did_you_mean(
        [canonical.expression(ColumnRef(table.name, name)) for name in near]
    )
    if elsewhere and not near:
        expected = f"a column of {table.name}"
        owner = elsewhere[0].rsplit(".", 1)[0]
        suggestion = f"{owner} has a column {written}: " + str(
            wording.did_you_mean(elsewhere[:3])
        )
    faults.add(
        "unknown name",
        node.place,
        f"table {table.name} has no column {written}",
        expected,
        suggestion,
    )
    return node


def _quoted(names: Iterable[str]) -> list[str]:
    return [canonical.name(name) for name in names]
