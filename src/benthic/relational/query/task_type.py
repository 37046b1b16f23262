"""Which kind of task does a target set?"""

from __future__ import annotations

from enum import Enum

from benthic.relational.query.kinds import CONDITIONS
from benthic.relational.query.stypes import described, stype
from benthic.relational.query.tree import (
    Aggregate,
    Classify,
    Clauses,
    ColumnRef,
    Forecast,
    Rank,
)
from benthic.relational.schema import Schema, SType


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


def task_type(clauses: Clauses, schema: Schema) -> TaskType:
    """The task that a target sets, by the first line that fits.

    ::

        with FORECAST                                           forecast
        comparison, test, AND, OR, NOT; boolean column          binary
        with RANK TOP                                           ranking
        with CLASSIFY                                           multilabel
        categorical column, FIRST or LAST of one                multiclass
        any other                                               regression

    The semantic type decides, not the storage type.

    Args:
        clauses: A checked query.
        schema: The database.
    """
    modified = {
        Forecast: TaskType.forecast,
        Rank: TaskType.ranking,
        Classify: TaskType.multilabel,
    }
    found = stype(clauses.target, schema)
    if isinstance(clauses.modifier, Forecast):
        return TaskType.forecast
    if found is SType.boolean:
        return TaskType.binary
    if clauses.modifier is not None:
        return modified[type(clauses.modifier)]
    return TaskType.multiclass if found is SType.categorical else TaskType.regression


def reason(clauses: Clauses, schema: Schema) -> str:
    """Why the task is of its type, in a clause.

    Args:
        clauses: A checked query.
        schema: The database.
    """
    target = clauses.target
    if clauses.modifier is not None:
        return f"asked for by {type(clauses.modifier).__name__.upper()}"
    if isinstance(target, CONDITIONS):
        return "the target is a condition"
    inner = target
    if isinstance(target, Aggregate) and target.function in ("FIRST", "LAST"):
        inner = target.argument  # type: ignore[assignment]
    if isinstance(inner, ColumnRef):
        return described(inner, schema)
    return "the target is a number"
