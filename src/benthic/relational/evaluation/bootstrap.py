"""How sure is a metric?  Intervals from resampled entities."""

from __future__ import annotations

from collections.abc import Callable
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


def bootstrap_interval(
    metric: Callable[[np.ndarray], float],
    entity: pd.Series,
    *,
    num_resamples: int = 200,
    level: float = 0.95,
    seed: int = 0,
) -> Interval:
    """Percentile interval of a metric over resampled entities.

    All examples of an entity are drawn together, since they are not independent: an
    interval over single examples would be too narrow. A resample on which the metric is
    undefined is left out.

    Args:
        metric: From positions of examples (with repetition) to a number.
        entity: The entity of each example.
        num_resamples: How often to draw as many entities as there are.
        level: Share of the resamples that the interval holds.
        seed: Of the random draws.

    Example:
        >>> label = np.array([0.0, 0.0, 1.0, 1.0])
        >>> mean = lambda rows: float(label[rows].mean())
        >>> bootstrap_interval(mean, pd.Series(["a", "a", "b", "b"]))
        Interval(value=0.5, lower=0.0, upper=1.0, level=0.95)
    """
    code, values = pd.factorize(entity, use_na_sentinel=False)
    order = np.argsort(code, kind="stable")
    groups = np.split(order, np.cumsum(np.bincount(code, minlength=len(values)))[:-1])
    random = np.random.default_rng(seed)
    found = np.empty(num_resamples)
    for i in range(num_resamples):
        drawn = random.integers(0, len(groups), len(groups))
        found[i] = metric(np.concatenate([groups[j] for j in drawn]))
    found = found[~np.isnan(found)]
    value = metric(np.arange(len(entity)))
    if not len(found):
        return Interval(value, float("nan"), float("nan"), level)
    lower, upper = np.quantile(found, [(1 - level) / 2, (1 + level) / 2])
    return Interval(value, float(lower), float(upper), level)
