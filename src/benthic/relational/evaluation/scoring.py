"""From labels and a prediction frame to the numbers of the task type."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import pandas as pd

from benthic.relational.evaluation.bootstrap import Interval, bootstrap_intervals
from benthic.relational.evaluation.metrics import (
    binary_metrics,
    coverage,
    multiclass_metrics,
    multilabel_metrics,
    regression_metrics,
)
from benthic.relational.evaluation.ranking import ranking_metrics

MAIN_METRIC = {
    "binary": "auroc",
    "multiclass": "accuracy",
    "regression": "nmae",
    "forecast": "nmae",
    "multilabel": "macro_auroc",
    "ranking": "map",
}
"""Task type -> the metric that its tables are ordered by."""

LOWER_IS_BETTER = frozenset(
    {"mae", "nmae", "rmse", "smape", "log_loss", "ece", "brier"}
)
"""Metrics where less is better."""

_PROBABILITY = "probability_"


def score(
    task_type: str,
    label: pd.Series,
    predictions: pd.DataFrame,
    *,
    scale: float = float("nan"),
    k: int = 10,
) -> dict[str, float]:
    """All metrics of a task type.

    Args:
        task_type: binary, multiclass, regression, forecast, multilabel or ranking.
        label: What happened; a set of values for multilabel and ranking.
        predictions: What an engine or a baseline said, row for row.
        scale: Standard deviation (ddof=1) of the labels of training, for nmae.
        k: Length of the ranked lists.

    Example:
        >>> said = pd.DataFrame({"probability": [0.2, 0.7]})
        >>> score("binary", pd.Series([0, 1]), said)["auroc"]
        1.0
    """
    return _SCORES[task_type](label, predictions, scale, k)


def score_intervals(
    task_type: str,
    label: pd.Series,
    predictions: pd.DataFrame,
    entity: pd.Series,
    *,
    scale: float = float("nan"),
    k: int = 10,
    num_resamples: int = 200,
    seed: int = 0,
) -> dict[str, Interval]:
    """All metrics of a task type, each with its bootstrap interval over entities.

    Args:
        task_type: As for :func:`score`.
        label: As for :func:`score`.
        predictions: As for :func:`score`.
        entity: The entity of each row.
        scale: As for :func:`score`.
        k: As for :func:`score`.
        num_resamples: Resamples.
        seed: Of the resamples.

    Example:
        >>> said = pd.DataFrame({"probability": [0.2, 0.7]})
        >>> entity = pd.Series(["a", "b"])
        >>> found = score_intervals("binary", pd.Series([0, 1]), said, entity)
        >>> found["auroc"].value
        1.0
    """
    return bootstrap_intervals(
        lambda rows: score(
            task_type, label.iloc[rows], predictions.iloc[rows], scale=scale, k=k
        ),
        entity,
        num_resamples=num_resamples,
        seed=seed,
    )


def _binary(
    label: pd.Series, said: pd.DataFrame, scale: float, k: int
) -> dict[str, float]:
    del scale, k
    return binary_metrics(
        label.to_numpy().astype(int), said["probability"].to_numpy(dtype=float)
    )


def _regression(
    label: pd.Series, said: pd.DataFrame, scale: float, k: int
) -> dict[str, float]:
    del k
    truth = label.to_numpy(dtype=float)
    found = regression_metrics(truth, said["prediction"].to_numpy(dtype=float), scale)
    if "mean" in said:  # which has the least squared error, as the median the absolute
        mean = said["mean"].to_numpy(dtype=float)
        squared = regression_metrics(truth, mean, scale)
        found |= {name: squared[name] for name in ("rmse", "r2")}
    if "lower" in said:
        ends = (said[end].to_numpy(dtype=float) for end in ("lower", "upper"))
        found["coverage"] = coverage(truth, *ends)
    return found


def said_classes(predictions: pd.DataFrame) -> list[str]:
    """The classes, or the values of a set, that get a probability, by name.

    Args:
        predictions: What an engine said.

    Example:
        >>> said_classes(pd.DataFrame({"entity": [7], "probability_x": [0.5]}))
        ['x']
    """
    columns = map(str, predictions.columns)
    return [
        name.removeprefix(_PROBABILITY)
        for name in columns
        if name.startswith(_PROBABILITY)
    ]


def _chances(said: pd.DataFrame, names: Sequence[str]) -> np.ndarray:
    columns = [f"{_PROBABILITY}{name}" for name in names]
    return np.asarray(said[columns].to_numpy(dtype=float))


def _multiclass(
    label: pd.Series, said: pd.DataFrame, scale: float, k: int
) -> dict[str, float]:
    del scale, k
    names = said_classes(said)
    number = {name: i for i, name in enumerate(names)}
    truth = [number.get(str(value), -1) for value in label]
    return multiclass_metrics(np.array(truth), _chances(said, names))


def _ranking(
    label: pd.Series, said: pd.DataFrame, scale: float, k: int
) -> dict[str, float]:
    del scale
    return ranking_metrics(label.to_list(), said["prediction"].to_list(), k)


def _multilabel(
    label: pd.Series, said: pd.DataFrame, scale: float, k: int
) -> dict[str, float]:
    values = said_classes(said)
    if not values:
        return _ranking(label, said, scale, k)
    sets: Sequence[set[str]] = [{str(v) for v in truth} for truth in label]
    truth = np.array([[float(v in has) for v in values] for has in sets])
    return multilabel_metrics(truth, _chances(said, values))


_SCORES: dict[
    str, Callable[[pd.Series, pd.DataFrame, float, int], dict[str, float]]
] = {
    "binary": _binary,
    "multiclass": _multiclass,
    "regression": _regression,
    "forecast": _regression,
    "multilabel": _multilabel,
    "ranking": _ranking,
}


def label_scale(label: pd.Series) -> float:
    """Standard deviation (ddof=1) of the labels of training: the divisor of nmae.

    Args:
        label: Labels of training.

    Example:
        >>> round(label_scale(pd.Series([1.0, 3.0])), 4)
        1.4142
    """
    return float(np.std(label.to_numpy(dtype=float), ddof=1))


def is_better(metric: str, value: float, than: float) -> bool:
    """Whether a value of a metric is better than another.

    Args:
        metric: Its name.
        value: One value.
        than: The other.

    Example:
        >>> is_better("mae", 1.0, 2.0), is_better("auroc", 0.6, 0.7)
        (True, False)
    """
    return value < than if metric in LOWER_IS_BETTER else value > than
