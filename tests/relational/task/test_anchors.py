from __future__ import annotations

import pandas as pd
from hypothesis import given, settings
from hypothesis import strategies as st

from benthic.relational.query.vocabulary import UNITS
from benthic.relational.task.anchors import MOST_ANCHORS, split_anchors, walk_back
from benthic.relational.task.steps import Horizon, Span

START = pd.Timestamp("2024-05-31")


@settings(max_examples=60)
@given(
    st.integers(1, 40),
    st.sampled_from(UNITS[3:]),
    st.integers(1, 30),
    st.integers(0, 3),
    st.integers(0, 3),
)
def test_no_part_knows_what_the_next_is_asked(
    count: int, unit: str, step: int, num_validation: int, num_test: int
) -> None:
    horizon = Horizon((Span(count, unit),))
    earliest = START - pd.DateOffset(years=30)
    found = split_anchors(
        walk_back(START, Span(step, "days"), earliest),
        horizon.after,
        START,
        num_validation=num_validation,
        num_test=num_test,
        num_train=5,
    )
    test = min((*found.test, START))
    validation = min((*found.validation, test))
    parts = (found.train, validation), (found.validation, test), (found.test, START)
    for part, limit in parts:
        assert list(part) == sorted(part, reverse=True)
        assert all(horizon.after(time) <= limit for time in part)
        assert all(time >= earliest for time in part)


def test_consecutive_months_leave_no_anchor_out() -> None:
    month = Horizon((Span(1, "months"),))
    times = list(walk_back(START, Span(1, "months"), pd.Timestamp("2023-06-01")))
    found = split_anchors(
        times, month.after, START, num_validation=1, num_test=1, num_train=None
    )
    assert found.test + found.validation + found.train == tuple(times)


def test_an_empty_anchor_is_passed_over_but_teaches() -> None:
    times = list(walk_back(START, Span(1, "days"), pd.Timestamp("2024-05-20")))
    found = split_anchors(
        times,
        lambda time: time,
        START,
        num_validation=1,
        num_test=1,
        num_train=None,
        is_empty=lambda time: time.day % 2 == 0,
    )
    assert [time.day for time in found.test + found.validation] == [29, 27]
    assert [time.day for time in found.train] == [26, 25, 24, 23, 22, 21, 20]


def test_a_walk_by_the_second_ends() -> None:
    walk = walk_back(START, Span(1, "seconds"), pd.Timestamp("1990-01-01"))
    assert sum(1 for _ in walk) == MOST_ANCHORS
