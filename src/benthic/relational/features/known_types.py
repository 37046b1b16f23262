"""What do columns mean, as far as the rows up to some time can tell?"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from benthic.relational.database import Database
from benthic.relational.features.row_source import is_timed
from benthic.relational.inference.profile import column_profiles
from benthic.relational.inference.stypes import stored_stype
from benthic.relational.schema import Column, SType, Table
from benthic.relational.sources.source import SAMPLE_ROWS
from benthic.relational.sql import quoted

Types = Mapping[str, Mapping[str, str]]
"""Table -> column -> semantic type; plain JSON."""


def known_types(db: Database, until: int) -> Types:
    """Semantic types of the columns whose values decide them, as of a time.

    A schema is inferred from all rows, and whether a column is a kind or a text may
    hang on rows later than a seed. What a model reads must not: each such column of a
    table with times is judged again, by the rows up to the training cutoff. What the
    database or the user said stays, and so do keys, times, and texts that are read as
    numbers or truth values.

    Args:
        db: The database.
        until: The training cutoff in microseconds.

    Example:
        >>> import pandas as pd
        >>> days = pd.date_range("2026-01-01", periods=40)
        >>> words = [f"word {i}" for i in range(10)] + ["late"] * 30
        >>> db = Database.open({"notes": pd.DataFrame({"day": days, "said": words})})
        >>> str(db.schema.tables["notes"].columns["said"].stype)
        'categorical'
        >>> cutoff = int(days[9].timestamp() * 1e6)
        >>> known_types(db, cutoff)
        {'notes': {'said': 'text'}}
    """
    return {
        name: _types(db, table, open_columns, until)
        for name, table in db.schema.tables.items()
        if is_timed(db.schema, name) and (open_columns := list(_open(table)))
    }


def _open(table: Table) -> Iterator[Column]:
    """Columns that were given their type by their values."""
    fixed = {table.pkey_col, table.time_col, table.end_time_col}
    fixed |= set(table.fkey_col_to_pkey_table)
    for column in table.columns.values():
        certain = column.choice.confidence == 1 or column.stype is SType.timestamp
        if not (certain or column.expression or column.name in fixed):
            yield column


def _types(
    db: Database, table: Table, columns: Iterable[Column], until: int
) -> dict[str, str]:
    dtypes = {column.name: column.dtype for column in columns}
    relation = db.relation(table.name, dtypes)
    seen = f"FROM {relation} WHERE epoch_us(_time) <= {until}"
    ((count,),) = db.query(f"SELECT count(*) {seen}")
    names = ", ".join(map(quoted, dtypes))
    # By content: neither a later row nor the order of rows changes what is drawn.
    share = -(-count // SAMPLE_ROWS)
    drawn = f" AND hash(_time, {names}) % {share} = 0" if share > 1 else ""
    sample = f"(SELECT {names} {seen}{drawn})"
    profiles = column_profiles(dtypes, sample, db.query, num_rows=count)
    return {name: str(stored_stype(profile)) for name, profile in profiles.items()}
