from __future__ import annotations

import duckdb
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benthic.relational.query.tree import Window
from benthic.relational.query.vocabulary import UNITS
from benthic.relational.task.steps import Horizon, Span, shifted

CONNECTION = duckdb.connect()
TIMES = st.datetimes(pd.Timestamp("1990-01-01"), pd.Timestamp("2030-12-31"))


@settings(max_examples=100)
@given(TIMES, st.integers(-40, 40), st.sampled_from(UNITS))
def test_python_and_sql_walk_the_same_calendar(
    time: pd.Timestamp, count: int, unit: str
) -> None:
    moment = pd.Timestamp(time)
    sql = shifted(f"TIMESTAMP '{moment.isoformat(sep=' ')}'", count, unit)
    found = CONNECTION.execute(f"SELECT {sql}").fetchone()
    assert found is not None
    assert pd.Timestamp(found[0]) == Span(count, unit).after(moment)


@pytest.mark.parametrize(
    ("time", "span", "expected"),
    [
        ("2024-01-31", Span(1, "months"), "2024-02-29"),
        ("2023-01-31", Span(1, "months"), "2023-02-28"),
        ("2024-02-29", Span(1, "years"), "2025-02-28"),
        ("2024-03-31", Span(-1, "months"), "2024-02-29"),
        ("2024-01-31", Span(2, "weeks"), "2024-02-14"),
    ],
)
def test_months_and_years_stop_at_the_last_day(
    time: str, span: Span, expected: str
) -> None:
    assert span.after(pd.Timestamp(time)) == pd.Timestamp(expected)


def test_a_horizon_waits_for_the_window_that_ends_last_in_that_month() -> None:
    horizon = Horizon.of([Window(0, 30, "days"), Window(0, 1, "months")])
    assert horizon is not None
    assert horizon.after(pd.Timestamp("2024-02-01")) == pd.Timestamp("2024-03-02")
    assert horizon.after(pd.Timestamp("2024-01-01")) == pd.Timestamp("2024-02-01")
    assert str(horizon) == "1 months"
    assert Horizon.of([]) is None


def test_a_forecast_reaches_as_far_as_its_last_frame() -> None:
    horizon = Horizon.of([Window(5, 12, "days")], frames=4)
    assert horizon == Horizon((Span(33, "days"),))


def test_an_endless_step_stays_on_the_clock() -> None:
    time = pd.Timestamp("2024-01-01")
    assert Span(10**9, "years").after(time) > time
    sql = shifted("TIMESTAMP '2024-01-01'", -(10**12), "seconds")
    assert CONNECTION.execute(f"SELECT {sql}").fetchone() is not None
