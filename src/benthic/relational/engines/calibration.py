"""Does 0.7 mean seven times in ten?  Scores to probabilities, learned on validation."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.isotonic import IsotonicRegression
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GroupKFold

_LEAST = 1e-6
# Isotonic steps are ties; this much of the raw probability keeps the order.
_SLOPE = 0.01
# Isotonic regression with fewer rows follows single examples.
_ISOTONIC_ROWS = 200


def logit(probability: np.ndarray) -> np.ndarray:
    """log(p / (1 - p)), with p held within [1e-6, 1 - 1e-6].

    Args:
        probability: Between 0 and 1.

    Example:
        >>> logit(np.array([0.5])).tolist()
        [0.0]
    """
    held = np.clip(probability, _LEAST, 1 - _LEAST)
    return np.asarray(np.log(held / (1 - held)))


def sigmoid(score: np.ndarray) -> np.ndarray:
    """1 / (1 + exp(-score)).

    Args:
        score: Any numbers.

    Example:
        >>> sigmoid(np.array([0.0])).tolist()
        [0.5]
    """
    return np.asarray(1 / (1 + np.exp(-np.clip(score, -50, 50))))


@dataclass(frozen=True)
class Calibration:
    """A strictly increasing map from a raw probability to a calibrated one.

    Platt: sigmoid(slope · logit(p) + shift). Isotonic: line segments between the
    centers of the blocks of the isotonic fit, so that ties stay rare. As it is strictly
    increasing, AUROC does not change.

    Args:
        kind: none, platt or isotonic.
        x: Slope and shift, or the centers of the blocks.
        y: Empty, or the levels of the blocks.
    """

    kind: str = "none"
    x: tuple[float, ...] = ()
    y: tuple[float, ...] = ()

    def __call__(self, probability: np.ndarray) -> np.ndarray:
        """Calibrated probabilities.

        Args:
            probability: Raw, between 0 and 1.

        Example:
            >>> Calibration("platt", (1.0, 0.0))(np.array([0.25])).round(6).tolist()
            [0.25]
        """
        if self.kind == "platt":
            return sigmoid(self.x[0] * logit(probability) + self.x[1])
        if self.kind == "isotonic":
            level = np.interp(probability, self.x, self.y)
            return np.asarray((1 - _SLOPE) * level + _SLOPE * probability)
        return probability


def platt(
    label: np.ndarray, probability: np.ndarray, weight: np.ndarray | None = None
) -> Calibration:
    """Logistic regression on the log-odds.

    Args:
        label: 0 or 1.
        probability: Raw.
        weight: Of each example.

    Example:
        >>> platt(np.array([0, 1, 0, 1]), np.array([0.1, 0.9, 0.2, 0.8])).kind
        'platt'
    """
    score = logit(probability)[:, None]
    model = LogisticRegression(C=10.0).fit(score, label, sample_weight=weight)
    slope = float(model.coef_[0, 0])
    if slope <= 0:  # worse than chance on validation: do not turn it round
        return Calibration()
    return Calibration("platt", (slope, float(model.intercept_[0])))


def isotonic(label: np.ndarray, probability: np.ndarray) -> Calibration:
    """Line segments through the centers of the blocks of an isotonic fit.

    Args:
        label: 0 or 1.
        probability: Raw.

    Example:
        >>> isotonic(np.array([0, 1, 0, 1]), np.array([0.1, 0.4, 0.5, 0.9])).y
        (0.0, 0.5, 1.0)
    """
    level = IsotonicRegression(out_of_bounds="clip").fit_transform(probability, label)
    _, block = np.unique(level, return_inverse=True)
    count = np.bincount(block)
    centers = np.bincount(block, weights=probability) / count
    levels = np.bincount(block, weights=level) / count
    return Calibration("isotonic", tuple(centers.tolist()), tuple(levels.tolist()))


def choose_calibration(
    label: np.ndarray, probability: np.ndarray, groups: np.ndarray
) -> Calibration:
    """None, Platt or isotonic: the least log-loss on validation rows not fitted to.

    Cross-validated over five groups of entities, then fitted to all rows.

    Args:
        label: 0 or 1, of validation.
        probability: Raw, of models that did not learn from validation.
        groups: Number of the entity of each row.

    Example:
        >>> random = np.random.default_rng(0)
        >>> truth = random.random(1000)
        >>> label = (random.random(1000) < truth).astype(int)
        >>> choose_calibration(label, truth**3, np.arange(1000)).kind
        'isotonic'
    """
    makers: dict[str, Callable[..., Calibration]] = {"none": _as_it_is, "platt": platt}
    if len(label) >= _ISOTONIC_ROWS:
        makers["isotonic"] = isotonic
    splits = min(5, len(np.unique(groups)))
    if splits < 2 or min(np.bincount(label.astype(int), minlength=2)) < 2 * splits:
        return Calibration()
    losses = dict.fromkeys(makers, 0.0)
    folds: Any = GroupKFold(splits)
    for fit, check in folds.split(probability, label, groups):
        if len(np.unique(label[fit])) < 2:
            continue
        for name, maker in makers.items():
            said = maker(label[fit], probability[fit])(probability[check])
            losses[name] += _loss(label[check], said)
    best = min(losses, key=lambda name: losses[name])
    return makers[best](label, probability)


def _as_it_is(label: np.ndarray, probability: np.ndarray) -> Calibration:
    del label, probability
    return Calibration()


def _loss(label: np.ndarray, probability: np.ndarray) -> float:
    held = np.clip(probability, _LEAST, 1 - _LEAST)
    return float(-np.sum(np.log(np.where(label > 0, held, 1 - held))))
