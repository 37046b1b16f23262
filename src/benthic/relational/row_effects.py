"""What would have been predicted without one row?"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pandas as pd

from benthic.relational.database import Database
from benthic.relational.engines import AnyEngine
from benthic.relational.explanation import PathEffect, RowEffect
from benthic.relational.features.paths import Path, own_paths
from benthic.relational.sql import literal, quoted

_NUM_PATHS = 2
_NUM_ROWS = 8
_RANKING_HOPS = 3  # visits are read along so many keys


def row_effects(
    engine: AnyEngine,
    seeds: pd.DataFrame,
    cohort: pd.DataFrame,
    outcome: Any,
    effects: Sequence[PathEffect],
) -> tuple[RowEffect, ...]:
    """The entity's own latest rows on its strongest paths, each left out in turn.

    Args:
        engine: What predicts.
        seeds: One, or one for each frame of a forecast.
        cohort: Whom the entity is compared with.
        outcome: What is predicted of it: as :meth:`FeaturesEngine.answer` takes it.
        effects: Of the paths.
    """
    db, target = engine.db, engine.target
    hops = max(engine.options.num_hops, _RANKING_HOPS)
    known = {
        str(path): path for path in own_paths(db.schema, target.entity_table, hops)
    }
    ranked = sorted(effects, key=lambda each: -each.share)
    strongest = [known[each.path] for each in ranked if each.path in known]
    strongest = strongest[:_NUM_PATHS]
    value = engine.answer(seeds, outcome, cohort=cohort)
    found = []
    for path in strongest:
        most = _NUM_ROWS // len(strongest)
        rows = latest_rows(db, path, seeds, most, strict=engine.options.strict)
        for _, row in rows.iterrows():
            hidden = engine.on(db.altered(path.table, hidden_rows=[int(row["_row"])]))
            without = hidden.answer(seeds, outcome, cohort=cohort)
            change = None if without is None or value is None else value - without
            facts = {str(k): v for k, v in row.items() if k not in ("_row", "_time")}
            time = None if pd.isna(row["_time"]) else pd.Timestamp(row["_time"])
            found.append(RowEffect(path.table, facts, time, without, change))
    return tuple(sorted(found, key=_weight))


def _weight(effect: RowEffect) -> float:
    return float("-inf") if effect.change is None else -abs(effect.change)


def latest_rows(
    db: Database, path: Path, seeds: pd.DataFrame, most: int, *, strict: bool
) -> pd.DataFrame:
    """Rows of a path that were visible at the seed, the latest first.

    Args:
        db: The database.
        path: Which rows.
        seeds: Of one entity at one time.
        most: How many rows.
        strict: Whether rows at exactly the seed time are hidden.
    """
    tables, columns = path.chain.tables, path.chain.columns
    joins, chained = "", ["r0"]
    for step, table in enumerate(tables[1:-1]):
        key = str(db.schema.tables[table].pkey_col)
        needed = [key, columns[step + 1]]
        joins += (
            f" JOIN {db.relation(table, needed)} AS r{step + 1}"
            f" ON r{step}.{quoted(columns[step])} = r{step + 1}.{quoted(key)}"
        )
        chained.append(f"r{step + 1}")
    anchor = literal(pd.Timestamp(seeds["anchor_time"].iloc[0]).to_pydatetime())
    entity = literal(seeds["entity"].to_list()[0])
    seen = "<" if strict else "<="
    # Whose row it is must have been known, too.
    visible = [f"({r}._time IS NULL OR {r}._time {seen} {anchor})" for r in chained]
    return db.frame(
        f"SELECT r0.* FROM {db.relation(path.table)} AS r0{joins}"
        f" WHERE {chained[-1]}.{quoted(columns[-1])} = {entity}"
        f" AND {' AND '.join(visible)}"
        f" ORDER BY r0._time DESC NULLS LAST, r0._row DESC LIMIT {most}"
    )
