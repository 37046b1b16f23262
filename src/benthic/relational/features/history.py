"""Past labels: what was true of this entity at earlier anchors, once it was known."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from benthic.relational.features.columns import Json, Reading
from benthic.relational.features.events import Events, Ints, Moments, sorted_events
from benthic.relational.features.path_features import (
    Named,
    PathPlan,
    path_features,
    view,
)
from benthic.relational.features.paths import Path
from benthic.relational.features.windows import Windows
from benthic.relational.schema import Chain, SType

LABELS = "label history"
"""The table that past labels are read from, in a feature's provenance."""

_MOST_CLASSES = 5


@dataclass(frozen=True)
class LabelHistory:
    """Past labels, each with the moment from which it may be seen.

    Args:
        keys: ``key_hash`` of the entities.
        anchors: Seed times of the labels, in microseconds.
        observed: When each label was complete: anchor + horizon.
        labels: [N, targets]: the label, or one indicator per class.
        targets: Name of each column of ``labels``.
        is_static: Whether an entity has one label for all time: it may be shown to
            others, once it is known, and never to the entity itself.
    """

    keys: Ints
    anchors: Ints
    observed: Ints
    labels: NDArray[np.float64]
    targets: tuple[str, ...]
    is_static: bool = False

    def __len__(self) -> int:
        return len(self.keys)

    @property
    def arrays(self) -> tuple[NDArray[np.generic], ...]:
        """All that they are made of."""
        return self.keys, self.anchors, self.observed, self.labels

    def moments(self) -> Moments:
        """Who and when, at the anchors."""
        return Moments(self.keys, self.anchors, self.anchors)

    def shown_to(self, moments: Moments) -> Moments:
        """Until when each seed may see labels: its own static one is never among them.

        An entity that has a label sees those before it, whenever it is asked.

        Args:
            moments: The seeds.
        """
        if not self.is_static or not len(self):
            return moments
        order = np.lexsort((self.observed, self.keys))
        keys = self.keys[order]
        place = np.minimum(np.searchsorted(keys, moments.keys), len(keys) - 1)
        known = self.observed[order][place] - 1
        own = keys[place] == moments.keys
        until = np.where(own, np.minimum(moments.until, known), moments.until)
        return Moments(moments.keys, moments.anchors, until)

    def by(self, keys: Ints) -> Events:
        """The labels as rows of other keys, such as a category.

        Args:
            keys: One key per label.
        """
        columns = {name: self.labels[:, i] for i, name in enumerate(self.targets)}
        values = {**columns, "anchor": self.anchors}
        return sorted_events(keys, self.observed, values)

    def joined(self, other: LabelHistory) -> LabelHistory:
        """These labels, then others.

        Args:
            other: Labels of the same targets.
        """
        return LabelHistory(
            np.concatenate([self.keys, other.keys]),
            np.concatenate([self.anchors, other.anchors]),
            np.concatenate([self.observed, other.observed]),
            np.concatenate([self.labels, other.labels]),
            self.targets,
            self.is_static,
        )

    def to_json(self) -> Json:
        """As plain JSON."""
        return {
            "keys": self.keys.tolist(),
            "anchors": self.anchors.tolist(),
            "observed": self.observed.tolist(),
            "labels": self.labels.tolist(),
            "targets": list(self.targets),
            "is_static": self.is_static,
        }

    @classmethod
    def from_json(cls, found: Json) -> LabelHistory:
        """The inverse of ``to_json``."""
        targets = tuple(str(name) for name in found["targets"])  # type: ignore[attr-defined]
        keys = np.array(found["keys"], np.int64)
        labels = np.array(found["labels"], np.float64).reshape(len(keys), len(targets))
        return cls(
            keys,
            np.array(found["anchors"], np.int64),
            np.array(found["observed"], np.int64),
            labels,
            targets,
            bool(found["is_static"]),
        )


def targets_of(labels: pd.Series) -> tuple[str, ...]:
    """``label`` where labels are numbers, else one target per class, commonest first.

    Args:
        labels: Training labels.
    """
    if pd.api.types.is_bool_dtype(labels) or pd.api.types.is_numeric_dtype(labels):
        return ("label",)
    shares = labels.dropna().astype(str).value_counts(sort=False)
    ordered = sorted(shares.items(), key=lambda pair: (-pair[1], pair[0]))
    return tuple(f"label = {name}" for name, _ in ordered[:_MOST_CLASSES])


def label_columns(labels: pd.Series, targets: Sequence[str]) -> NDArray[np.float64]:
    """Labels as one number per target. Result: [N, targets].

    Args:
        labels: Labels.
        targets: As ``targets_of`` named them.
    """
    if list(targets) == ["label"]:
        return np.asarray(labels, np.float64)[:, None]
    text = labels.astype(str).to_numpy()
    columns = [text == name.removeprefix("label = ") for name in targets]
    return (
        np.stack(columns, axis=1).astype(np.float64)
        if columns
        else np.empty((len(text), 0))
    )


def history_features(
    history: LabelHistory, entity_table: str, entity_col: str, moments: Moments
) -> Named:
    """The entity's own past labels: last, means, spread, decayed mean, count, recency.

    Args:
        history: Past labels.
        entity_table: Where the entities are.
        entity_col: Its key.
        moments: The seeds.
    """
    path = Path(Chain((LABELS, entity_table), (entity_col,)))
    readings = tuple(Reading(name, SType.numerical) for name in history.targets)
    plan = PathPlan(path, readings, Windows(rows=(1, 3, 5, 10, 20)))
    seen = view(history.by(history.keys), moments, plan.windows)
    yield from path_features(plan, seen, {})
