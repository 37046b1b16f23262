"""Who met which value, and when?  Read once from every table that knows."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from benthic.errors import InputError
from benthic.relational.database import Database
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
    time = row.time(Chain((one.table,)))
    sql = (
        f"SELECT {time} AS time, {', '.join(columns)} FROM {row.tables} "
        f"WHERE {time} IS NOT NULL ORDER BY ALL"
    )
    return db.frame(sql).dropna().reset_index(drop=True)
