"""When does a row become visible?  Its ``_time``, as SQL."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass

from benthic.relational.schema import Column, Schema, Table
from benthic.relational.sql import quoted

Raw = Callable[[str, Collection[str]], str]
"""From a table and columns of it to the quoted name of its raw relation."""

_NEVER = "'infinity'::TIMESTAMP"


def select_rows(schema: Schema, table: str, columns: Collection[str], raw: Raw) -> str:
    """SELECT of a table's normalized columns with ``_time`` and ``_row``.

    ``_time`` is the row's own time or, in a table without time column, the latest
    ``_time`` of the rows it points at: NULL if it points at none that exist, or at one
    that is never visible. A chain of keys that comes back to a table stops there.

    Args:
        schema: The tables.
        table: Which one.
        columns: The columns to show.
        raw: Where the raw relations are.
    """
    facts = schema.tables[table]
    timing = _timing(schema, facts, (table,), raw)
    relation = raw(table, raw_columns(facts, columns) | timing.columns)
    shown = [f"{_value(facts.columns[name])} AS {quoted(name)}" for name in columns]
    what = ", ".join([*shown, f"{timing.time} AS _time", "_row"])
    return f"SELECT {what} FROM {relation}{timing.joins}"


def raw_columns(table: Table, columns: Collection[str]) -> set[str]:
    """The columns as stored that normalized ones are made of."""
    return {
        stored
        for name in columns
        for stored in (table.columns[name].sources or (name,))
    }


@dataclass(frozen=True)
class _Timing:
    """``_time`` as SQL, the joins it needs, and the raw columns that these read."""

    time: str = "NULL::TIMESTAMP"
    joins: str = ""
    columns: frozenset[str] = frozenset()

    @property
    def is_static(self) -> bool:
        return not self.columns


def _timing(schema: Schema, table: Table, seen: tuple[str, ...], raw: Raw) -> _Timing:
    if table.time_col is not None:
        time = f"CAST({_value(table.columns[table.time_col])} AS TIMESTAMP)"
        return _Timing(time, "", frozenset(raw_columns(table, [table.time_col])))
    times: list[str] = []
    joins: list[str] = []
    columns: set[str] = set()
    for key in table.fkeys:
        parent = schema.tables[key.table]
        if key.table in seen or parent.pkey_col is None:
            continue
        rows = _times_of(schema, parent, (*seen, key.table), raw)
        if rows is None:
            continue
        # The depth keeps the names of a join apart from those of a join within it.
        alias = quoted(f"\x1fparent{len(seen)}.{len(joins)}")
        own = _value(table.columns[key.column])
        kind = parent.columns[parent.pkey_col].dtype
        if table.columns[key.column].dtype != kind:
            own = f"TRY_CAST({own} AS {kind})"
        joins.append(f" LEFT JOIN ({rows}) {alias} ON {own} = {alias}.{_KEY}")
        times.append(f"{alias}.{_LATEST}")
        columns |= raw_columns(table, [key.column])
    if not times:
        return _Timing()
    latest = f"nullif(greatest({', '.join(times)}), {_NEVER})"
    return _Timing(latest, "".join(joins), frozenset(columns))


_KEY, _LATEST = quoted("\x1fkey"), quoted("\x1flatest")


def _times_of(
    schema: Schema, table: Table, seen: tuple[str, ...], raw: Raw
) -> str | None:
    """SELECT of each key with the latest time of its rows; None in a static table."""
    timing = _timing(schema, table, seen, raw)
    if timing.is_static:
        return None
    key = str(table.pkey_col)
    relation = raw(table.name, raw_columns(table, [key]) | timing.columns)
    value = _value(table.columns[key])
    # Grouped, so that a key that occurs twice does not make two rows of one child,
    # and DuckDB leaves the join out where nobody asks for the time.
    return (
        f"SELECT {value} AS {_KEY}, max(coalesce({timing.time}, {_NEVER})) AS {_LATEST}"
        f" FROM {relation}{timing.joins} GROUP BY {value}"
    )


def _value(column: Column) -> str:
    return column.expression or quoted(column.name)
