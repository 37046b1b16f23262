"""LightGBM, so that the same seed always grows the same trees."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import lightgbm
import numpy as np

_ALWAYS: dict[str, Any] = {
    "deterministic": True,
    "force_row_wise": True,  # the layout must not be chosen by a stopwatch
    "verbosity": -1,
    "feature_pre_filter": False,
    "bagging_freq": 1,
    "max_bin": 127,
}


@dataclass(frozen=True)
class Rows:
    """Examples as LightGBM takes them.

    Args:
        x: Features `[N, F]`, float32; NaN is missing.
        y: Labels; the number of the class for multiclass.
        weight: Of each example.
        groups: Sizes of the runs of rows that are ranked together; None if not ranked.
    """

    x: np.ndarray
    y: np.ndarray
    weight: np.ndarray
    groups: np.ndarray | None = None


@dataclass(frozen=True)
class Trees:
    """How trees are grown.

    Args:
        objective: LightGBM's name.
        num_leaves: Leaves of a tree.
        min_data_in_leaf: Examples in a leaf, at least.
        feature_fraction: Share of the features that a tree may use.
        bagging_fraction: Share of the examples that a tree sees.
        learning_rate: Share of each tree that counts.
        lambda_l2: Penalty on the values of leaves.
        alpha: Quantile of a quantile objective.
    """

    objective: str
    num_leaves: int = 8
    min_data_in_leaf: int = 30
    feature_fraction: float = 0.3
    bagging_fraction: float = 0.7
    learning_rate: float = 0.05
    lambda_l2: float = 5.0
    alpha: float = 0.5


@dataclass(frozen=True)
class Grown:
    """Trees, and how validation went while they grew.

    Args:
        booster: The trees.
        curve: The metric on validation after each round; empty without validation.
    """

    booster: lightgbm.Booster
    curve: np.ndarray


def grow(
    rows: Rows,
    trees: Trees,
    *,
    num_rounds: int,
    seed: int,
    validation: Rows | None = None,
    metric: str = "None",
    patience: int = 60,
    num_classes: int = 1,
    num_threads: int = 1,
) -> Grown:
    """Grows trees, until validation has not improved for a while if there is one.

    Args:
        rows: To learn from.
        trees: How they are grown.
        num_rounds: How many (times the classes of multiclass), at most.
        seed: Of bagging and feature sampling.
        validation: To stop by; None grows all rounds.
        metric: LightGBM's name of the metric to stop by.
        patience: Rounds without improvement.
        num_classes: Classes of a multiclass objective.
        num_threads: Does not change the result.

    Example:
        >>> x = np.arange(200, dtype=np.float32)[:, None]
        >>> rows = Rows(x, (x[:, 0] > 99).astype(float), np.ones(200))
        >>> model = grow(rows, Trees("binary"), num_rounds=5, seed=0).booster
        >>> bool(model.predict(x[:1])[0] < 0.5 < model.predict(x[-1:])[0])
        True
    """
    parameters = {
        **_ALWAYS,
        **_shape(trees, len(rows.y)),
        "seed": seed,
        "num_threads": num_threads,
        "metric": metric,
        **({"num_class": num_classes} if num_classes > 1 else {}),
    }
    curves: dict[str, Any] = {}
    watched: dict[str, Any] = {}
    data = _dataset(rows)
    if validation is not None:
        watched = {
            "valid_sets": [_dataset(validation, data)],
            "valid_names": ["validation"],
            "callbacks": [
                lightgbm.early_stopping(patience, verbose=False),
                lightgbm.record_evaluation(curves),
            ],
        }
    booster = lightgbm.train(parameters, data, num_boost_round=num_rounds, **watched)
    found: list[float] = next(iter(curves.get("validation", {}).values()), [])
    return Grown(booster, np.array(found))


def _shape(trees: Trees, num_rows: int) -> Mapping[str, Any]:
    # LightGBM asks for two leaves' worth of rows; tiny databases have fewer.
    least = max(1, min(trees.min_data_in_leaf, num_rows // 8))
    return {**asdict(trees), "min_data_in_leaf": least}


def _dataset(rows: Rows, reference: lightgbm.Dataset | None = None) -> lightgbm.Dataset:
    return lightgbm.Dataset(
        rows.x,
        label=rows.y,
        weight=rows.weight,
        group=rows.groups,
        reference=reference,
        params={"verbosity": -1, "feature_pre_filter": False, "max_bin": 127},
    )
