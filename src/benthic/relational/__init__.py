"""Predictions over relational databases."""

from benthic.relational.database import Database
from benthic.relational.engines import Options
from benthic.relational.explanation import Explanation
from benthic.relational.judging import Evaluation
from benthic.relational.predictor import Predictor
from benthic.relational.query import PredictiveQuery
from benthic.relational.schema import Schema

__all__ = [
    "Database",
    "Evaluation",
    "Explanation",
    "Options",
    "PredictiveQuery",
    "Predictor",
    "Schema",
]
