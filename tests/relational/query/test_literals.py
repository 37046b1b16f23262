"""Characters and what they stand for."""

from __future__ import annotations

import datetime as dt

import pytest

from benthic.relational.query import literals

UTC = dt.timezone.utc


@pytest.mark.parametrize(
    ("text", "date"),
    [
        ("2024-02-29", dt.datetime(2024, 2, 29)),
        ("2024-02-29T23:59", dt.datetime(2024, 2, 29, 23, 59)),
        ("2024-02-29 23:59:58.5", dt.datetime(2024, 2, 29, 23, 59, 58, 500_000)),
        ("2024-02-29 23:59z", dt.datetime(2024, 2, 29, 23, 59, tzinfo=UTC)),
        ("2024-02-29 23:59+0130", dt.datetime(2024, 2, 29, 22, 29, tzinfo=UTC)),
        ("2024-02-29 23:59:58.1234567", dt.datetime(2024, 2, 29, 23, 59, 58, 123_456)),
    ],
)
def test_a_date_may_carry_a_time_a_fraction_and_a_zone(text, date):
    assert literals.date(text) == date


@pytest.mark.parametrize(
    "text",
    ["2023-02-29", "2024-13-01", "2024-01-01 24:00", "2024-01-01 10:00+01:60", "soon"],
)
def test_what_the_calendar_or_the_clock_lacks_is_refused(text):
    with pytest.raises(ValueError, match=r"\d|soon"):
        literals.date(text)


def test_numbers_that_no_column_can_hold_are_refused():
    assert literals.integer(str(2**127 - 1)) == 2**127 - 1
    for text in (str(2**127), "9" * 9_999):
        with pytest.raises(ValueError, match="too large"):
            literals.integer(text)
    with pytest.raises(ValueError, match="too large"):
        literals.decimal("1e999")


def test_a_doubled_quote_is_one_quote():
    assert literals.text("'it''s'") == "it's"
    assert literals.text('"a""b"') == 'a"b'
    assert literals.value("NULL", "null") is None
    assert literals.value("TRUE", "true") is True
