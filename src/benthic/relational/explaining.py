"""Which tables, paths and rows moved a prediction?"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pandas as pd

from benthic.errors import InputError
from benthic.relational.database import Database
from benthic.relational.engines import FeaturesEngine
from benthic.relational.features.paths import Path, own_paths
from benthic.relational.learning import Fitted, with_frames
from benthic.relational.sql import literal, quoted

_NUM_ROWS = 8
_NUM_FEATURES = 12
_LEAST_SHARE = 0.01  # of the paths that are printed; the JSON has them all


@dataclass(frozen=True)
class PathEffect:
    """What one path of foreign keys did.

    Args:
        path: The path, as text: ``drivers <- results.driverId``.
        tables: The tables whose rows were read on it.
        share: Its share of all that moved predictions, 0 to 1.
        effect: For one entity: what it added to the score (log-odds where the label
            is true or false); None for the query as a whole.
    """

    path: str
    tables: tuple[str, ...]
    share: float
    effect: float | None = None


@dataclass(frozen=True)
class FeatureEffect:
    """What one feature did; its provenance is in its name and path."""

    feature: str
    path: str
    share: float
    effect: float | None = None


@dataclass(frozen=True)
class RowEffect:
    """What the prediction would have been without one row.

    Args:
        table: Where the row is.
        row: The row.
        time: When it became visible.
        prediction: With the row hidden.
        change: What the row did to the prediction: with it minus without it.
    """

    table: str
    row: Mapping[str, Any]
    time: pd.Timestamp | None
    prediction: float
    change: float


@dataclass(frozen=True)
class Explanation:
    """Why a query is answered as it is, for one entity or on the whole.

    Args:
        query: What was asked.
        entity: For whom; None for the query on the whole.
        anchor_time: As of when; None on the whole.
        prediction: What was answered; None on the whole.
        paths: What each path did, the strongest first.
        features: The strongest features.
        rows: The entity's own latest rows, the strongest first.
        notes: How to read it.
    """

    query: str
    entity: Any | None
    anchor_time: pd.Timestamp | None
    prediction: Mapping[str, Any] | None
    paths: tuple[PathEffect, ...]
    features: tuple[FeatureEffect, ...]
    rows: tuple[RowEffect, ...]
    notes: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        """As plain values."""
        plain: dict[str, Any] = json.loads(self.to_json())
        return plain

    def to_json(self) -> str:
        """As one JSON document."""
        return json.dumps(asdict(self), indent=2, default=_plain)

    def __str__(self) -> str:
        lines = [self.query]
        if self.entity is not None and self.prediction is not None:
            said = ", ".join(f"{k} {_short(v)}" for k, v in self.prediction.items())
            lines.append(f"for {self.entity!r} at {self.anchor_time}: {said}")
        shown = [each for each in self.paths if each.share >= _LEAST_SHARE]
        lines += ["", "paths"]
        lines += [
            f"  {_effect(each.effect)}{each.share:6.1%}  {each.path}" for each in shown
        ]
        if len(shown) < len(self.paths):
            rest = len(self.paths) - len(shown)
            lines.append(f"  and {rest} more, each below {_LEAST_SHARE:.0%}")
        lines += ["", "features"]
        lines += [
            f"  {_effect(each.effect)}{each.share:6.1%}  {each.feature}"
            for each in self.features
        ]
        if self.rows:
            lines += ["", "rows (what each did to the prediction)"]
        for each in self.rows:
            lines.append(f"  {each.change:+.4f}  {each.table}: {_cells(each.row)}")
        return "\n".join([*lines, "", *(f"note: {note}" for note in self.notes)])


def explain_query(fitted: Fitted) -> Explanation:
    """Which paths matter for all entities: their share of the trees' gain.

    Args:
        fitted: An engine that answers a query.
    """
    engine = _explainable(fitted)
    gains = engine.importance()
    total = float(gains["gain"].sum()) or 1.0
    gains = gains.assign(share=gains["gain"] / total)
    grouped = gains.groupby("path", sort=False)
    paths = [
        PathEffect(str(path), _tables(part), float(part["share"].sum()))
        for path, part in grouped
    ]
    top = gains.head(_NUM_FEATURES)
    return Explanation(
        str(fitted.query),
        None,
        None,
        None,
        tuple(sorted(paths, key=lambda each: -each.share)),
        tuple(
            FeatureEffect(row["name"], row["path"], float(row["share"]))
            for _, row in top.iterrows()
        ),
        (),
        ("shares of the gain of all splits of the trees: what is used, not why",),
    )


def explain_entity(
    fitted: Fitted, seed: pd.DataFrame, cohort: pd.DataFrame, num_frames: int = 1
) -> Explanation:
    """What moved the prediction for one entity.

    Paths and features by their SHAP values, which add up to the score; rows by leaving
    each out and predicting again.

    Args:
        fitted: An engine that answers a query.
        seed: One row: ``entity`` and ``anchor_time``.
        cohort: Whom the entity is compared with.
        num_frames: Of a forecast; its first frame is explained.
    """
    engine = _explainable(fitted)
    seed = with_frames(seed.reset_index(drop=True), num_frames).head(1)
    said = engine.predict(seed, cohort=cohort).iloc[0]
    added = engine.contributions(seed, cohort=cohort).iloc[0]
    provenance = engine.importance().set_index("name")
    effects = added.drop("expected score")
    total = float(effects.abs().sum()) or 1.0
    frame = pd.DataFrame({"effect": effects, "share": effects.abs() / total})
    frame = frame.join(provenance[["path", "table"]])
    paths = [
        PathEffect(
            str(path),
            _tables(part),
            float(part["share"].sum()),
            float(part["effect"].sum()),
        )
        for path, part in frame.groupby("path", sort=False)
    ]
    strongest = frame.sort_values("share", ascending=False).head(_NUM_FEATURES)
    return Explanation(
        str(fitted.query),
        _entity(seed),
        pd.Timestamp(seed["anchor_time"].iloc[0]),
        {str(name): _scalar(value) for name, value in said.items()},
        tuple(sorted(paths, key=lambda each: -each.share)),
        tuple(
            FeatureEffect(
                str(name), row["path"], float(row["share"]), float(row["effect"])
            )
            for name, row in strongest.iterrows()
        ),
        _row_effects(engine, seed, cohort, paths),
        (
            "effects of paths and features are SHAP values of the trees; they add up "
            "to the trees' score",
            "a row's effect: the prediction with it minus the prediction without it",
        ),
    )


def _explainable(fitted: Fitted) -> FeaturesEngine:
    if not isinstance(fitted.engine, FeaturesEngine) or not fitted.engine.has_scores:
        raise InputError(
            "query",
            f"a {fitted.engine.target.task_type} target",
            "explanations are of single numbers so far: ask for the probability of one "
            "value, LAST(…) = 'value' or COUNT(… WHERE …) > 0",
        )
    return fitted.engine


def _tables(part: pd.DataFrame) -> tuple[str, ...]:
    return tuple(dict.fromkeys(map(str, part["table"])))


def _row_effects(
    engine: FeaturesEngine,
    seed: pd.DataFrame,
    cohort: pd.DataFrame,
    effects: list[PathEffect],
) -> tuple[RowEffect, ...]:
    """The entity's own latest rows on its strongest paths, each left out in turn."""
    db, target = engine.db, engine.target
    own = own_paths(db.schema, target.entity_table, engine.options.num_hops)
    known = {str(path): path for path in own}
    ranked = sorted(effects, key=lambda each: -each.share)
    strongest = [known[each.path] for each in ranked if each.path in known][:2]
    value = _number(engine.predict(seed, cohort=cohort))
    found = []
    for path in strongest:
        rows = _latest_rows(db, path, seed, _NUM_ROWS // 2)
        for _, row in rows.iterrows():
            hidden = db.altered(path.table, hidden_rows=[int(row["_row"])])
            without = _number(engine.on(hidden).predict(seed, cohort=cohort))
            facts = {str(k): v for k, v in row.items() if k not in ("_row", "_time")}
            time = None if pd.isna(row["_time"]) else pd.Timestamp(row["_time"])
            found.append(RowEffect(path.table, facts, time, without, value - without))
    return tuple(sorted(found, key=lambda each: -abs(each.change)))


def _number(said: pd.DataFrame) -> float:
    column = "probability" if "probability" in said else "prediction"
    return float(said[column].iloc[0])


def _latest_rows(
    db: Database, path: Path, seed: pd.DataFrame, most: int
) -> pd.DataFrame:
    """Rows of a path that were visible at the seed, the latest first."""
    tables, columns = path.chain.tables, path.chain.columns
    joins, last = "", "r0"
    for step, table in enumerate(tables[1:-1]):
        key = str(db.schema.tables[table].pkey_col)
        needed = [key, columns[step + 1]]
        joins += (
            f" JOIN {db.relation(table, needed)} AS r{step + 1}"
            f" ON r{step}.{quoted(columns[step])} = r{step + 1}.{quoted(key)}"
        )
        last = f"r{step + 1}"
    anchor, known = pd.Timestamp(seed["anchor_time"].iloc[0]), literal(_entity(seed))
    return db.frame(
        f"SELECT r0.* FROM {db.relation(path.table)} AS r0{joins}"
        f" WHERE {last}.{quoted(columns[-1])} = {known}"
        f" AND (r0._time IS NULL OR r0._time <= {literal(anchor.to_pydatetime())})"
        f" ORDER BY r0._time DESC NULLS LAST, r0._row DESC LIMIT {most}"
    )


def _entity(seed: pd.DataFrame) -> Any:
    return _scalar(seed["entity"].iloc[0])


def _scalar(value: Any) -> Any:
    return value.item() if isinstance(value, np.generic) else value


def _effect(value: float | None) -> str:
    return "" if value is None else f"{value:+8.3f} "


def _cells(row: Mapping[str, Any], most: int = 8) -> str:
    """A row on one line: the first columns, long texts cut."""
    known = {name: value for name, value in row.items() if not _is_missing(value)}
    shown = [f"{name}={_short(value)}" for name, value in list(known.items())[:most]]
    return ", ".join([*shown, *(["…"] if len(known) > most else [])])


def _is_missing(value: Any) -> bool:
    return value is None or (np.isscalar(value) and bool(pd.isna(value)))


def _short(value: Any, most: int = 40) -> str:
    if isinstance(value, float):
        return f"{value:.4g}"
    text = " ".join(str(value).split())
    return text if len(text) <= most else f"{text[: most - 1]}…"


def _plain(value: Any) -> Any:
    if isinstance(value, np.generic):
        return value.item()
    return None if value is pd.NaT else str(value)
