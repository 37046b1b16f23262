"""What is said of a number: its median, its mean, an interval, and none below 0."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from scipy.optimize import brentq

from benthic.relational.engines.binned_material import BinnedMaterial
from benthic.relational.engines.ensemble import Blend, Ensemble, fit_ensemble
from benthic.relational.engines.finished import Finished
from benthic.relational.engines.interval import IntervalModel, fit_interval
from benthic.relational.engines.kinds import MEAN
from benthic.relational.engines.search import Trial, try_setting
from benthic.relational.progress import silent

_NUM_MODELS = 2
_NAME = "mean"


@dataclass(frozen=True)
class NumberModel:
    """Completes the median of a number, which has the least absolute error.

    The mean has the least squared error and may be added up: half of the customers
    order nothing in a week, so that the median is 0, and all together they order much.

    Args:
        mean: Trees of the squared error.
        interval: Where the number is nine times in ten.
        is_never_negative: Whether no label was below 0: then no answer is.
        scale: Of the mean of what is never negative: see :func:`raised`.
    """

    mean: Ensemble
    interval: IntervalModel
    is_never_negative: bool
    scale: float

    def __call__(self, x: np.ndarray, median: np.ndarray) -> pd.DataFrame:
        """``prediction``, ``mean``, ``lower`` and ``upper``.

        Args:
            x: Features `[N, F]`.
            median: The predictions.
        """
        lower, upper = self.interval(x, median)
        mean = self.mean(x)
        if self.is_never_negative:
            median, lower, upper = (np.maximum(y, 0) for y in (median, lower, upper))
            mean = raised(mean, median, self.scale)
        facts = {"prediction": median, "mean": mean, "lower": lower, "upper": upper}
        return pd.DataFrame(facts)

    def save(self, folder: Path) -> None:
        """Writes trees as LightGBM text into a folder.

        Args:
            folder: Must exist.
        """
        self.mean.save(folder, _NAME)
        self.interval.save(folder)

    def to_json(self) -> dict[str, Any]:
        """All but the trees."""
        return {
            "interval": self.interval.to_json(),
            "is_never_negative": self.is_never_negative,
            "scale": self.scale,
        }

    @classmethod
    def load(cls, folder: Path, facts: Mapping[str, Any]) -> NumberModel:
        """Reads what :meth:`save` wrote.

        Args:
            folder: Where.
            facts: What :meth:`to_json` gave.
        """
        return cls(
            Ensemble.load(folder, _NAME),
            IntervalModel.load(folder, facts["interval"]),
            facts["is_never_negative"],
            facts["scale"],
        )


def raised(mean: np.ndarray, median: np.ndarray, scale: float) -> np.ndarray:
    """The mean of what is never negative: at least half the median.

    Half of what happens is at least the median m and the rest at least 0, so that the
    mean is at least m / 2 (Markov's inequality): max(scale · mean, m / 2).

    Args:
        mean: What squared-error trees say, which may fall short.
        median: Not negative.
        scale: Takes back what raising adds to the sum.

    Example:
        >>> raised(np.array([-1.0, 4.0]), np.array([2.0, 2.0]), 0.5)
        array([1., 2.])
    """
    return np.asarray(np.maximum(scale * mean, median / 2))


def keeping_sum(mean: np.ndarray, median: np.ndarray) -> float:
    """The scale with which raised means add up to what the means did; 1 without one.

    Args:
        mean: What squared-error trees say.
        median: Not negative.

    Example:
        >>> mean, median = np.array([-1.0, 4.0]), np.array([1.0, 2.0])
        >>> keeping_sum(mean, median)
        0.625
        >>> float(raised(mean, median, 0.625).sum())
        3.0
    """
    total = mean.sum()
    if raised(mean, median, 0.0).sum() >= total:
        return 1.0
    if raised(mean, median, 1.0).sum() <= total:
        return 1.0
    return float(
        brentq(lambda scale: raised(mean, median, scale).sum() - total, 0.0, 1.0)
    )


@dataclass(frozen=True)
class NumberTrial:
    """What validation says of a number, before the last models learn from it too.

    Args:
        mean: How trees of the squared error went.
        interval: Corrected on validation.
        is_never_negative: Whether no label was below 0.
        scale: With which means at least half their medians keep their sum.
    """

    mean: Trial
    interval: IntervalModel
    is_never_negative: bool
    scale: float

    def fit(
        self,
        binned: BinnedMaterial,
        *,
        seed: int,
        num_threads: int,
        finished: Finished,
    ) -> NumberModel:
        """Grows the last trees.

        Args:
            binned: What is learned from: train, or train + validation for the refit.
            seed: First of the seeds.
            num_threads: Does not change the result.
            finished: Where finished trees are kept.
        """
        mean = fit_ensemble(
            binned,
            [self.mean],
            MEAN,
            Blend(),
            num_models=_NUM_MODELS,
            seed=seed,
            num_threads=num_threads,
            finished=finished,
            progress=silent,
        )
        return NumberModel(mean, self.interval, self.is_never_negative, self.scale)


def try_number(
    binned: BinnedMaterial,
    best: Trial,
    groups: np.ndarray,
    *,
    seed: int,
    num_threads: int,
    finished: Finished,
) -> NumberTrial:
    """Mean and interval by the setting that is best for the median.

    Args:
        binned: Training and validation rows.
        best: Whose setting to take.
        groups: Number of the entity of each validation row.
        seed: Of the trees.
        num_threads: Does not change the result.
        finished: Where trials are kept.
    """
    material = binned.material
    trees = replace(best.setting.trees, objective=MEAN.objectives[0])
    mean = try_setting(
        binned,
        replace(best.setting, trees=trees),
        MEAN,
        seed=seed,
        num_threads=num_threads,
        finished=finished,
    )
    interval = fit_interval(binned, best, groups, seed=seed, num_threads=num_threads)
    least = min(material.y.min(), material.y_validation.min())
    scale = keeping_sum(mean.score, np.maximum(best.score, 0))
    return NumberTrial(mean, interval, bool(least >= 0), scale)
