"""What every engine promises: fit, predict, save, load."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import pandas as pd

from benthic.errors import InputError
from benthic.relational.database import Database
from benthic.relational.task import Task

_LEAST_ROWS = 20


@dataclass(frozen=True)
class Target:
    """What an engine is to learn.

    Args:
        entity_table: Whose rows are asked about.
        entity_col: Their key.
        task_type: binary, multiclass, regression, forecast, multilabel or ranking.
        horizon: Length of the window of the label: from its anchor on, when is it
            known? None for a static target, known at once.
        k: Length of a ranked list.
        value_table: Whose keys, or the values of whose column, are ranked.
        value_col: The key, or the column.
        hidden: Columns of the entity table that are asked for: no row shows them to
            the engine, neither the entity's own nor another.
        query: What is asked of each entity, as text: it says which rows a list is read
            from, and how. None where only the labels are given.
    """

    entity_table: str
    entity_col: str
    task_type: str
    horizon: pd.Timedelta | None = None
    k: int | None = None
    value_table: str | None = None
    value_col: str | None = None
    hidden: tuple[str, ...] = ()
    query: str | None = None

    def to_json(self) -> dict[str, Any]:
        """As plain JSON; the horizon in microseconds."""
        facts = asdict(self)
        facts["task_type"] = str(self.task_type)
        if self.horizon is not None:
            facts["horizon"] = self.horizon // pd.Timedelta(microseconds=1)
        return facts

    @classmethod
    def of(cls, task: Task) -> Target:
        """The target of a task.

        Args:
            task: What is to be learned.
        """
        horizon = task.horizon
        choices = task.choices
        return cls(
            task.entity_table,
            task.entity_col,
            str(task.task_type),
            None
            if horizon is None
            else horizon.after(task.anchor_time) - task.anchor_time,
            task.k,
            None if choices is None else choices.table,
            None if choices is None else choices.column,
            () if task.query is None else task.query.asked_columns,
            None if task.query is None else str(replace(task.query, entities=None)),
        )

    @classmethod
    def from_json(cls, facts: Mapping[str, Any]) -> Target:
        """The inverse of :meth:`to_json`.

        Args:
            facts: The JSON.

        Example:
            >>> target = Target("drivers", "driverId", "binary", pd.Timedelta(days=30))
            >>> Target.from_json(target.to_json()) == target
            True
        """
        horizon = facts["horizon"]
        known = None if horizon is None else pd.Timedelta(microseconds=horizon)
        hidden = tuple(facts["hidden"])
        return cls(**{**facts, "horizon": known, "hidden": hidden})

    def inputs(self, db: Database) -> Database:
        """What may be learned from: the database without the hidden columns.

        Args:
            db: The database.
        """
        return db.without(self.entity_table, self.hidden)


@dataclass(frozen=True)
class FitReport:
    """What a fit cost and what it chose.

    Args:
        engine: Its name.
        fit_seconds: Of the clock on the wall.
        peak_memory_mb: Most memory that this process has held so far.
        metric: What settings were compared by, on validation.
        value: Of the metric, before the final refit.
        chosen: Settings, by name.
        notes: What the user should know, one sentence each.
    """

    engine: str
    fit_seconds: float
    peak_memory_mb: float
    metric: str
    value: float
    chosen: Mapping[str, Any] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


class Engine(Protocol):
    """Learns a target and predicts it.

    Seeds and examples are frames with ``entity`` and ``anchor_time``. A seed sees the
    rows of the database up to its anchor, or up to ``cut_time`` where that column is
    there and earlier (a frozen evaluation). Examples also have ``label`` (and ``frame``
    for a forecast).
    """

    predict_seconds: float
    """How long the last call of ``predict`` took."""

    def fit(self, train: pd.DataFrame, validation: pd.DataFrame) -> FitReport:
        """Learns; settings are chosen on validation, which is later than training.

        Args:
            train: Examples.
            validation: Later examples.
        """
        ...

    def predict(
        self, seeds: pd.DataFrame, *, cohort: pd.DataFrame | None = None
    ) -> pd.DataFrame:
        """One row per seed, in their order and with their index.

        ``prediction``, and ``probability`` (binary), ``probability_<class>``
        (multiclass, multilabel), ``mean``, ``lower`` and ``upper`` (numbers) or
        ``scores`` (ranking, where a prediction is a list).

        Args:
            seeds: What to predict.
            cohort: Whom the seeds are compared with at their anchor; each other by
                default. Given when few are predicted.
        """
        ...

    def announce(self, seeds: pd.DataFrame) -> None:
        """Says what will be predicted, in parts, in this order; nothing at the end.

        Args:
            seeds: As for :meth:`predict`.
        """
        ...

    def on(self, db: Database) -> Engine:
        """The same engine, reading another database of the same schema.

        Args:
            db: The database.
        """
        ...

    def save(self, folder: str | Path) -> None:
        """Writes the engine into a folder that appears whole or not at all.

        Args:
            folder: To be made; must not exist, or be an engine's.
        """
        ...

    @classmethod
    def load(cls, folder: str | Path, db: Database) -> Engine:
        """Reads an engine.

        Args:
            folder: Where it was saved.
            db: The database to predict on.
        """
        ...


def check_examples(
    train: pd.DataFrame, validation: pd.DataFrame, task_type: str
) -> None:
    """Refuses examples from which nothing can be learned.

    Args:
        train: Examples of training.
        validation: Examples of validation.
        task_type: Of the target.

    Raises:
        InputError: If there are too few, or all have the same class.

    Example:
        >>> one = pd.DataFrame({"entity": range(30), "anchor_time": 0, "label": 1})
        >>> check_examples(one, one, "binary")
        Traceback (most recent call last):
        ...
        benthic.errors.InputError: query: found only the class 1 in 30 training \
