"""Between which values, nine times in ten?  Quantile trees, corrected on validation."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from math import ceil
from pathlib import Path
from typing import Any

import lightgbm
import numpy as np

from benthic.relational.engines.binned_material import BinnedMaterial
from benthic.relational.engines.boosting import grow
from benthic.relational.engines.search import Trial

LEVEL = 0.9
"""Share of labels that an interval shall hold."""


@dataclass(frozen=True)
class IntervalModel:
    """Conformalized quantile regression (Romano et al. 2019, https://arxiv.org/abs/1905.03222).

    [q_0.05(x) - e, q_0.95(x) + e], where e is the 0.9 quantile over validation rows of
    max(q_0.05(x) - y, y - q_0.95(x)). It holds 90 % of labels that come from where
    validation came from; under drift it may hold fewer.

    Args:
        low: Trees of the lower quantile.
        high: Trees of the upper quantile.
        shift: e, the correction.
        reads: Which features the trees read.
        coverage: Share of validation labels held by intervals whose correction was
            found on the other half of the entities.
    """

    low: lightgbm.Booster
    high: lightgbm.Booster
    shift: float
    reads: np.ndarray
    coverage: float

    def __call__(
        self, x: np.ndarray, middle: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Lower and upper ends, never on the wrong side of the prediction.

        Args:
            x: Features `[N, F]`.
            middle: The predictions.
        """
        low, high = _ends(self.low, self.high, x[:, self.reads])
        lower = np.minimum(low - self.shift, middle)
        return lower, np.maximum(high + self.shift, middle)

    def save(self, folder: Path) -> None:
        """Writes the trees as LightGBM text into a folder.

        Args:
            folder: Must exist.
        """
        for name, trees in (("low", self.low), ("high", self.high)):
            path = folder / f"interval.{name}.txt"
            path.write_text(trees.model_to_string(), encoding="utf-8")

    def to_json(self) -> dict[str, Any]:
        """All but the trees."""
        return {
            "shift": self.shift,
            "reads": self.reads.tolist(),
            "coverage": self.coverage,
        }

    @classmethod
    def load(cls, folder: Path, facts: Mapping[str, Any]) -> IntervalModel:
        """Reads what :meth:`save` wrote.

        Args:
            folder: Where.
            facts: What :meth:`to_json` gave.
        """
        low, high = (
            lightgbm.Booster(
                model_str=(folder / f"interval.{name}.txt").read_text(encoding="utf-8")
            )
            for name in ("low", "high")
        )
        reads = np.array(facts["reads"], dtype=int)
        return cls(low, high, facts["shift"], reads, facts["coverage"])


def _ends(
    low: lightgbm.Booster, high: lightgbm.Booster, x: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    one, other = np.asarray(low.predict(x)), np.asarray(high.predict(x))
    return np.minimum(one, other), np.maximum(one, other)


def fit_interval(
    binned: BinnedMaterial,
    trial: Trial,
    groups: np.ndarray,
    *,
    seed: int,
    num_threads: int,
) -> IntervalModel:
    """Grows the quantile trees and corrects them on validation.

    Args:
        binned: Training and validation rows.
        trial: Whose setting and rounds to take.
        groups: Number of the entity of each validation row.
        seed: Of the trees.
        num_threads: Does not change the result.
    """
    material, rows = binned.material, binned(trial.setting)
    low, high = (
        grow(
            rows,
            replace(trial.setting.trees, objective="quantile", alpha=alpha),
            num_rounds=max(trial.rounds, 50),
            seed=seed,
            num_threads=num_threads,
        ).booster
        for alpha in ((1 - LEVEL) / 2, (1 + LEVEL) / 2)
    )
    lower, upper = _ends(low, high, material.validation(trial.setting).x)
    label = material.y_validation
    misses = np.maximum(lower - label, label - upper)
    half = groups % 2 == 0
    held = [
        misses[check] <= conformal_shift(misses[~check])
        for check in (half, ~half)
        if check.any() and (~check).any()
    ]
    coverage = float(np.mean(np.concatenate(held))) if held else float("nan")
    reads = material.chosen(trial.setting)
    return IntervalModel(low, high, conformal_shift(misses), reads, coverage)


def conformal_shift(misses: np.ndarray) -> float:
    """The ⌈(n + 1) · 0.9⌉-th smallest miss; the largest where n is small.

    Args:
        misses: How far each label lay outside its interval; negative inside.

    Example:
        >>> conformal_shift(np.arange(1.0, 100.0))
        90.0
    """
    place = min(len(misses), ceil((len(misses) + 1) * LEVEL))
    return float(np.sort(misses)[place - 1])
