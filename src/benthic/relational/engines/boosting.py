"""LightGBM, so that the same seed always grows the same trees."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
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


def grow(
    rows: Rows,
    trees: Trees,
    *,
    num_rounds: int,
    seed: int,
    num_classes: int = 1,
    num_threads: int = 1,
    names: list[str] | None = None,
) -> lightgbm.Booster:
    """Grows a fixed number of trees.

    Args:
        rows: To learn from.
        trees: How they are grown.
        num_rounds: How many (times the classes of multiclass).
        seed: Of bagging and feature sampling.
        num_classes: Classes of a multiclass objective.
        num_threads: Does not change the result.
        names: Of the features.

    Example:
        >>> x = np.arange(200, dtype=np.float32)[:, None]
        >>> rows = Rows(x, (x[:, 0] > 99).astype(float), np.ones(200))
        >>> model = grow(rows, Trees("binary"), num_rounds=5, seed=0)
        >>> bool(model.predict(x[:1])[0] < 0.5 < model.predict(x[-1:])[0])
        True
    """
    booster, _ = grow_until(
        rows,
        None,
        trees,
        most_rounds=num_rounds,
        seed=seed,
        num_classes=num_classes,
        num_threads=num_threads,
        names=names,
    )
    return booster


def grow_until(
    rows: Rows,
    validation: Rows | None,
    trees: Trees,
    *,
    most_rounds: int,
    seed: int,
    metric: str = "",
    patience: int = 60,
    num_classes: int = 1,
    num_threads: int = 1,
    names: list[str] | None = None,
) -> tuple[lightgbm.Booster, int]:
    """Grows trees until validation has not improved for a while.

    Args:
        rows: To learn from.
        validation: To stop by; None grows all rounds.
        trees: How they are grown.
        most_rounds: At most so many.
        seed: Of bagging and feature sampling.
        metric: LightGBM's name of the metric to stop by.
        patience: Rounds without improvement.
        num_classes: Classes of a multiclass objective.
        num_threads: Does not change the result.
        names: Of the features.

    Returns:
        The trees, and how many rounds were best.
    """
    parameters = {
        **_ALWAYS,
        **_shape(trees, len(rows.y)),
        "seed": seed,
        "num_threads": num_threads,
        "metric": metric or "None",
        **({"num_class": num_classes} if num_classes > 1 else {}),
    }
    data = _dataset(rows, names)
    callbacks = []
    if validation is not None:
        callbacks.append(lightgbm.early_stopping(patience, verbose=False))
    booster = lightgbm.train(
        parameters,
        data,
        num_boost_round=most_rounds,
        valid_sets=[_dataset(validation, names, data)] if validation else None,
        callbacks=callbacks,
    )
    best = booster.best_iteration if validation is not None else most_rounds
    return booster, max(1, best if best > 0 else most_rounds)


def _shape(trees: Trees, num_rows: int) -> Mapping[str, Any]:
    # LightGBM asks for two leaves' worth of rows; tiny databases have fewer.
    least = max(1, min(trees.min_data_in_leaf, num_rows // 8))
    return {
        "objective": trees.objective,
        "num_leaves": trees.num_leaves,
        "min_data_in_leaf": least,
        "feature_fraction": trees.feature_fraction,
        "bagging_fraction": trees.bagging_fraction,
        "learning_rate": trees.learning_rate,
        "lambda_l2": trees.lambda_l2,
        "alpha": trees.alpha,
        "cat_smooth": 20.0,
    }


def _dataset(
    rows: Rows, names: list[str] | None, reference: lightgbm.Dataset | None = None
) -> lightgbm.Dataset:
    return lightgbm.Dataset(
        rows.x,
        label=rows.y,
        weight=rows.weight,
        group=rows.groups,
        feature_name=names or "auto",
        reference=reference,
        free_raw_data=False,
        params={"verbosity": -1, "feature_pre_filter": False, "max_bin": 127},
    )