labels; ask for what sometimes happens and sometimes does not, or give more anchors
    """
    for name, frame in (("train", train), ("validation", validation)):
        missing = {"entity", "anchor_time", "label"} - set(frame.columns)
        if missing:
            raise InputError(
                name,
                f"no column {', '.join(sorted(missing))}",
                "give entity, anchor_time and label",
            )
    if len(train) < _LEAST_ROWS or validation.empty:
        raise InputError(
            "query",
            f"{len(train):,} training and {len(validation):,} validation labels",
            f"at least {_LEAST_ROWS} and 1 are needed: ask for a shorter window, "
            "or of more entities",
        )
    if task_type in {"binary", "multiclass"} and train["label"].nunique() < 2:
        raise InputError(
            "query",
            f"only the class {train['label'].iloc[0]} in {len(train):,} "
            "training labels",
            "ask for what sometimes happens and sometimes does not, "
            "or give more anchors",
        )


def peak_memory_mb() -> float:
    """Most memory that this process has held, in MB; not a number on Windows.

    Example:
        >>> peak_memory_mb() > 1
        True
    """
    if sys.platform == "win32":
        return float("nan")
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (1e6 if sys.platform == "darwin" else 1e3)


def drawn_lags(examples: pd.DataFrame, lags: np.ndarray, *, seed: int) -> pd.DataFrame:
    """The same examples, each anchor cut some time before it.

    Where predictions will be made long after the last row that may be seen, training
    rows must know how that feels. All examples of an anchor get the same lag, since
    they are compared with one another.

    Args:
        examples: With ``anchor_time``.
        lags: Lags to draw from, as timedelta64.
        seed: Of the draws.

    Example:
        >>> rows = pd.DataFrame({"anchor_time": pd.to_datetime(["2026-01-09"] * 2)})
        >>> week = np.array([np.timedelta64(7, "D")])
        >>> drawn_lags(rows, week, seed=0)["cut_time"].dt.day.tolist()
        [2, 2]
    """
    code, anchors = pd.factorize(examples["anchor_time"], sort=True)
    drawn = np.random.default_rng(seed).choice(lags, len(anchors))
    return examples.assign(cut_time=examples["anchor_time"] - drawn[code])


def lags_of(seeds: pd.DataFrame) -> np.ndarray:
    """How long before their anchor the seeds are cut, each lag once per anchor.

    Empty where no seed is cut.

    Args:
        seeds: With ``anchor_time`` and perhaps ``cut_time``.

    Example:
        >>> at = pd.to_datetime(["2026-01-09"])
        >>> len(lags_of(pd.DataFrame({"anchor_time": at, "cut_time": at})))
        0
    """
    none = np.array([], dtype="timedelta64[us]")
    if "cut_time" not in seeds:
        return none
    pairs = seeds[["anchor_time", "cut_time"]].drop_duplicates()
    lag = (pairs["anchor_time"] - pairs["cut_time"]).to_numpy("timedelta64[us]")
    lag = np.maximum(lag, np.timedelta64(0, "us"))
    return lag if (lag > np.timedelta64(0, "us")).any() else none
