"""Past labels as rows, one column per class."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd

from benthic.relational.features.events import Moments
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
    times = np.array([3, 4]), np.array([5, 6])
    known = LabelHistory(np.array([1, 2]), *times, np.eye(2), ("x", "y"), True)
    again = LabelHistory.from_json(known.to_json())
    assert again.is_static
    assert again.joined(known).is_static
    assert again.labels.tolist() == known.labels.tolist()
    assert again.targets == known.targets
    assert len(again.joined(known)) == 4


def test_a_static_label_is_shown_to_others_and_never_to_its_own():
    keys, at = np.array([2, 1]), np.array([10, 20])
    known = LabelHistory(keys, at, at + 1, np.ones((2, 1)), ("label",), True)
    late = np.full(3, 99)
    asked = Moments(np.array([1, 2, 3]), late, late)
    assert known.shown_to(asked).until.tolist() == [20, 10, 99]
    early = Moments(np.array([1]), np.array([5]), np.array([5]))
    assert known.shown_to(early).until.tolist() == [5]
    assert replace(known, is_static=False).shown_to(asked) is asked
