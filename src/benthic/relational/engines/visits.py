"""Who met which value, and when?  Read once from every table that knows."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import pandas as pd

from benthic.errors import InputError
from benthic.relational.database import Database
from benthic.relational.engines.engine import Target
from benthic.relational.features.row_source import is_timed
from benthic.relational.query import PredictiveQuery, canonical, paths
from benthic.relational.query.tree import Aggregate, ColumnRef, Expression
from benthic.relational.query.walking import columns
from benthic.relational.schema import Chain
from benthic.relational.task.expressions import scalar
from benthic.relational.task.lineage import Lineage, RowScope

_MOST_HOPS = 3


@dataclass(frozen=True)
class VisitTable:
    """A table whose rows point at an entity and at a value.

    Args:
        table: Its name.
        to_entity: Foreign keys up to the entity; None where the rows know only values.
        to_value: Foreign keys up to the table of the value.
        where: Which of its rows are visits; None for all.
    """

    table: str
    to_entity: Chain | None
    to_value: Chain
    where: Expression | None = None

    @property
    def name(self) -> str:
        """The table, with what distinguishes its rows."""
        if self.where is None:
            return self.table
        return f"{self.table} where {canonical.expression(self.where)}"


def visit_tables(db: Database, target: Target) -> list[VisitTable]:
    """Tables with a time from which visits can be read.

    The rows of which the target is made come first, read as its query reads them; then
    the other tables, the nearest first.

    Args:
        db: The database.
        target: Names the entity and the value.

    Raises:
        InputError: If no table knows both.
    """
    asked = list(_asked(db, target))
    others = [
        _nearest(db, target, name)
        for name in db.schema.tables
        if name not in {target.entity_table, *(one.table for one in asked)}
        and is_timed(db.schema, name)
    ]
    known = [one for one in others if one is not None]
    known.sort(key=lambda one: (one.to_entity is None, _length(one)))
    if not any(one.to_entity for one in (*asked, *known)):
        raise InputError(
            "query",
            f"no table with a time that points at {target.entity_table} and "
            f"{target.value_table}",
            "rank values that some dated table connects with the entity",
        )
    return [*asked, *known]


def _asked(db: Database, target: Target) -> Iterator[VisitTable]:
    """The rows that the target lists, and the others of their table."""
    if target.query is None:
        return
    wanted = PredictiveQuery.parse(target.query, db.schema).target
    assert isinstance(wanted, Aggregate)  # a column of the entity is no visit
    assert isinstance(wanted.argument, ColumnRef)
    table, column = wanted.argument.table, wanted.argument.name
    to_entity = paths.chain(wanted, target.entity_table, db.schema)
    parent = db.schema.tables[table].fkey_col_to_pkey_table.get(column)
    to_value = Chain((table,))
    if parent is not None:
        to_value = Chain((table, parent), (column,))
    one = VisitTable(table, to_entity, to_value, wanted.where)
    yield one
    if one.where is not None:
        # What is bought was looked at before: the rows left out speak, too.
        yield replace(one, where=None)


def _nearest(db: Database, target: Target, table: str) -> VisitTable | None:
    """A table read by the shortest chains; None if it knows no value."""
    to_value = _chains(db, table, str(target.value_table))
    to_entity = next(iter(_chains(db, table, target.entity_table)), None)
    # One key to the people does not tell who met whom.
    others = [chain for chain in to_value if chain != to_entity]
    if others:
        return VisitTable(table, to_entity, others[0])
    return VisitTable(table, None, to_value[0]) if to_value else None


def _chains(db: Database, table: str, ancestor: str) -> list[Chain]:
    if table == ancestor:
        return [Chain((table,))]
    return list(db.schema.chains(table, ancestor, _MOST_HOPS))


def _length(one: VisitTable) -> int:
    return len(one.to_value) + (len(one.to_entity) if one.to_entity else 0)


def read_visits(db: Database, one: VisitTable, target: Target) -> pd.DataFrame:
    """``entity`` (if known), ``value`` and ``time`` of each row, ordered by time.

    The time is that of the latest row that must be read: a visit whose value stands in
    a row that appears later is unknown until then.

    Args:
        db: The database.
        one: Where to read.
        target: Names the keys of the entity and of the value.
    """
    row = Lineage(db, one.table)
    shown = [f"{row.column(one.to_value, str(target.value_col))} AS value"]
    if one.to_entity is not None:
        shown.append(f"{row.column(one.to_entity, target.entity_col)} AS entity")
    times = [row.time(chain) for chain in _timed_rows(db, one, target)]
    conditions = [f"{time} IS NOT NULL" for time in times]
    if one.where is not None:
        conditions.append(f"({scalar(one.where, RowScope(row))})")
    sql = (
        f"SELECT greatest({', '.join(times)}) AS time, {', '.join(shown)} "
        f"FROM {row.tables} WHERE {' AND '.join(conditions)} ORDER BY ALL"
    )
    return db.frame(sql).dropna().reset_index(drop=True)


def _timed_rows(db: Database, one: VisitTable, target: Target) -> list[Chain]:
    """Chains to the rows that a visit is read from and that have a time."""
    rows = [Chain((one.table,))]
    for chain, column in _columns(db, one, target):
        # A key is known from the row that points with it, any other column is not.
        is_key = db.schema.tables[chain.tables[-1]].pkey_col == column
        known = len(chain) if is_key else len(chain) + 1
        rows += [Chain(chain.tables[: i + 1], chain.columns[:i]) for i in range(known)]
    distinct = {chain.columns: chain for chain in rows}
    return [row for row in distinct.values() if is_timed(db.schema, row.tables[-1])]


def _columns(
    db: Database, one: VisitTable, target: Target
) -> Iterator[tuple[Chain, str]]:
    """What is read of a visit: chains, and the columns at their ends."""
    yield one.to_value, str(target.value_col)
    if one.to_entity is not None:
        yield one.to_entity, target.entity_col
    for part in columns(one.where):
        yield paths.reach(one.table, part.table, db.schema), part.name
