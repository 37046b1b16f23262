"""Who met which value, and when?  Read once from every table that knows."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from benthic.errors import InputError
from benthic.relational.database import Database
from benthic.relational.features.row_source import is_timed
from benthic.relational.schema import Chain
from benthic.relational.task.lineage import Lineage

_MOST_HOPS = 3


@dataclass(frozen=True)
class VisitTable:
    """A table whose rows point at an entity and at a value.

    Args:
        table: Its name.
        to_entity: Foreign keys up to the entity; None where the rows know only values.
        to_value: Foreign keys up to the table of the value.
    """

    table: str
    to_entity: Chain | None
    to_value: Chain


def visit_tables(db: Database, entity_table: str, value_table: str) -> list[VisitTable]:
    """Tables with a time from which visits can be read, the nearest first.

    Args:
        db: The database.
        entity_table: Whose rows visit.
        value_table: Where the values are.

    Raises:
        InputError: If no table knows both.
    """
    found = []
    for name in db.schema.tables:
        to_value = _shortest(db, name, value_table)
        if to_value is None or name == entity_table or not _is_timed(db, name):
            continue
        found.append(VisitTable(name, _shortest(db, name, entity_table), to_value))
    if not any(one.to_entity for one in found):
        raise InputError(
            "query",
            f"no table with a time that points at {entity_table} and {value_table}",
            "rank values that some dated table connects with the entity",
        )
    return sorted(found, key=lambda one: (one.to_entity is None, _length(one)))


def _length(one: VisitTable) -> int:
    return len(one.to_value) + (len(one.to_entity) if one.to_entity else 0)


def _shortest(db: Database, table: str, ancestor: str) -> Chain | None:
    if table == ancestor:
        return Chain((table,))
    return next(db.schema.chains(table, ancestor, _MOST_HOPS), None)


def _is_timed(db: Database, table: str) -> bool:
    return db.schema.tables[table].time_col is not None


def read_visits(
    db: Database, one: VisitTable, entity_col: str, value_col: str
) -> pd.DataFrame:
    """``entity`` (if known), ``value`` and ``time`` of each row, ordered by time.

    The time is that of the latest row that must be read: a visit whose value stands in
    a row that appears later is unknown until then.

    Args:
        db: The database.
        one: Where to read.
        entity_col: Key of the entity table.
        value_col: Key or column of the value table.
    """
    row = Lineage(db, one.table)
    columns = [f"{row.column(one.to_value, value_col)} AS value"]
    if one.to_entity is not None:
        columns.append(f"{row.column(one.to_entity, entity_col)} AS entity")
    times = [row.time(chain) for chain in _timed_rows(db, one, value_col)]
    known = " AND ".join(f"{time} IS NOT NULL" for time in times)
    sql = (
        f"SELECT greatest({', '.join(times)}) AS time, {', '.join(columns)} "
        f"FROM {row.tables} WHERE {known} ORDER BY ALL"
    )
    return db.frame(sql).dropna().reset_index(drop=True)


def _timed_rows(db: Database, one: VisitTable, value_col: str) -> list[Chain]:
    """Chains to the rows that a visit is read from and that have a time."""
    ends = [one.to_value] if one.to_entity is None else [one.to_value, one.to_entity]
    rows = [
        Chain(chain.tables[: i + 1], chain.columns[:i])
        for chain in ends
        for i in range(len(chain))
    ]
    # A key is known from the row that points with it, any other column is not.
    if db.schema.tables[one.to_value.tables[-1]].pkey_col != value_col:
        rows.append(one.to_value)
    distinct = {chain.columns: chain for chain in [Chain((one.table,)), *rows]}
    return [row for row in distinct.values() if is_timed(db.schema, row.tables[-1])]
