"""The predictive query: what, for whom, when."""

from benthic.errors import QueryError
from benthic.relational.query.predictive_query import PredictiveQuery
from benthic.relational.query.task_type import TaskType

__all__ = ["PredictiveQuery", "QueryError", "TaskType"]
