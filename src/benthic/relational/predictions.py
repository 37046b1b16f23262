"""The answers to a query, part by part, with what their reader should know."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import pandas as pd

from benthic.relational.learning import Fitted, asked_in_parts, with_frames
from benthic.relational.task import Task


@dataclass(frozen=True, eq=False)
class Predictions:
    """Frames with a row per entity, made as they are asked for.

    Millions of entities need no memory, and each frame carries the notes in its
    ``attrs``, which Parquet keeps.

    Args:
        task: Whom it is asked about.
        fitted: What answers.
        cohort: Whom entities are compared with, where that is not one another.
    """

    task: Task
    fitted: Fitted
    cohort: pd.DataFrame | None

    @property
    def num_rows(self) -> int:
        """How many rows all frames have together."""
        return self.task.count("now") * self.task.num_frames

    @property
    def notes(self) -> tuple[str, ...]:
        """Which type was inferred and why, what is known already, how good it is."""
        return (*self.task.notes, *self.fitted.report.notes)

    def __iter__(self) -> Iterator[pd.DataFrame]:
        task, engine = self.task, self.fitted.engine
        for seeds in asked_in_parts(task, engine.announce):
            asked = with_frames(seeds, task.num_frames)
            frame = ["frame"] if "frame" in asked else []
            known = asked[["entity", "anchor_time", *frame]]
            found = engine.predict(known, cohort=self.cohort)
            flags = asked[["matches_where"]] if _may_fail(task) else None
            part = pd.concat([known, found, flags], axis=1)
            part.attrs["notes"] = list(self.notes)
            yield part


def _may_fail(task: Task) -> bool:
    """Whether there can be entities, named by the user, that fail WHERE."""
    query = task.query
    named = query is not None and query.entities is not None
    return named and query is not None and query.where is not None
