"""Quoted text is a date where a time stands beside it."""

from __future__ import annotations

import datetime as dt

import pytest
from tests.relational.query.asking import asked, error_of, filtered, place_of

from benthic.relational.query.tree import Literal

DAY = Literal(dt.datetime(2024, 1, 31))


def test_text_beside_a_time_is_a_date_on_either_side_and_in_a_list():
    right = asked(filtered("customers.joined_at >= '2024-01-31'"))
    left = asked(filtered("'2024-01-31' < customers.joined_at"))
    many = asked(filtered("customers.joined_at IN ('2024-01-31', 2024-01-31)"))

    assert right.where.right == DAY
    assert left.where.left == DAY
    assert many.where.values == (DAY, DAY)


def test_text_beside_anything_else_stays_text():
    query = asked(filtered("customers.name = '2024-01-31'"))

    assert query.where.right == Literal("2024-01-31")


@pytest.mark.parametrize("text", ["'soon'", "'2024-02-30'", "''"])
def test_text_beside_a_time_that_is_no_date_is_refused(text):
    error = error_of(filtered(f"customers.joined_at > {text}"))

    assert error.message == f"{text} is not a date"
    assert place_of(error) == text
    assert error.others == ()
