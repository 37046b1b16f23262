"""Values where values are needed, conditions where conditions are."""

from __future__ import annotations

import pytest
from tests.relational.query.asking import asked, customers, error_of, filtered, place_of

COUNT = "COUNT(orders.*, 0, 30, days)"
PAST = "COUNT(orders.*, -30, 0, days)"


@pytest.mark.parametrize(
    "text",
    [
        filtered("customers.newsletter"),
        filtered("NOT customers.newsletter OR TRUE"),
        customers("NOT customers.newsletter"),
        customers(f"{COUNT} > 0 AND customers.newsletter"),
        customers("COUNT(orders.* WHERE customers.newsletter, 0, 30)"),
    ],
)
def test_a_boolean_column_is_a_condition(text):
    assert asked(text)


@pytest.mark.parametrize(
    ("text", "place", "hint"),
    [
        (filtered("customers.tier"), "customers.tier", None),
        (filtered(PAST), PAST, f"did you mean {PAST} > 0?"),
        (filtered("5 AND 1 = 1"), "5", None),
        (filtered("1 + 1"), "1 + 1", None),
        (filtered("-customers.region_id OR 1 = 1"), "-customers.region_id", None),
        (customers(f"NOT {COUNT}"), COUNT, f"did you mean {COUNT} > 0?"),
        (customers("COUNT(orders.* WHERE orders.total, 0, 3)"), "orders.total", None),
    ],
)
def test_a_value_is_no_condition(text, place, hint):
    error = error_of(text)

    assert error.message.startswith("a condition is needed here")
    assert place_of(error) == place
    assert error.suggestion == hint


@pytest.mark.parametrize(
    ("text", "place"),
    [
        (customers(f"({COUNT} > 0) + 1"), f"{COUNT} > 0"),
        (customers(f"({COUNT} > 0) = TRUE"), f"{COUNT} > 0"),
        (customers(f"-({COUNT} > 0)"), f"{COUNT} > 0"),
        (filtered("(1 = 1) IS NULL"), "1 = 1"),
        (filtered("(1 = 1) IN (TRUE)"), "1 = 1"),
        (filtered("(1 = 1) LIKE 'x'"), "1 = 1"),
    ],
)
def test_a_condition_is_no_value(text, place):
    error = error_of(text)

    assert error.message.startswith("a value is needed here")
    assert place_of(error) == place


def test_a_condition_inside_an_aggregate_is_a_filter_in_the_wrong_place():
    error = error_of(customers("SUM(orders.total > 5, 0, 30)"))

    wanted = "COUNT(orders.* WHERE orders.total > 5, 0, 30, days)"
    assert error.suggestion == f"to count rows: {wanted}"
    assert asked(customers(wanted))


def test_no_aggregate_stands_inside_an_aggregate_and_a_target_names_something():
    inner = error_of(customers(f"COUNT(orders.* WHERE {PAST} > 1, 0, 30)"))
    nothing = error_of(customers("1 + 1"))

    assert inner.message.endswith("is not supported yet")
    assert place_of(inner) == PAST
    assert nothing.message == "the target names nothing of the database"
