"""Which kind of task does a target set?"""

from __future__ import annotations

from enum import Enum


class TaskType(str, Enum):
    """What is predicted for one entity at one time."""

    binary = "binary"
    multiclass = "multiclass"
    regression = "regression"
    multilabel = "multilabel"
    ranking = "ranking"
    forecast = "forecast"

    def __str__(self) -> str:
        return self.value
