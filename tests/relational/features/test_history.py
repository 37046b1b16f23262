"""Past labels as rows, one column per class."""

from __future__ import annotations

import numpy as np
import pandas as pd

from benthic.relational.features.history import (
    LabelHistory,
    label_columns,
    targets_of,
)


def test_numbers_and_truth_values_are_one_target():
    for labels in (pd.Series([1.5, None]), pd.Series([True, False])):
        assert targets_of(labels) == ("label",)
        assert label_columns(labels, ("label",)).shape == (2, 1)


def test_classes_are_one_target_each_commonest_first():
    labels = pd.Series(["b", "a", "b"])
    targets = targets_of(labels)
    assert targets == ("label = b", "label = a")
    assert label_columns(labels, targets).tolist() == [[1, 0], [0, 1], [1, 0]]


def test_a_history_comes_back_from_json():
    known = LabelHistory(
        np.array([1, 2]), np.array([3, 4]), np.array([5, 6]), np.eye(2), ("x", "y")
    )
    again = LabelHistory.from_json(known.to_json())
    assert again.labels.tolist() == known.labels.tolist()
    assert again.targets == known.targets
    assert len(again.joined(known)) == 4
