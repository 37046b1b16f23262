"""Which tables, paths and rows moved a prediction?"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from benthic.relational.engines.reasons import Reasons
from benthic.relational.explanation import (
    Explanation,
    FeatureEffect,
    Outcome,
    PathEffect,
)
from benthic.relational.learning import Fitted, with_frames
from benthic.relational.row_effects import row_effects

_NUM_FEATURES = 12

_ADDS_UP = "effects are SHAP values; with what is expected of anybody they add up to "

_SCORES = {
    "binary": "the score, in log-odds before calibration",
    "regression": "the prediction",
    "forecast": "the mean of the frames and, beside it, to each frame",
    "multiclass": "the scores of the predicted class and of the runner-up, whose "
    "difference is the log of the ratio of their probabilities",
    "ranking": "the scores of the first values, which order values and are no more",
    "multilabel": "the scores of the likeliest values, in log-odds before calibration",
}
"""Task type -> what is explained."""

_ROWS_MOVE = {
    "binary": "the probability",
    "regression": "the prediction",
    "forecast": "the mean of the frames",
    "multiclass": "the probability of {}",
    "ranking": "the score of {}",
    "multilabel": "the probability of {}",
}
"""Task type -> what rows are left out for."""

_NO_VALUES = "no value is a candidate for this entity: there is nothing to explain"


def explain_query(fitted: Fitted) -> Explanation:
    """Which paths matter for all entities: their share in the fitted model.

    Args:
        fitted: An engine that answers a query.
    """
    found = fitted.engine.importance()
    paths = [
        PathEffect(str(path), _tables(part), float(part["share"].sum()))
        for path, part in found.groupby("path", sort=False)
    ]
    top = found.head(_NUM_FEATURES)
    return Explanation(
        str(fitted.query),
        None,
        None,
        None,
        paths=_strongest_first(paths),
        features=tuple(
            FeatureEffect(row["name"], row["path"], float(row["share"]))
            for _, row in top.iterrows()
        ),
        notes=(
            "shares of the gain of all splits of the trees, blended with those of the "
            "linear model where it has a say: what is used, not why",
        ),
    )


def explain_entity(
    fitted: Fitted, seed: pd.DataFrame, cohort: pd.DataFrame, num_frames: int = 1
) -> Explanation:
    """What moved the prediction for one entity.

    Paths and features by their SHAP values, which add up to the score; rows by leaving
    each out and predicting again. Of several classes, the predicted one is explained
    and the runner-up stands beside it; of a list, its first three values; of a
    forecast, the mean of its frames with each frame beside it.

    Args:
        fitted: An engine that answers a query.
        seed: One row: ``entity`` and ``anchor_time``.
        cohort: Whom the entity is compared with.
        num_frames: Of a forecast.
    """
    engine, task_type = fitted.engine, str(fitted.engine.target.task_type)
    seeds = with_frames(seed.head(1).reset_index(drop=True), num_frames)
    said = engine.predict(seeds, cohort=cohort)
    reasons = engine.reasons(seeds, cohort=cohort)
    facts = {
        "query": str(fitted.query),
        "entity": seeds["entity"].to_list()[0],
        "anchor_time": pd.Timestamp(seeds["anchor_time"].iloc[0]),
        "prediction": _answered(said),
    }
    if not reasons.outcomes:
        return Explanation(**facts, notes=(_NO_VALUES,))
    paths, features = _effects(reasons)
    first = reasons.outcomes[0]
    return Explanation(
        **facts,
        outcomes=tuple(
            Outcome(str(name), float(expected), float(score))
            for name, expected, score in zip(
                reasons.outcomes, reasons.expected, reasons.scores, strict=True
            )
        ),
        paths=paths,
        features=features,
        rows=row_effects(engine, seeds, cohort, first, paths),
        rows_move=_ROWS_MOVE[task_type].format(first),
        notes=(
            _ADDS_UP + _SCORES[task_type],
            "a row's effect: the prediction with it minus the prediction without it",
        ),
    )


def _effects(
    reasons: Reasons,
) -> tuple[tuple[PathEffect, ...], tuple[FeatureEffect, ...]]:
    """Effects of all paths, and of the strongest features."""
    names = [str(name) for name in reasons.outcomes]
    frame = pd.DataFrame(
        {
            "feature": [one.name for one in reasons.features],
            "path": [one.path for one in reasons.features],
            "table": [one.table for one in reasons.features],
            "share": reasons.shares,
            "place": np.arange(len(reasons.features)),
        }
    )

    def added(part: pd.DataFrame) -> dict[str, float]:
        sums = reasons.effects[part["place"].to_numpy()].sum(axis=0)
        return dict(zip(names, sums.tolist(), strict=True))

    paths = [
        PathEffect(str(path), _tables(part), float(part["share"].sum()), added(part))
        for path, part in frame.groupby("path", sort=False)
    ]
    ranked = frame.sort_values("share", ascending=False, kind="stable")
    features = [
        FeatureEffect(row["feature"], row["path"], float(row["share"]), added(part))
        for place, row in ranked.head(_NUM_FEATURES).iterrows()
        for part in [frame.loc[[place]]]
    ]
    return _strongest_first(paths), tuple(features)


def _strongest_first(paths: list[PathEffect]) -> tuple[PathEffect, ...]:
    return tuple(sorted(paths, key=lambda each: -each.share))


def _tables(part: pd.DataFrame) -> tuple[str, ...]:
    return tuple(dict.fromkeys(map(str, part["table"])))


def _answered(said: pd.DataFrame) -> dict[str, Any]:
    """The columns of a prediction; with lists where it has several frames."""
    columns = {str(name): said[name].to_list() for name in said}
    if len(said) > 1:
        return columns
    return {name: values[0] for name, values in columns.items()}
