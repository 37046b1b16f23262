"""LightGBM, so that the same seed always grows the same trees."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import lightgbm
import numpy as np

_ALWAYS: dict[str, Any] = {
    "deterministic": True,
    "force_col_wise": True,  # the layout must not be chosen by a stopwatch
    "bagging_freq": 1,
}
_BINNING: dict[str, Any] = {
    "verbosity": -1,
    "feature_pre_filter": False,  # else bins would serve one size of leaf only
    "max_bin": 127,
    "data_random_seed": 1,  # else bins would serve one seed only
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


class Binned:
    """Rows whose features were cut into bins once, from which many trees may grow.

    Args:
        rows: To learn from.
        validation: To stop by; cut into the same bins.

    Example:
        >>> rows = Rows(np.zeros((9, 2), np.float32), np.zeros(9), np.ones(9))
        >>> Binned(rows).num_rows
        9
    """

    def __init__(self, rows: Rows, validation: Rows | None = None) -> None:
        self.num_rows = len(rows.y)
        self.train = _dataset(rows)
        self.validation = (
            None if validation is None else _dataset(validation, self.train)
        )

    def weigh(self, weight: np.ndarray) -> None:
        """Gives the rows other weights; the bins stay.

        Args:
            weight: Of each example.
        """
        # Dataset.set_weight skips weights that are all 1, and older ones would stay.
        plain = bool((weight == 1).all())
        self.train.set_field("weight", None if plain else weight)


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
    binned: Binned,
    trees: Trees,
    *,
    num_rounds: int,
    seed: int,
    metric: str | None = None,
    patience: int = 60,
    num_classes: int = 1,
    num_threads: int = 1,
) -> Grown:
    """Grows trees, until validation has not improved for a while if asked to look.

    Args:
        binned: To learn from.
        trees: How they are grown.
        num_rounds: How many (times the classes of multiclass), at most.
        seed: Of bagging and feature sampling.
        metric: LightGBM's name of the metric to stop by; None grows all rounds.
        patience: Rounds without improvement.
        num_classes: Classes of a multiclass objective.
        num_threads: Does not change the result.

    Example:
        >>> x = np.arange(200, dtype=np.float32)[:, None]
        >>> rows = Rows(x, (x[:, 0] > 99).astype(float), np.ones(200))
        >>> model = grow(Binned(rows), Trees("binary"), num_rounds=5, seed=0).booster
        >>> bool(model.predict(x[:1])[0] < 0.5 < model.predict(x[-1:])[0])
        True
    """
    parameters = {
        **_ALWAYS,
        **_BINNING,
        **_shape(trees, binned.num_rows, num_classes),
        "seed": seed,
        "num_threads": num_threads,
        "metric": metric or "None",
    }
    curves: dict[str, Any] = {}
    watched: dict[str, Any] = {}
    if metric is not None:
        watched = {
            "valid_sets": [binned.validation],
            "valid_names": ["validation"],
            "callbacks": [
                lightgbm.early_stopping(patience, verbose=False),
                lightgbm.record_evaluation(curves),
            ],
        }
    booster = lightgbm.train(
        parameters, binned.train, num_boost_round=num_rounds, **watched
    )
    found: list[float] = next(iter(curves.get("validation", {}).values()), [])
    return Grown(booster, np.array(found))


def _shape(trees: Trees, num_rows: int, num_classes: int) -> Mapping[str, Any]:
    # LightGBM asks for two leaves' worth of rows; tiny databases have fewer.
    least = max(1, min(trees.min_data_in_leaf, num_rows // 8))
    shape = {**asdict(trees), "min_data_in_leaf": least}
    return {**shape, "num_class": num_classes} if num_classes > 1 else shape


def _dataset(rows: Rows, reference: lightgbm.Dataset | None = None) -> lightgbm.Dataset:
    data = lightgbm.Dataset(
        rows.x,
        label=rows.y,
        weight=rows.weight,
        group=rows.groups,
        reference=reference,
        params=dict(_BINNING),
    )
    return data.construct()
