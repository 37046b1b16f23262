"""What is learned from: rows as arrays, and the ways to look at them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from benthic.errors import InputError
from benthic.relational.engines.boosting import Rows, Trees
from benthic.relational.engines.design import Design
from benthic.relational.engines.engine import drawn_lags
from benthic.relational.engines.finished import fingerprint

_MOST_CLASSES = 1_000


@dataclass(frozen=True)
class Setting:
    """One way to learn.

    Args:
        history: What training rows see: ``fresh`` (all until their anchor) or
            ``lagged`` (cut some time before it, as the rows to predict are).
        half_life: After which share of the training span a row counts half; 0 if all
            rows count the same.
        num_features: How many of the most useful features; 0 takes all.
        trees: How they are grown.
    """

    history: str
    half_life: float
    num_features: int
    trees: Trees


@dataclass(frozen=True)
class Material:
    """What is learned from.

    Args:
        views: ``fresh`` and perhaps ``lagged`` features of the training rows; several
            draws of a lag stand below each other `[D · N, F]`.
        y: Labels of the training rows `[N]`.
        age: How long before the last anchor, in spans of training, 0 to 1 `[N]`.
        x_validation: `[M, F]`
        y_validation: `[M]`
        num_classes: Of a multiclass label; 1 otherwise.
        order: Features from the most useful in training to the least `[F]`.
    """

    views: dict[str, np.ndarray]
    y: np.ndarray
    age: np.ndarray
    x_validation: np.ndarray
    y_validation: np.ndarray
    num_classes: int = 1
    order: np.ndarray | None = None

    def chosen(self, setting: Setting) -> np.ndarray:
        """Which features a setting reads, in the order of the columns."""
        width = self.x_validation.shape[1]
        if self.order is None or setting.num_features == 0:
            return np.arange(width)
        return np.sort(self.order[: setting.num_features])

    def rows(self, setting: Setting) -> Rows:
        """The training rows that a setting learns from."""
        view = self.views[setting.history]
        copies = len(view) // max(1, len(self.y))
        x = view[:, self.chosen(setting)]
        return Rows(x, np.tile(self.y, copies), self.weights(setting))

    def weights(self, setting: Setting) -> np.ndarray:
        """Weight of each row of :meth:`rows`, by its age; their mean is 1."""
        weight = np.ones(len(self.y))
        if setting.half_life > 0:
            weight = np.asarray(0.5 ** (self.age / setting.half_life))
        copies = len(self.views[setting.history]) // max(1, len(self.y))
        return np.tile(weight / weight.mean(), copies)

    def validation(self, setting: Setting) -> Rows:
        """The validation rows, with the features of a setting."""
        x = self.x_validation[:, self.chosen(setting)]
        return Rows(x, self.y_validation, np.ones(len(self.y_validation)))

    def fingerprint(self) -> str:
        """The same for the same arrays, and for no others."""
        views = [array for _, array in sorted(self.views.items())]
        return fingerprint(*views, self.y, self.x_validation, self.y_validation)


def gathered(
    design: Design,
    train: pd.DataFrame,
    validation: pd.DataFrame | None,
    *,
    classes: list[Any],
    lags: np.ndarray,
    num_lags: int,
    seed: int,
) -> Material:
    """The matrices of the examples, each view of them.

    Args:
        design: Makes features of seeds.
        train: Examples.
        validation: Later ones; None if there is nothing to judge by.
        classes: Of a multiclass label: its classes; empty otherwise.
        lags: Lags to draw from, as timedelta64; none if no seed is cut.
        num_lags: Draws for each training row; 0 shows them as they are only.
        seed: Of the draws.
    """
    train = _of(train, classes)
    plain = train.drop(columns="cut_time", errors="ignore").reset_index(drop=True)
    views = {"fresh": design.matrix(plain)}
    if len(lags) and num_lags:
        draws = [
            design.matrix(drawn_lags(plain, lags, seed=seed + i))
            for i in range(num_lags)
        ]
        views["lagged"] = np.concatenate(draws)
    judged = plain.iloc[:0] if validation is None else _of(validation, classes)
    return Material(
        views,
        numbers(plain["label"], classes),
        _age(plain["anchor_time"]),
        design.matrix(judged) if len(judged) else views["fresh"][:0],
        numbers(judged["label"], classes),
        max(1, len(classes)),
    )


def numbers(label: pd.Series, classes: list[Any]) -> np.ndarray:
    """Labels as LightGBM takes them.

    Args:
        label: Numbers, truths, or classes.
        classes: In the order of their numbers; empty if labels are numbers.

    Example:
        >>> numbers(pd.Series(["b", "a"]), ["a", "b"]).tolist()
        [1.0, 0.0]
    """
    if not classes:
        return np.asarray(label.to_numpy(dtype=np.float64))
    number = {value: i for i, value in enumerate(classes)}
    return np.array([number[value] for value in label], dtype=np.float64)


def found_classes(label: pd.Series) -> list[Any]:
    """The classes that training has, in the order of their numbers.

    Args:
        label: Of the training rows.

    Raises:
        InputError: If they are too many to be told apart.

    Example:
        >>> found_classes(pd.Series(["b", "a", "b"]))
        ['a', 'b']
    """
    classes: list[Any] = sorted(label.unique().tolist(), key=str)
    if len(classes) > _MOST_CLASSES:
        raise InputError(
            "query",
            f"{len(classes):,} classes",
            f"at most {_MOST_CLASSES:,} can be told apart; "
            "rank them, or ask for a coarser column",
        )
    return classes


def _of(examples: pd.DataFrame, classes: list[Any]) -> pd.DataFrame:
    if not classes:
        return examples
    # A class that training never saw cannot be learned.
    return examples[examples["label"].isin(classes)]


def _age(anchor: pd.Series) -> np.ndarray:
    age = anchor.max() - anchor
    span = age.max()
    if not span > pd.Timedelta(0):
        return np.zeros(len(age))
    return np.asarray((age / span).to_numpy(dtype=np.float64))
