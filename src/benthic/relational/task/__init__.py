"""Tasks: what is to be learned, as examples (entity, time, label) without leakage."""

from benthic.relational.task.making import make_task
from benthic.relational.task.relbench import load_relbench_task
from benthic.relational.task.steps import Horizon, Span
from benthic.relational.task.task import Task

__all__ = ["Horizon", "Span", "Task", "load_relbench_task", "make_task"]
