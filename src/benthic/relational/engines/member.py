"""One value that sets may hold: how likely is it?"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import lightgbm
import numpy as np
import pandas as pd

from benthic.relational.engines.calibration import Calibration, logit
from benthic.relational.engines.reasons import tree_effects

_MOST_VALUES = 1_000


@dataclass(frozen=True)
class Member:
    """How likely one value is in a set.

    Args:
        value: The value.
        share: Of the training sets that hold it.
        boosters: Each counts the same; without any, the share is all that is known.
        calibration: Of their mean.
    """

    value: Any
    share: float
    boosters: tuple[lightgbm.Booster, ...] = ()
    calibration: Calibration = field(default_factory=Calibration)

    def __call__(self, x: np.ndarray) -> np.ndarray:
        """Probabilities `[N]`.

        Args:
            x: Features `[N, F]`.
        """
        if not self.boosters or not len(x):
            return np.full(len(x), self.share)
        said = [np.asarray(one.predict(x, num_threads=1)) for one in self.boosters]
        return self.calibration(np.mean(said, axis=0))

    def effects(self, x: np.ndarray) -> np.ndarray:
        """What each feature of one row adds to the log-odds, and what is expected.

        Args:
            x: Features `[1, F]`.
        """
        if not self.boosters:
            return np.append(np.zeros(x.shape[1]), logit(np.array([self.share])))
        parts = [tree_effects(one, x)[0, 0] for one in self.boosters]
        return np.asarray(np.mean(parts, axis=0))

    def to_json(self) -> dict[str, Any]:
        """As plain JSON, without the boosters."""
        return {
            "value": self.value,
            "share": self.share,
            "boosters": len(self.boosters),
            "calibration": vars(self.calibration),
        }

    def save(self, folder: Path, name: str) -> None:
        """Writes the boosters as LightGBM text.

        Args:
            folder: Must exist.
            name: First part of the file names.
        """
        for i, booster in enumerate(self.boosters):
            text = booster.model_to_string()
            (folder / f"{name}.{i}.txt").write_text(text, encoding="utf-8")

    @classmethod
    def load(cls, folder: Path, name: str, facts: Mapping[str, Any]) -> Member:
        """Reads what :meth:`save` wrote.

        Args:
            folder: Where.
            name: First part of the file names.
            facts: What :meth:`to_json` gave.
        """
        texts = [
            (folder / f"{name}.{i}.txt").read_text(encoding="utf-8")
            for i in range(facts["boosters"])
        ]
        boosters = tuple(lightgbm.Booster(model_str=text) for text in texts)
        known = facts["calibration"]
        calibration = Calibration(known["kind"], tuple(known["x"]), tuple(known["y"]))
        return cls(facts["value"], facts["share"], boosters, calibration)


def commonest_values(labels: pd.Series) -> list[Any]:
    """The values that sets hold, the commonest first.

    Args:
        labels: Sets, as lists.

    Example:
        >>> commonest_values(pd.Series([["b"], ["a", "b"], []]))
        ['b', 'a']
    """
    counts = Counter(value for label in labels for value in set(label))
    ordered = sorted(counts.items(), key=lambda pair: (-pair[1], str(pair[0])))
    return [value for value, _ in ordered[:_MOST_VALUES]]


def truths(labels: pd.Series, values: list[Any]) -> np.ndarray:
    """Whether each set holds each value `[N, V]`.

    Args:
        labels: Sets, as lists.
        values: V of them.

    Example:
        >>> truths(pd.Series([["b"], ["a", "c"]]), ["b", "a"]).tolist()
        [[1.0, 0.0], [0.0, 1.0]]
    """
    place = {value: i for i, value in enumerate(values)}
    found = np.zeros((len(labels), len(values)))
    for row, label in zip(found, labels, strict=True):
        row[[place[value] for value in set(label) if value in place]] = 1.0
    return found


def share_of(held: np.ndarray) -> float:
    """Share of the sets that hold a value, never 0 nor 1: (held + 1/2) / (sets + 1).

    Args:
        held: Whether each set holds it.

    Example:
        >>> share_of(np.zeros(4))
        0.1
    """
    return float((held.sum() + 0.5) / (len(held) + 1))


def best_values(
    said: np.ndarray, values: list[Any], k: int
) -> tuple[list[list[Any]], list[list[float]]]:
    """The k likeliest values of each row and their probabilities.

    Args:
        said: Probabilities `[N, V]`.
        values: V of them.
        k: How many.

    Example:
        >>> best_values(np.array([[0.2, 0.7, 0.1]]), ["a", "b", "c"], 2)
        ([['b', 'a']], [[0.7, 0.2]])
    """
    order = np.argsort(-said, axis=1, kind="stable")[:, :k]
    lists = [[values[i] for i in row] for row in order]
    return lists, np.take_along_axis(said, order, axis=1).tolist()
