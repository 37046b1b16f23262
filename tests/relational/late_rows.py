"""Another future: rows later than a moment perturbed, deleted or invented."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from benthic.relational.database import Database
from benthic.relational.engines import AnyEngine, RankingEngine
from benthic.relational.schema import Schema, Table

ATTACKS = ("perturb", "delete", "invent")
NEWCOMER = 900_001
"""Key of those whom only invented rows know, if with one in tables without times."""

STRANGER = 990_001
"""Key of those whom only invented rows know, and only rows with a time."""

_NUM_INVENTED = 60


def read(db: Database) -> dict[str, pd.DataFrame]:
    """All tables in the order of the source, with ``_time``: when each row appears."""
    return {
        name: db.frame(
            f"SELECT * EXCLUDE (_row) FROM {db.relation(name)} ORDER BY _row"
        )
        for name in db.schema.tables
    }


def opened(tables: Mapping[str, pd.DataFrame], schema: Schema) -> Database:
    """The tables as a database of known keys and times; types are inferred anew."""
    declared = {
        name: {
            "pkey": table.pkey_col,
            "time": table.time_col,
            "end_time": table.end_time_col,
            "fkeys": {key.column: key.table for key in table.fkeys},
            "stypes": {
                c.name: str(c.stype)
                for c in table.columns.values()
                if c.choice.confidence == 1 or c.stype == "timestamp"
            },
        }
        for name, table in schema.tables.items()
    }
    plain = {name: rows.drop(columns="_time") for name, rows in tables.items()}
    return Database.open(plain, overrides={"tables": declared})


@dataclass(frozen=True)
class Attack:
    """What becomes of the rows that no prediction at a moment may depend on.

    Args:
        schema: Of the tables.
        moment: Of the seeds.
        how: One of ``ATTACKS``.
        strict: Whether rows at the moment itself are late, too.
        seed: Of what is drawn.
    """

    schema: Schema
    moment: pd.Timestamp
    how: str
    strict: bool = False
    seed: int = 0

    def __call__(self, tables: Mapping[str, pd.DataFrame]) -> dict[str, pd.DataFrame]:
        """The same tables with another future; each needs its ``_time``."""
        rng = np.random.default_rng(self.seed)
        keys = {
            name: tables[name][table.pkey_col].to_numpy()
            for name, table in self.schema.tables.items()
            if table.pkey_col is not None
        }
        change = {
            "perturb": self._perturbed,
            "delete": lambda rows, table, keys, rng: rows[~self._is_late(rows)],
            "invent": self._invented,
        }[self.how]
        return {
            name: change(rows, self.schema.tables[name], keys, rng).reset_index(
                drop=True
            )
            for name, rows in tables.items()
        }

    def _is_late(self, rows: pd.DataFrame) -> np.ndarray:
        times = rows["_time"]
        return np.asarray(times >= self.moment if self.strict else times > self.moment)

    def _perturbed(
        self,
        rows: pd.DataFrame,
        table: Table,
        keys: Mapping[str, np.ndarray],
        rng: np.random.Generator,
    ) -> pd.DataFrame:
        return _changed(rows, self._is_late(rows), table, keys, rng)

    def _invented(
        self,
        rows: pd.DataFrame,
        table: Table,
        keys: Mapping[str, np.ndarray],
        rng: np.random.Generator,
    ) -> pd.DataFrame:
        """Rows that nobody wrote, some of them newcomers', first in the source."""
        is_seen = table.time_col is None and (
            table.fkeys or rows["_time"].notna().any()
        )  # a new row without time that points at others is a neighbor at all times
        if rows.empty or is_seen:
            return rows
        size = 1 if table.time_col is None else _NUM_INVENTED
        more = rows.sample(size, replace=True, random_state=rng, ignore_index=True)
        more = _changed(more, np.ones(size, bool), table, keys, rng)
        if table.pkey_col is not None:
            more[table.pkey_col] = _fresh(rows[table.pkey_col], size)
        if table.time_col is not None:
            first = self.moment if self.strict else self.moment + pd.Timedelta(1, "us")
            hours = rng.integers(0, 24 * 300, size)
            hours[:5] = 0  # as early as they may be
            more[table.time_col] = (first + pd.to_timedelta(hours, "h")).as_unit("us")
            for key in table.fkeys:
                if pd.api.types.is_numeric_dtype(rows[key.column]):
                    more.loc[size - 10 :, key.column] = NEWCOMER
                    more.loc[size - 5 :, key.column] = STRANGER
        return pd.concat([more, rows], ignore_index=True)


def _fresh(keys: pd.Series, size: int) -> Any:
    if pd.api.types.is_numeric_dtype(keys):
        return np.arange(NEWCOMER, NEWCOMER + size)
    return [f"new {i}" for i in range(size)]


def _changed(
    rows: pd.DataFrame,
    where: np.ndarray,
    table: Table,
    keys: Mapping[str, np.ndarray],
    rng: np.random.Generator,
) -> pd.DataFrame:
    """Some rows say other things, and those with a time of their own of others."""
    rows, targets = rows.copy(), {key.column: key.table for key in table.fkeys}
    for name in rows.columns.drop("_time"):
        if name in (table.pkey_col, table.time_col, table.end_time_col):
            continue
        if name not in targets:
            rows[name] = _wild(rows[name], where, rng)
        elif table.time_col is not None:
            # Without one, the row would move in time with what it points at.
            rows.loc[where, name] = rng.choice(keys[targets[name]], int(where.sum()))
    return rows


def _wild(values: pd.Series, where: np.ndarray, rng: np.random.Generator) -> pd.Series:
    """Values with others at some places, as far off as their type allows."""
    size = int(where.sum())
    drawn: Any = [f"strange {i}" for i in rng.integers(0, 5, size)]
    if pd.api.types.is_bool_dtype(values):
        drawn = rng.random(size) < 0.5
    elif pd.api.types.is_datetime64_any_dtype(values):
        drawn = np.full(size, np.datetime64("2031-05-06", "us"))
    elif pd.api.types.is_numeric_dtype(values):
        drawn = rng.integers(-900_000, 900_000, size).astype(values.dtype)
    changed = values.copy()
    changed[where] = drawn
    return changed


def same(one: pd.DataFrame, other: pd.DataFrame) -> None:
    """Equal to the bit."""
    pd.testing.assert_frame_equal(one, other, check_exact=True)


def inputs(engine: AnyEngine, seeds: pd.DataFrame) -> pd.DataFrame:
    """What the models read."""
    if not isinstance(engine, RankingEngine):
        return pd.DataFrame(engine._design.matrix(seeds))
    pairs = engine._made().pairs(seeds)
    values = engine._made().values[pairs.value].astype(object)
    return pd.DataFrame(pairs.x).assign(seed=pairs.seed, value=values)
