"""Tables and columns that our engine can tell apart, and notes on the others."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from benthic.relational.declared import Declared, DeclaredTable
from benthic.relational.sources.source import RESERVED


def presentable(declared: Declared) -> Declared:
    """Leaves out what SQL without regard to case cannot name, and says so.

    Of names that differ only by case the first stays; columns called ``_time`` and
    ``_row`` go, since every relation of ours has its own; so does a key that holds or
    points at something left out.

    Args:
        declared: What a catalogue said.

    Example:
        >>> table = DeclaredTable("t", {"id": "BIGINT", "ID": "BIGINT"})
        >>> presentable(Declared({"t": table})).notes
        (('t', "column 'ID' is left out: its name is taken"),)
    """
    notes = list(declared.notes)
    kept = first_of_each(declared.tables)
    notes += [
        (name, "the table is left out: another's name differs only by case")
        for name in declared.tables
        if name not in kept
    ]
    tables = {}
    for name in kept:
        table = declared.tables[name]
        columns = [c for c in first_of_each(table.columns) if c.lower() not in RESERVED]
        tables[name] = replace(table, columns={c: table.columns[c] for c in columns})
        notes += [
            (name, f"column {column!r} is left out: its name is taken")
            for column in table.columns
            if column not in columns
        ]
    keyed = {name: _with_whole_keys(table, tables) for name, table in tables.items()}
    return Declared(keyed, tuple(notes))


def first_of_each(names: Iterable[str]) -> list[str]:
    """The names, of those that differ only by case the first.

    Args:
        names: In order.

    Example:
        >>> first_of_each(["id", "Total", "ID"])
        ['id', 'Total']
    """
    first: dict[str, str] = {}
    for name in names:
        first.setdefault(name.lower(), name)
    return list(first.values())


def _with_whole_keys(
    table: DeclaredTable, tables: dict[str, DeclaredTable]
) -> DeclaredTable:
    fkeys = tuple(
        key
        for key in table.fkeys
        if key.table in tables
        and set(key.columns) <= set(table.columns)
        and set(key.parent_columns) <= set(tables[key.table].columns)
    )
    whole = set(table.pkey) <= set(table.columns)
    return replace(table, fkeys=fkeys, pkey=table.pkey if whole else ())
