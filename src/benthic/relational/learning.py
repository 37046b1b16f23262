"""From a task to a fitted engine."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd

from benthic.relational.engines import (
    AnyEngine,
    FitReport,
    Options,
    Target,
    make_features_engine,
)
from benthic.relational.progress import silent
from benthic.relational.query import PredictiveQuery
from benthic.relational.task import Task
from benthic.relational.task.example_table import CHUNK_ROWS

_ANNOUNCED = 1_000_000
"""Entities whose rows are read together, if memory allows."""


@dataclass(frozen=True)
class Fitted:
    """An engine that answers one query.

    Args:
        query: What it answers, for each entity.
        engine: What answers.
        report: What the fit cost and chose.
    """

    query: PredictiveQuery
    engine: AnyEngine
    report: FitReport


def for_each(query: PredictiveQuery) -> PredictiveQuery:
    """The query for all entities: a fit serves them all, whoever was named.

    Args:
        query: For each entity, or for named ones.

    Example:
        >>> one = "PREDICT COUNT(orders.*, 0, 30) = 0 FOR customers.id = 7"
        >>> str(for_each(PredictiveQuery.parse(one)))
        'PREDICT COUNT(orders.*, 0, 30, days) = 0 FOR EACH customers.id'
    """
    return replace(query, entities=None)


def learn(
    task: Task,
    train: pd.DataFrame,
    validation: pd.DataFrame,
    options: Options,
    *,
    fit_dir: str | Path | None = None,
    progress: Callable[[str], None] = silent,
) -> Fitted:
    """Fits the engine that suits a task.

    Args:
        task: What is to be learned.
        train: Examples to learn from, as :func:`numbered` gives them.
        validation: Later examples to choose by.
        options: How the engine learns.
        fit_dir: Where an interrupted fit finds its finished parts again.
        progress: Told of each step.
    """
    engine = make_features_engine(
        task.db, Target.of(task), options, fit_dir=fit_dir, progress=progress
    )
    report = engine.fit(train, validation)
    query = task.query
    assert query is not None
    return Fitted(for_each(query), engine, report)


def numbered(examples: pd.DataFrame, task: Task) -> pd.DataFrame:
    """Examples with truth as 1 and 0, and with the time their label became known.

    Args:
        examples: Of the task.
        task: Gives the horizon and the type.
    """
    shown = examples
    if str(task.task_type) == "binary":
        shown = shown.assign(label=shown["label"].astype(np.float64))
    if task.horizon is not None and task.num_frames == 1:
        shown = shown.assign(observed_at=task.observed_at(shown["anchor_time"]))
    return shown


def asked_in_parts(
    task: Task, announce: Callable[[pd.DataFrame], None]
) -> Iterator[pd.DataFrame]:
    """The entities to predict, a part at a time, many of them announced together.

    Args:
        task: Whom it is asked about.
        announce: Told of many before their parts come, and of none at the end.
    """
    if task.count("now") <= CHUNK_ROWS:
        yield from task.seeds("now")
        return
    try:
        for many in task.seeds("now", _ANNOUNCED):
            announce(many)
            for start in range(0, len(many), CHUNK_ROWS):
                part = many.iloc[start : start + CHUNK_ROWS]
                yield part.reset_index(drop=True)
    finally:
        announce(pd.DataFrame({"entity": [], "anchor_time": []}))


def with_frames(seeds: pd.DataFrame, num_frames: int) -> pd.DataFrame:
    """Each seed once for each timeframe of a forecast.

    Args:
        seeds: ``entity``, ``anchor_time`` and what else there is.
        num_frames: 1 for anything but a forecast.

    Example:
        >>> seeds = pd.DataFrame({"entity": ["a"], "anchor_time": 0})
        >>> with_frames(seeds, 2)["frame"].tolist()
        [0, 1]
    """
    if num_frames == 1 or "frame" in seeds:
        return seeds
    repeated = seeds.loc[seeds.index.repeat(num_frames)].reset_index(drop=True)
    return repeated.assign(frame=np.tile(np.arange(num_frames), len(seeds)))
