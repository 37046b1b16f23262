"""One path as SQL: its rows, the key each belongs to, when each becomes visible."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from benthic.relational.database import Database
from benthic.relational.features.columns import Reading
from benthic.relational.features.paths import Path
from benthic.relational.features.windows import DAY
from benthic.relational.schema import Schema
from benthic.relational.sql import quoted

ALWAYS = -(2**62)
"""The time of a row that no time reaches: earlier than everything."""


def key_hash(value: str) -> str:
    """SQL of the number by which a key or a category is told from others.

    63 bits of DuckDB's hash of the value as text; -1 for NULL. So a key of any type,
    composite ones included, is one integer.

    Args:
        value: SQL of the value.
    """
    return (
        f"CASE WHEN {value} IS NULL THEN -1"
        f" ELSE CAST(hash(CAST({value} AS VARCHAR)) >> 1 AS BIGINT) END"
    )


def typed_key(schema: Schema, table: str, value: str) -> str:
    """SQL of a key of ``table``, in the type of that table's primary key.

    A foreign key may be stored in another type than the key it points at: pandas keeps
    integers with gaps as floating point.

    Args:
        schema: The tables.
        table: The table that the key is of.
        value: SQL of the key.
    """
    known = schema.tables[table]
    return f"TRY_CAST({value} AS {known.columns[str(known.pkey_col)].dtype})"


def is_timed(schema: Schema, table: str) -> bool:
    """Whether any time reaches the table: its own, or that of a row it points at.

    Args:
        schema: The tables.
        table: Which one.
    """
    return bool(schema.dated_by(table))


@dataclass(frozen=True)
class RowSource:
    """The parts of a SELECT over the rows of one path.

    Args:
        tables: What follows FROM.
        condition: Which rows can be visible at all.
        key: The key of a row, as ``key_hash``.
        at: When a row becomes visible, in microseconds.
        values: One expression per reading, the number that is aggregated.
        raw: One expression per reading, a number or text.
    """

    tables: str
    condition: str
    key: str
    at: str
    values: tuple[str, ...]
    raw: tuple[str, ...]


def row_source(db: Database, path: Path, readings: Sequence[Reading]) -> RowSource:
    """The SELECT of one path.

    A row is visible once itself and every row on its chain to the key is. A parent's
    column is read only where the parent is not later than the row.

    Args:
        db: The database.
        path: Which rows.
        readings: Which columns of them.
    """
    schema, chain = db.schema, path.chain
    needed = [r.column for r in readings if r.key is None]
    needed += [c for c in (schema.tables[path.table].pkey_col,) if c is not None]
    needed += [key.column for key in schema.tables[path.table].fkeys]
    tables = f"{_relation(db, path.table, needed)} t0"
    for i, (table, column) in enumerate(
        zip(chain.tables[1:-1], chain.columns[:-1], strict=True), 1
    ):
        pkey = str(schema.tables[table].pkey_col)
        relation = _relation(db, table, [pkey, chain.columns[i]])
        tables += (
            f" JOIN {relation} t{i} ON t{i - 1}.{quoted(column)} = t{i}.{quoted(pkey)}"
        )
    timed = [
        f"t{i}._time"
        for i, table in enumerate(chain.tables[: max(len(chain), 1)])
        if is_timed(schema, table)
    ]
    at = (
        f"epoch_us(greatest({', '.join(timed)}))"
        if timed
        else f"CAST({ALWAYS} AS BIGINT)"
    )
    aliases: dict[str, str] = {}
    for key, parent in dict.fromkeys((r.key, r.parent) for r in readings):
        if key is not None and parent is not None:
            aliases[key] = f"p{len(aliases)}"
            tables += _parent_join(db, parent, key, aliases[key], readings)
    found = [_raw_value(db, path, reading, aliases, at) for reading in readings]
    # The entity's own row counts times from 1970, for there the seed gives the moment.
    origin = at if len(chain) else "0"
    last = max(len(chain) - 1, 0)
    key_col = (
        chain.columns[-1] if len(chain) else str(schema.tables[path.table].pkey_col)
    )
    key = typed_key(schema, chain.tables[-1], f"t{last}.{quoted(key_col)}")
    return RowSource(
        tables,
        " AND ".join(f"{time} IS NOT NULL" for time in timed) or "TRUE",
        key_hash(key),
        at,
        tuple(
            value_expression(r, v, origin) for r, v in zip(readings, found, strict=True)
        ),
        tuple(
            raw_expression(r, v, origin) for r, v in zip(readings, found, strict=True)
        ),
    )


def _relation(db: Database, table: str, columns: Sequence[str]) -> str:
    return str(db.relation(table, list(dict.fromkeys(columns))))


def _parent_join(
    db: Database, parent: str, key: str, alias: str, readings: Sequence[Reading]
) -> str:
    pkey = str(db.schema.tables[parent].pkey_col)
    columns = [pkey, *(r.column for r in readings if r.key == key)]
    relation = _relation(db, parent, columns)
    return f" LEFT JOIN {relation} {alias} ON t0.{quoted(key)} = {alias}.{quoted(pkey)}"


def _raw_value(
    db: Database, path: Path, reading: Reading, aliases: dict[str, str], at: str
) -> str:
    alias = "t0" if reading.key is None else aliases[reading.key]
    value = f"{alias}.{quoted(reading.column)}"
    if reading.parent is not None and is_timed(db.schema, reading.parent):
        value = f"(CASE WHEN epoch_us({alias}._time) <= {at} THEN {value} END)"
    pointed_at = db.schema.tables[path.table].fkey_col_to_pkey_table.get(reading.column)
    if reading.key is None and pointed_at is not None:
        return typed_key(db.schema, pointed_at, value)
    return value


def raw_expression(reading: Reading, value: str, at: str) -> str:
    """SQL of a value as a number, or as text where it is a category.

    Args:
        reading: What is read.
        value: SQL of the raw value.
        at: SQL of the moment that times are counted from, in microseconds.
    """
    if reading.is_category:
        return f"CAST({value} AS VARCHAR)"
    return value_expression(reading, value, at)


def value_expression(reading: Reading, value: str, at: str) -> str:
    """SQL of a value as the number that is aggregated.

    A number as it is, a time as days after ``at``, a category as its ``key_hash``.

    Args:
        reading: What is read.
        value: SQL of the raw value.
        at: SQL of the moment that times are counted from, in microseconds.
    """
    if reading.is_category:
        return key_hash(value)
    if str(reading.stype) == "timestamp":
        return f"((epoch_us(CAST({value} AS TIMESTAMP)) - {at}) / {float(DAY)})"
    return f"CAST({value} AS DOUBLE)"
