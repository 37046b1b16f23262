from __future__ import annotations

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benthic.errors import InputError
from benthic.relational.evaluation.splits import backtests, split_by_time


def rows(days, width):
    anchor = pd.Timestamp("2026-01-01") + pd.to_timedelta(days, "D")
    frame = pd.DataFrame({"entity": range(len(days)), "anchor_time": anchor})
    return frame.assign(observed_at=frame.anchor_time + pd.Timedelta(days=width))


@settings(max_examples=40)
@given(
    st.lists(st.integers(0, 400), min_size=6, unique=True),
    st.integers(0, 60),
    st.integers(1, 2),
)
def test_no_label_of_a_part_is_observed_after_the_next_part_begins(days, width, count):
    try:
        split = split_by_time(rows(days, width), num_validation=count, num_test=count)
    except InputError:
        return
    assert (split.train.observed_at <= split.validation_start).all()
    assert (split.validation.observed_at <= split.test_start).all()
    assert (split.validation.anchor_time >= split.validation_start).all()
    assert (split.test.anchor_time >= split.test_start).all()
    assert split.test.anchor_time.nunique() == count


def test_backtests_test_each_of_the_last_anchors_once():
    splits = list(backtests(rows([0, 10, 20, 30, 40], 10), num_tests=2))
    assert [s.test.anchor_time.max().day for s in splits] == [10, 31]
    assert all(s.test.anchor_time.nunique() == 1 for s in splits)


def test_too_few_anchors_and_overlapping_windows_are_refused():
    with pytest.raises(InputError, match="examples: found 2 anchors"):
        split_by_time(rows([0, 10], 1))
    with pytest.raises(InputError, match="windows that overlap"):
        split_by_time(rows([0, 1, 2, 3], 30))
