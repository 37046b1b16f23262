"""What is grown, stopped by and compared for each kind of label?"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from benthic.relational.engines.calibration import logit, sigmoid
from benthic.relational.evaluation.metrics import auroc, log_loss


@dataclass(frozen=True)
class Kind:
    """How one kind of label is learned.

    Args:
        name: binary, regression or multiclass.
        objectives: LightGBM's, the first is tried with everything.
        stop: LightGBM's metric to stop by.
        stop_sign: -1 if more is better there.
        metric: Name of what settings are compared by.
        loss: From labels and scores to a number, less is better.
        to_score: From LightGBM's output to a score that may be averaged.
        from_score: Back to a probability or a value.
    """

    name: str
    objectives: tuple[str, ...]
    stop: str
    stop_sign: int
    metric: str
    loss: Callable[[np.ndarray, np.ndarray], float]
    to_score: Callable[[np.ndarray], np.ndarray]
    from_score: Callable[[np.ndarray], np.ndarray]


def _binary_loss(label: np.ndarray, score: np.ndarray) -> float:
    if len(np.unique(label)) < 2:
        return log_loss(label, sigmoid(score))
    return -auroc(label, score)


def _mae(label: np.ndarray, score: np.ndarray) -> float:
    return float(np.mean(np.abs(label - score)))


def _mse(label: np.ndarray, score: np.ndarray) -> float:
    return float(np.mean((label - score) ** 2))


def _as_it_is(values: np.ndarray) -> np.ndarray:
    return values


def _log(probability: np.ndarray) -> np.ndarray:
    return np.asarray(np.log(np.clip(probability, 1e-9, None)))


def softmax(score: np.ndarray) -> np.ndarray:
    """exp(s) / sum of exp(s), over the classes.

    Args:
        score: `[N, C]`.

    Example:
        >>> softmax(np.zeros((1, 2))).tolist()
        [[0.5, 0.5]]
    """
    raised = np.exp(score - score.max(axis=1, keepdims=True))
    return np.asarray(raised / raised.sum(axis=1, keepdims=True))


def _multiclass_loss(label: np.ndarray, score: np.ndarray) -> float:
    return log_loss(label, softmax(score))


BINARY = Kind("binary", ("binary",), "auc", -1, "auroc", _binary_loss, logit, sigmoid)
REGRESSION = Kind(
    "regression",
    ("regression_l1", "regression", "huber"),
    "l1",
    1,
    "mae",
    _mae,
    _as_it_is,
    _as_it_is,
)
MEAN = Kind("mean", ("regression",), "l2", 1, "mse", _mse, _as_it_is, _as_it_is)
"""The expected value of a number, beside REGRESSION's median."""

MULTICLASS = Kind(
    "multiclass",
    ("multiclass",),
    "multi_logloss",
    1,
    "log_loss",
    _multiclass_loss,
    _log,
    softmax,
)
