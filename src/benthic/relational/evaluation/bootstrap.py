"""How sure are metrics?  Intervals from resampled entities."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd


@dataclass(frozen=True)
class Interval:
    """A metric and where it would lie for other entities of the same kind.

    Args:
        value: On all examples.
        lower: Lower end.
        upper: Upper end.
        level: Share of resamples within.
    """

    value: float
    lower: float
    upper: float
    level: float = 0.95

    def __str__(self) -> str:
        return f"{self.value:.4g} [{self.lower:.4g}, {self.upper:.4g}]"


def bootstrap_intervals(
    metrics: Callable[[np.ndarray], Mapping[str, float]],
    entity: pd.Series,
    *,
    num_resamples: int = 200,
    level: float = 0.95,
    seed: int = 0,
) -> dict[str, Interval]:
    """Percentile intervals of metrics over resampled entities.

    All examples of an entity are drawn together, since they are not independent: an
    interval over single examples would be too narrow. A resample on which a metric is
    undefined is left out of its interval.

    Args:
        metrics: From positions of examples (with repetition) to numbers by name.
        entity: The entity of each example.
        num_resamples: How often to draw as many entities as there are.
        level: Share of the resamples that an interval holds.
        seed: Of the random draws.

    Example:
        >>> label = np.array([0.0, 0.0, 1.0, 1.0])
        >>> mean = lambda rows: {"mean": float(label[rows].mean())}
        >>> bootstrap_intervals(mean, pd.Series(["a", "a", "b", "b"]))["mean"]
        Interval(value=0.5, lower=0.0, upper=1.0, level=0.95)
    """
    code, values = pd.factorize(entity, use_na_sentinel=False)
    order = np.argsort(code, kind="stable")
    groups = np.split(order, np.cumsum(np.bincount(code, minlength=len(values)))[:-1])
    random = np.random.default_rng(seed)
    drawn: dict[str, list[float]] = {}
    for _ in range(num_resamples):
        chosen = random.integers(0, len(groups), len(groups))
        for name, found in metrics(np.concatenate([groups[j] for j in chosen])).items():
            drawn.setdefault(name, []).append(found)
    return {
        name: _interval(value, np.array(drawn.get(name, [])), level)
        for name, value in metrics(np.arange(len(entity))).items()
    }


def _interval(value: float, drawn: np.ndarray, level: float) -> Interval:
    drawn = drawn[~np.isnan(drawn)]
    if not len(drawn):
        return Interval(value, float("nan"), float("nan"), level)
    lower, upper = np.quantile(drawn, [(1 - level) / 2, (1 + level) / 2])
    return Interval(value, float(lower), float(upper), level)
