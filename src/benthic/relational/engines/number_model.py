"""What is said of a number: its median, its mean, an interval, and none below 0."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

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
    """

    mean: Ensemble
    interval: IntervalModel
    is_never_negative: bool

    def __call__(self, x: np.ndarray, median: np.ndarray) -> pd.DataFrame:
        """``prediction``, ``mean``, ``lower`` and ``upper``.

        Args:
            x: Features `[N, F]`.
            median: The predictions.
        """
        lower, upper = self.interval(x, median)
        frame = pd.DataFrame(
            {
                "prediction": median,
                "mean": self.mean(x),
                "lower": lower,
                "upper": upper,
            }
        )
        return frame.clip(lower=0.0) if self.is_never_negative else frame

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
        )


@dataclass(frozen=True)
class NumberTrial:
    """What validation says of a number, before the last models learn from it too.

    Args:
        mean: How trees of the squared error went.
        interval: Corrected on validation.
        is_never_negative: Whether no label was below 0.
    """

    mean: Trial
    interval: IntervalModel
    is_never_negative: bool

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
        return NumberModel(mean, self.interval, self.is_never_negative)


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
    return NumberTrial(mean, interval, bool(least >= 0))
