"""What each feature added to each score that an answer rests on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import lightgbm
import numpy as np

from benthic.relational.features.feature import Feature


@dataclass(frozen=True)
class Reasons:
    """score_c = expected_c + sum over features f of effect_fc, for one entity.

    Effects are SHAP values: how far the known value of a feature moves the score from
    what is expected of anybody. They speak of the model, not of causes.

    Args:
        outcomes: What each score is for, the explained one first: a class and the
            runner-up, the first values of a list, the mean of a forecast and its
            frames.
        features: Where each feature comes from.
        effects: `[F, C]`
        expected: `[C]`
        spread_over: How many of the outcomes, beside the first, count in the shares.

    Example:
        >>> count, age = (Feature(name, "t", "t", None, "") for name in ("n", "age"))
        >>> effects = np.array([[3.0], [-1.0]])
        >>> why = Reasons(("True",), (count, age), effects, np.array([0.5]))
        >>> why.scores.tolist(), why.shares.tolist()
        ([2.5], [0.75, 0.25])
    """

    outcomes: tuple[Any, ...]
    features: tuple[Feature, ...]
    effects: np.ndarray
    expected: np.ndarray
    spread_over: int = 0

    @property
    def scores(self) -> np.ndarray:
        """What expectation and effects add up to `[C]`."""
        return np.asarray(self.expected + self.effects.sum(axis=0))

    @property
    def shares(self) -> np.ndarray:
        """Share of each feature in all that moved the explained score `[F]`."""
        first = slice(1, 1 + self.spread_over) if self.spread_over else slice(0, 1)
        moved = np.abs(self.effects[:, first]).sum(axis=1)
        return np.asarray(moved / max(float(moved.sum()), 1e-12))


def tree_effects(booster: lightgbm.Booster, x: np.ndarray) -> np.ndarray:
    """SHAP values of one booster `[N, C, F + 1]`; the last are the expected scores.

    Args:
        booster: With one score, or one for each of C classes.
        x: Features `[N, F]`.
    """
    found = np.asarray(booster.predict(x, pred_contrib=True, num_threads=1))
    return found.reshape(len(x), -1, x.shape[1] + 1)


def single_reasons(
    parts: np.ndarray, features: Sequence[Feature], name: str
) -> Reasons:
    """Why one number is what it is; of several frames, also why each is.

    The mean of the frames is explained, as its effects are the means of theirs: it is
    in the unit of a frame, whether frames are sums or averages. What is high in one
    frame and low in another counts in the shares, though it leaves the mean alone.

    Args:
        parts: Effects and expectation `[N, 1, F + 1]`, a row for each frame.
        features: F of them.
        name: Of the outcome, where there is one frame only.

    Example:
        >>> frames = np.array([[[1.0, 5.0]], [[3.0, 5.0]]])
        >>> why = single_reasons(frames, [Feature("n", "t", "t", None, "")], "")
        >>> why.outcomes, why.scores.tolist()
        (('mean', 'frame 0', 'frame 1'), [7.0, 6.0, 8.0])
    """
    frames = parts[:, 0]
    if len(frames) == 1:
        return _reasons((name,), frames, features)
    names = ("mean", *(f"frame {i}" for i in range(len(frames))))
    rows = np.vstack([frames.mean(axis=0), frames])
    return _reasons(names, rows, features, spread_over=len(frames))


def class_reasons(
    parts: np.ndarray, features: Sequence[Feature], classes: Sequence[Any]
) -> Reasons:
    """Why this class, and not the runner-up.

    Args:
        parts: Effects and expectation `[1, C, F + 1]`.
        features: F of them.
        classes: C of them.

    Example:
        >>> parts = np.array([[[0.0, 1.0], [2.0, 1.0], [0.0, 2.0]]])
        >>> why = class_reasons(parts, [Feature("n", "t", "t", None, "")], "abc")
        >>> why.outcomes, why.effects.tolist()
        (('b', 'c'), [[2.0, 0.0]])
    """
    scores = parts[0].sum(axis=1)
    best = np.argsort(-scores, kind="stable")[:2]
    return _reasons(tuple(classes[i] for i in best), parts[0, best], features)


def value_reasons(
    boosters: Sequence[lightgbm.Booster],
    x: np.ndarray,
    features: Sequence[Feature],
    values: Sequence[Any],
) -> Reasons:
    """Why these values stand at the head of a list: the mean score of the boosters.

    Args:
        boosters: Each counts the same.
        x: Features of the values `[V, F]`.
        features: F of them.
        values: V of them, the first one first.
    """
    parts = np.mean([tree_effects(one, x)[:, 0] for one in boosters], axis=0)
    return _reasons(tuple(values), parts, features)


def gain_shares(booster: lightgbm.Booster) -> np.ndarray:
    """Share of each feature in the gain of all splits `[F]`.

    Args:
        booster: Without a split, all shares are 0.
    """
    gain = booster.feature_importance("gain")
    return np.asarray(gain / max(gain.sum(), 1e-12))


def _reasons(
    outcomes: tuple[Any, ...],
    rows: np.ndarray,
    features: Sequence[Feature],
    spread_over: int = 0,
) -> Reasons:
    effects, expected = rows[:, :-1].T, rows[:, -1]
    return Reasons(outcomes, tuple(features), effects, expected, spread_over)
