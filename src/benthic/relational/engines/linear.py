"""A regularized linear model on features brought to one scale."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from sklearn.linear_model import LogisticRegression, Ridge

_NUM_QUANTILES = 64


@dataclass(frozen=True)
class LinearModel:
    """score = intercept + sum_j coefficient_j · u_j

    u_j is where feature j lies among the training values, from -1 (least) through 0
    (median, or missing) to 1 (greatest): no outlier can carry a prediction away.

    Args:
        quantiles: Of each feature in training `[F, Q]`, increasing.
        coefficient: `[F]`.
        intercept: What an example of medians scores.
    """

    quantiles: np.ndarray
    coefficient: np.ndarray
    intercept: float

    def __call__(self, x: np.ndarray) -> np.ndarray:
        """Scores: log-odds of a binary target, else the value.

        Args:
            x: Features `[N, F]`; NaN is missing.

        Example:
            >>> model = LinearModel(np.array([[0.0, 1.0]]), np.array([2.0]), 1.0)
            >>> model(np.array([[1.0], [np.nan]])).tolist()
            [3.0, 1.0]
        """
        score: np.ndarray = _place(x, self.quantiles) @ self.coefficient
        return score + self.intercept

    def effects(self, x: np.ndarray) -> np.ndarray:
        """coefficient_j · u_j, the SHAP values, as u_j is 0 on average `[N, F]`.

        Args:
            x: Features `[N, F]`; NaN is missing.

        Example:
            >>> model = LinearModel(np.array([[0.0, 1.0]]), np.array([2.0]), 1.0)
            >>> model.effects(np.array([[0.75], [np.nan]])).tolist()
            [[1.0], [0.0]]
        """
        return np.asarray(_place(x, self.quantiles) * self.coefficient)

    def importance(self) -> np.ndarray:
        """Share of each feature in the mean of |effect| over training values `[F]`."""
        size = np.abs(self.effects(self.quantiles.T)).mean(axis=0)
        return np.asarray(size / max(size.sum(), 1e-12))


def _place(x: np.ndarray, quantiles: np.ndarray) -> np.ndarray:
    grid = np.linspace(-1, 1, quantiles.shape[1])
    placed = np.empty(x.shape)
    for j in range(x.shape[1]):
        # Ties (a share of zeros) take the middle of their places.
        column, ends = x[:, j], quantiles[j]
        up = np.interp(column, ends, grid)
        down = -np.interp(-column, -ends[::-1], grid)
        placed[:, j] = (up + down) / 2
    return np.nan_to_num(placed)


def _quantiles(x: np.ndarray) -> np.ndarray:
    shares = np.linspace(0, 1, _NUM_QUANTILES)
    found = np.zeros((x.shape[1], _NUM_QUANTILES))
    for j in range(x.shape[1]):
        column = x[:, j]
        column = column[np.isfinite(column)]
        if len(column):
            found[j] = np.quantile(column, shares)
    return found


def fit_linear(
    x: np.ndarray,
    label: np.ndarray,
    weight: np.ndarray,
    *,
    binary: bool,
    strengths: Sequence[float],
) -> list[LinearModel]:
    """Fits logistic (binary) or ridge regressions, one for each strength.

    Args:
        x: Features `[N, F]`; NaN is missing.
        label: 0 or 1, or a number.
        weight: Of each example.
        binary: Whether the label is a class.
        strengths: Of the L2 penalty, in units of the total weight.

    Example:
        >>> x = np.arange(10.0)[:, None]
        >>> (fit,) = fit_linear(x, x[:, 0], np.ones(10), binary=False, strengths=[1e-6])
        >>> fit(np.array([[9.0]])).round(2).tolist()
        [9.0]
    """
    if not strengths:
        return []
    quantiles = _quantiles(x)
    placed = _place(x, quantiles)
    weight = weight / weight.mean()
    models = []
    for strength in strengths:
        penalty = strength * len(x)
        if binary:
            model = LogisticRegression(C=1 / penalty, max_iter=300)
        else:
            model = Ridge(alpha=penalty)
        model.fit(placed, label, sample_weight=weight)
        intercept = float(np.ravel(model.intercept_)[0])
        models.append(LinearModel(quantiles, np.ravel(model.coef_), intercept))
    return models
