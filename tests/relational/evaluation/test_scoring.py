from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from benthic.relational.evaluation import (
    MAIN_METRIC,
    is_better,
    label_scale,
    score,
    score_intervals,
)
from benthic.relational.query import TaskType


def test_every_task_type_has_scores_and_a_main_metric():
    frames = {
        "binary": ([0, 1], {"probability": [0.1, 0.9]}),
        "regression": ([0.0, 1.0], {"prediction": [0.0, 2.0]}),
        "forecast": ([0.0, 1.0], {"prediction": [0.0, 2.0]}),
        "multiclass": (
            ["x", "y"],
            {"probability_x": [0.9, 0.2], "probability_y": [0.1, 0.8]},
        ),
        "multilabel": (
            [["x"], ["y"]],
            {"probability_x": [0.9, 0.2], "probability_y": [0.1, 0.8]},
        ),
        "ranking": ([["x"], ["y"]], {"prediction": [["x"], ["x", "y"]]}),
    }
    assert set(frames) == {str(task_type) for task_type in TaskType}
    for task_type in TaskType:
        label, said = frames[str(task_type)]
        found = score(str(task_type), pd.Series(label), pd.DataFrame(said), scale=1.0)
        assert np.isfinite(found[MAIN_METRIC[str(task_type)]])


def test_nmae_of_relbench():
    train = pd.Series([1.0, 2.0, 6.0])
    said = pd.DataFrame({"prediction": [2.0, 2.0]})
    found = score("regression", pd.Series([1.0, 4.0]), said, scale=label_scale(train))
    assert found["nmae"] == pytest.approx(1.5 / np.std([1, 2, 6], ddof=1))


def test_intervals_hold_the_value_and_name_every_metric():
    random = np.random.default_rng(0)
    label = pd.Series(random.integers(0, 2, 200))
    said = pd.DataFrame({"probability": 0.3 * label + 0.7 * random.random(200)})
    entity = pd.Series(np.arange(200) // 4)
    found = score_intervals("binary", label, said, entity, num_resamples=50)
    assert set(found) == set(score("binary", label, said))
    assert all(one.lower <= one.value <= one.upper for one in found.values())


def test_less_is_better_for_losses_only():
    assert is_better("nmae", 0.1, 0.2)
    assert is_better("map", 0.2, 0.1)


def test_absolute_errors_are_those_of_the_median_and_squared_ones_of_the_mean():
    said = pd.DataFrame({"prediction": [0.0, 0.0, 0.0], "mean": [1.0, 2.0, 3.0]})
    found = score("regression", pd.Series([0.0, 0.0, 6.0]), said, scale=1.0)
    assert found["mae"] == pytest.approx(2.0)
    assert found["rmse"] == pytest.approx(np.sqrt((1 + 4 + 9) / 3))
    assert found["r2"] == pytest.approx(1 - 14 / 24)
