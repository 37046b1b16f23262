from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benthic.relational.database import Database
from benthic.relational.task import make_task
from benthic.relational.task.completeness import before_strays, complete_until

START = pd.Timestamp("2026-01-01")


def on_days(*tables):
    """Until when a database is complete that has rows on these days."""
    frames = {
        f"table_{i}": pd.DataFrame({"at": START + pd.to_timedelta(days, unit="D")})
        for i, days in enumerate(tables)
    }
    return Database.open(frames)


def end(db, day):
    moment = complete_until(db, START + pd.Timedelta(day, "D"))
    return (moment - START) / pd.Timedelta(1, "D")


@pytest.mark.parametrize(
    ("days", "now", "expected"),
    [
        (range(0, 100), 99, 99),  # a row at the very moment
        (range(0, 100, 7), 104, 104),  # as silent as it is between any two rows
        (range(0, 100, 7), 120, 98),  # more silent than ever
        ([*range(0, 50), *range(80, 100)], 125, 125),  # a holiday like the last one
        ([*range(0, 50), *range(80, 100)], 140, 99),
        ([5], 9, 5),  # nobody knows how often there is a row
        ([5, 7], 3, 3),  # nothing has happened yet
    ],
)
def test_a_silence_that_is_usual_is_not_the_end(days, now, expected):
    assert end(on_days([*days]), now) == expected


def test_the_data_go_on_where_any_table_does():
    assert end(on_days([0, 1, 2, 3], [*range(0, 60)]), 60) == 60
    assert end(on_days([0, 1, 2, 3], [*range(0, 60)]), 70) == 59


def test_without_times_every_moment_does():
    db = Database.open({"people": pd.DataFrame({"person_id": [1, 2]})})
    assert end(db, 7) == 7


@settings(max_examples=25)
@given(
    st.lists(st.integers(0, 400), min_size=1, max_size=40),
    st.lists(st.integers(0, 400), max_size=40),
    st.integers(0, 400),
)
def test_only_what_was_there_has_a_say(past, future, now):
    past = [min(day, now) for day in past]
    later = [max(day, now + 1) for day in future]
    found = end(on_days(past), now)
    assert found == end(on_days(past + later), now)
    days = np.unique(past)
    usual = np.diff(days).max(initial=0)
    slack = (now - days[0]) / 10_000 * 2  # silences are counted in pieces of the past
    if now - days[-1] <= usual - slack:
        assert found == now
    if now - days[-1] > usual + slack and now - days[-1] > slack:
        assert found == days[-1]


def test_labels_of_a_stale_database_end_with_its_rows():
    customer = pd.DataFrame({"customer_id": range(8)})
    days = START + pd.to_timedelta(np.arange(160) // 2, unit="D")
    orders = pd.DataFrame({"customer_id": np.arange(160) * 5 % 8, "at": days})
    db = Database.open({"customers": customer, "orders": orders})
    query = "PREDICT COUNT(orders.*, 0, 7, days) FOR EACH customers.customer_id"
    task = make_task(db, query, anchor_time="2026-05-05")
    assert task.observed_at(task.test()["anchor_time"]).max() <= days[-1]
    task = make_task(db, query, anchor_time="2026-03-22", strict=True)
    ends = task.observed_at(task.test()["anchor_time"])
    # The window is over just before the rows that strictness hides.
    assert ends.max() == pd.Timestamp("2026-03-22") - pd.Timedelta(1, "us")


@pytest.mark.parametrize(
    ("days", "expected"),
    [
        ([*range(0, 400), 4000], 399),  # a year typed wrong
        ([*range(0, 400), 2000, 4000], 399),  # twice
        ([*range(0, 400), *range(4000, 4010)], 4009),  # too many to be slips
        ([*range(0, 400), 408], 408),  # silent for a week
        ([*range(0, 400, 20), *range(400, 800), 920], 920),  # as ever, six times
        ([0, 1, 2, 4000], 4000),  # one in four
        ([5], 5),
    ],
)
def test_a_few_rows_long_after_all_others_are_not_the_end(days, expected):
    db = on_days([*days])
    found = before_strays(db, pd.Timestamp(db.end_time))
    assert (found - START) / pd.Timedelta(1, "D") == expected


def test_a_question_is_asked_before_rows_that_are_mistakes_and_the_note_says_so():
    customer = pd.DataFrame({"customer_id": range(8)})
    days = START + pd.to_timedelta([*range(199), 4000], unit="D")
    orders = pd.DataFrame({"customer_id": np.arange(200) * 5 % 8, "at": days})
    db = Database.open({"customers": customer, "orders": orders})
    query = "PREDICT COUNT(orders.*, 0, 7, days) FOR EACH customers.customer_id"
    task = make_task(db, query)
    assert task.anchor_time == days[198]
    assert any("taken for mistakes, and 2026-07-18" in note for note in task.notes)
    asked = make_task(db, query, anchor_time=str(days[-1]))
    assert not any("mistakes" in note for note in asked.notes)
