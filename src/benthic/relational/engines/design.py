"""From seeds to the matrix that models read, and the labels known by then."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from benthic.relational.database import Database
from benthic.relational.engines.engine import Target
from benthic.relational.features.feature import Feature
from benthic.relational.features.relational_features import RelationalFeatures

_DAY = pd.Timedelta(days=1)
_TICK = pd.Timedelta(1, "us")  # the database's times are no finer


def observed_at(examples: pd.DataFrame, target: Target) -> pd.Series:
    """When each label became known: at the end of its window.

    ``observed_at`` where the examples have it; else the anchor plus the horizon, of
    which frame i of n takes the first (i + 1) / n.

    Args:
        examples: With ``anchor_time``, perhaps ``frame`` and ``observed_at``.
        target: Gives the horizon.
    """
    if "observed_at" in examples:
        return examples["observed_at"]
    horizon = target.horizon if target.horizon is not None else pd.Timedelta(0)
    if "frame" not in examples:
        return examples["anchor_time"] + horizon
    share = (examples["frame"] + 1) / (examples["frame"].max() + 1)
    return examples["anchor_time"] + share * horizon


def label_history(examples: pd.DataFrame, target: Target) -> pd.DataFrame:
    """Past labels as :class:`RelationalFeatures` reads them.

    Args:
        examples: With labels. The same window seen from several anchors counts once.
        target: Gives the horizon.
    """
    columns = ["entity", "anchor_time", "label"]
    history = examples[columns].assign(observed_at=observed_at(examples, target))
    if "frame" in examples:
        history = history.drop_duplicates(["entity", "observed_at"], keep="last")
    return history


def past_labels(examples: pd.DataFrame, target: Target) -> pd.DataFrame | None:
    """The labels that may be inputs, and from when on; None if there are none.

    A column's value is known just after the time of its row, to rows that are later
    than that; where all rows are asked about at one time, to none.

    Args:
        examples: With labels.
        target: Gives the horizon.
    """
    if target.horizon is not None:
        return label_history(examples, target)
    is_set = target.value_col is not None
    if not target.hidden or is_set or examples["anchor_time"].nunique() < 2:
        return None
    return label_history(examples, target).assign(
        observed_at=examples["anchor_time"] + _TICK
    )


@dataclass
class Design:
    """Relational features, and what else distinguishes one row from another.

    Args:
        features: Fitted on the training rows.
        has_lag: Whether how long ago a seed was cut is a column.
        has_frame: Whether the frame of a forecast is a column.
        known: Labels that were learned after the features were fitted.
    """

    features: RelationalFeatures
    has_lag: bool
    has_frame: bool
    known: pd.DataFrame | None = None

    @classmethod
    def fit(
        cls,
        db: Database,
        target: Target,
        train: pd.DataFrame,
        *,
        num_hops: int,
        strict: bool,
        has_lag: bool,
        text_encoder: str | None = None,
    ) -> Design:
        """Chooses the features from training rows only.

        Args:
            db: The database.
            target: What is to be learned.
            train: Examples.
            num_hops: Longest path of foreign keys.
            strict: Whether rows at exactly the seed time are hidden.
            has_lag: Whether some seeds will be cut before their anchor.
            text_encoder: Folder or name of a model that reads texts.
        """
        features = RelationalFeatures(
            db,
            target.entity_table,
            target.entity_col,
            num_hops=num_hops,
            strict=strict,
            text_encoder=text_encoder,
        )
        seeds = train.drop_duplicates(["entity", "anchor_time"])
        horizon = target.horizon
        features.fit(
            seeds[["entity", "anchor_time", "label"]],
            horizon=None if horizon is None else horizon.to_pytimedelta(),
            history=past_labels(train, target),
        )
        return cls(features, has_lag, "frame" in train)

    @property
    def columns(self) -> list[Feature]:
        """Where each column of the matrix comes from."""
        extra = []
        if self.has_lag:
            extra.append(
                Feature("days since the cut", "the seed", "seed", None, "days since")
            )
        if self.has_frame:
            extra.append(Feature("frame", "the seed", "seed", "frame", "value"))
        return [*self.features.features, *extra]

    def matrix(
        self, seeds: pd.DataFrame, cohort: pd.DataFrame | None = None
    ) -> np.ndarray:
        """Features `[N, F]`, float32.

        Args:
            seeds: ``entity``, ``anchor_time``, perhaps ``cut_time`` and ``frame``.
            cohort: Whom the seeds are compared with; each other by default.
        """
        asked = [c for c in ("entity", "anchor_time", "cut_time") if c in seeds]
        places: np.ndarray | slice = slice(None)
        distinct = seeds[asked]
        if self.has_frame:
            grouped = distinct.groupby(asked, sort=False, dropna=False)
            places = grouped.ngroup().to_numpy()
            distinct = distinct.drop_duplicates()
        frame = self.features.transform(distinct, history=self.known, cohort=cohort)
        blocks = [np.asarray(frame.to_numpy(np.float32, copy=False))[places]]
        if self.has_lag:
            blocks.append(_lag_days(seeds))
        if self.has_frame:
            blocks.append(seeds["frame"].to_numpy(np.float32))
        return np.asarray(np.column_stack(blocks) if len(blocks) > 1 else blocks[0])


def _lag_days(seeds: pd.DataFrame) -> np.ndarray:
    if "cut_time" not in seeds:
        return np.zeros(len(seeds), np.float32)
    lag = (seeds["anchor_time"] - seeds["cut_time"]) / _DAY
    return np.asarray(np.maximum(lag.to_numpy(np.float32), 0))
