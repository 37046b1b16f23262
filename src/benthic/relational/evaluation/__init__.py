"""How good are the predictions, and how much of that is the model?"""

from __future__ import annotations

from benthic.relational.evaluation.baselines import baseline_predictions, known_until
from benthic.relational.evaluation.bootstrap import Interval, bootstrap_intervals
from benthic.relational.evaluation.scoring import (
    LOWER_IS_BETTER,
    MAIN_METRIC,
    is_better,
    label_scale,
    said_classes,
    score,
    score_intervals,
)
from benthic.relational.evaluation.splits import Split, backtests, split_by_time

__all__ = [
    "LOWER_IS_BETTER",
    "MAIN_METRIC",
    "Interval",
    "Split",
    "backtests",
    "baseline_predictions",
    "bootstrap_intervals",
    "is_better",
    "known_until",
    "label_scale",
    "said_classes",
    "score",
    "score_intervals",
    "split_by_time",
]
