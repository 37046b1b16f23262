"""Which columns of a row are aggregated, and as what?"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import TypeAlias

from benthic.relational.schema import Column, Schema, SType
from benthic.relational.sql import quoted

Json: TypeAlias = dict[str, object]

_NUMBERS = (SType.numerical, SType.boolean)
_CATEGORIES = (SType.categorical, SType.multicategorical, SType.id)


@dataclass(frozen=True)
class Reading:
    """How one column of a row table, or of a parent of its rows, is read.

    Args:
        column: The column.
        stype: Its semantic type.
        parent: Table that holds the column, when it is a parent's.
        key: Foreign key column of the row table that leads to the parent.
        common: The commonest values before the training cutoff, as text: their shares
            are aggregated.
        missing: Whether the share of missing values is worth a feature.
    """

    column: str
    stype: SType
    parent: str | None = None
    key: str | None = None
    common: tuple[str, ...] = ()
    missing: bool = False

    @property
    def name(self) -> str:
        """``column`` or ``key.column``; a name with a dot stands in quotes."""
        parts = (self.column,) if self.key is None else (self.key, self.column)
        return ".".join(quoted(part) if "." in part else part for part in parts)

    @property
    def is_number(self) -> bool:
        """Whether values are averaged."""
        return self.stype in (*_NUMBERS, SType.timestamp)

    @property
    def is_category(self) -> bool:
        """Whether values are told apart."""
        return self.stype in _CATEGORIES

    def to_json(self) -> Json:
        """As plain JSON."""
        return {**asdict(self), "stype": str(self.stype), "common": list(self.common)}

    @classmethod
    def from_json(cls, found: Json) -> Reading:
        """The inverse of ``to_json``."""
        values = dict(found)
        values["stype"] = SType(str(values["stype"]))
        values["common"] = tuple(values["common"])  # type: ignore[arg-type]
        return cls(**values)  # type: ignore[arg-type]


def readable_columns(
    schema: Schema, table: str, without: tuple[str, ...]
) -> list[Reading]:
    """Columns of a table, then of the parents of its rows, that can be aggregated.

    Args:
        schema: The tables.
        table: The row table.
        without: Foreign key columns of the row table that the path itself uses.
    """
    found = list(_own_columns(schema, table, without))
    for key in schema.tables[table].fkeys:
        if key.column in without or key.table == table:
            continue
        found += [
            Reading(column.name, column.stype, key.table, key.column)
            for column in _plain_columns(schema, key.table)
            if column.stype is not SType.timestamp
        ]
    return found


def _own_columns(
    schema: Schema, table: str, without: tuple[str, ...]
) -> Iterator[Reading]:
    for column in _plain_columns(schema, table):
        yield Reading(column.name, column.stype)
    for key in schema.tables[table].fkeys:
        if key.column not in without:
            yield Reading(key.column, SType.id)


def _plain_columns(schema: Schema, table: str) -> Iterator[Column]:
    known = schema.tables[table]
    skipped = {
        known.pkey_col,
        known.time_col,
        known.end_time_col,
        *known.fkey_col_to_pkey_table,
    }
    for column in known.columns.values():
        if column.name not in skipped and column.stype is not SType.text:
            yield column
