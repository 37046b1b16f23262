"""Attacks on the future: rows later than a moment perturbed, deleted or invented."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from benthic.relational.database import Database
from benthic.relational.schema import Table

ATTACKS = ("perturb", "delete", "invent")
NEWCOMER = 900_001
"""Key of an entity that only invented rows name."""

_NUM_INVENTED = 60


def read(db: Database) -> dict[str, pd.DataFrame]:
    """All tables in the order of the source, with ``_time``: when each row appears."""
    return {
        name: db.frame(
            f"SELECT * EXCLUDE (_row) FROM {db.relation(name)} ORDER BY _row"
        )
        for name in db.schema.tables
    }


def opened(tables: Mapping[str, pd.DataFrame], like: Database) -> Database:
    """The tables as a database of the same schema, nothing inferred anew."""
    declared = {
        name: {
            "pkey": table.pkey_col,
            "time": table.time_col,
            "end_time": table.end_time_col,
            "fkeys": {key.column: key.table for key in table.fkeys},
            "stypes": {c.name: str(c.stype) for c in table.columns.values()},
        }
        for name, table in like.schema.tables.items()
    }
    plain = {name: rows.drop(columns="_time") for name, rows in tables.items()}
    return Database.open(plain, overrides={"tables": declared})


def attacked(
    tables: Mapping[str, pd.DataFrame],
    db: Database,
    moment: pd.Timestamp,
    how: str,
    *,
    strict: bool = False,
    seed: int = 0,
) -> dict[str, pd.DataFrame]:
    """The same tables with another future.

    Args:
        tables: As :func:`read` gives them.
        db: Where they are from.
        moment: Of the seeds: what is later must not matter.
        how: One of ``ATTACKS``.
        strict: Whether what is at the moment itself must not matter either.
        seed: Of what is drawn.
    """
    rng = np.random.default_rng(seed)
    changed = {}
    for name, rows in tables.items():
        late = rows["_time"] >= moment if strict else rows["_time"] > moment
        table = db.schema.tables[name]
        if how == "delete":
            changed[name] = rows[~late].reset_index(drop=True)
        elif how == "perturb":
            changed[name] = _perturbed(rows, late.to_numpy(), table, tables, db, rng)
        else:
            first = moment if strict else moment + pd.Timedelta(1, "us")
            changed[name] = _invented(rows, first, table, tables, db, rng)
    return changed


def _perturbed(
    rows: pd.DataFrame,
    late: np.ndarray,
    table: Table,
    tables: Mapping[str, pd.DataFrame],
    db: Database,
    rng: np.random.Generator,
) -> pd.DataFrame:
    """Late rows say other things, and those with a time of their own of others."""
    rows, targets = rows.copy(), {key.column: key.table for key in table.fkeys}
    for name in rows.columns.drop("_time"):
        if name in (table.pkey_col, table.time_col, table.end_time_col):
            continue
        if name not in targets:
            rows[name] = _wild(rows[name], late, rng)
        elif table.time_col is not None:
            # Else the row would move in time with what it points at.
            others = tables[targets[name]][_key(db, targets[name])]
            rows.loc[late, name] = rng.choice(others.to_numpy(), int(late.sum()))
    return rows


def _invented(
    rows: pd.DataFrame,
    first: pd.Timestamp,
    table: Table,
    tables: Mapping[str, pd.DataFrame],
    db: Database,
    rng: np.random.Generator,
) -> pd.DataFrame:
    """Rows that nobody wrote, before all others in the source, some of newcomers."""
    if table.time_col is None or rows.empty:
        return rows
    more = rows.sample(_NUM_INVENTED, replace=True, random_state=rng).copy()
    hours = rng.integers(0, 24 * 300, _NUM_INVENTED)
    hours[:5] = 0  # some as early as they may be
    more[table.time_col] = (first + pd.to_timedelta(hours, "h")).as_unit("us")
    everything = np.ones(_NUM_INVENTED, bool)
    more = _perturbed(more, everything, table, tables, db, rng)
    for key in table.fkeys:
        if str(rows[key.column].dtype) in ("int64", "Int64", "float64", "int32"):
            places = more.index[:0].append(more.index[-10:])
            more.loc[places, key.column] = NEWCOMER
    if table.pkey_col is not None:
        more[table.pkey_col] = np.arange(_NUM_INVENTED) + 5_000_000
    return pd.concat([more, rows], ignore_index=True)


def _wild(values: pd.Series, where: np.ndarray, rng: np.random.Generator) -> pd.Series:
    """The values with others, as far off as their type allows, at some places."""
    size = int(where.sum())
    drawn: Any = np.array([f"strange {i}" for i in rng.integers(0, 5, size)], object)
    if pd.api.types.is_bool_dtype(values):
        drawn = rng.random(size) < 0.5
    elif pd.api.types.is_datetime64_any_dtype(values):
        drawn = np.full(size, np.datetime64("2031-05-06", "us"))
    elif pd.api.types.is_numeric_dtype(values):
        drawn = rng.integers(-900_000, 900_000, size)
        drawn = drawn.astype(values.dtype.type, copy=False)
    changed = values.copy()
    changed[where] = drawn
    return changed


def _key(db: Database, table: str) -> str:
    return str(db.schema.tables[table].pkey_col)
