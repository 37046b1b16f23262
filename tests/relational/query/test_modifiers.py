"""FORECAST, RANK and CLASSIFY on the targets they are for."""

from __future__ import annotations

import pytest
from tests.relational.query.asking import asked, customers, error_of, place_of

SUM = "SUM(orders.total, 0, 7)"
LIST = "LIST_DISTINCT(orders.channel, 0, 7)"


@pytest.mark.parametrize(
    "target",
    [
        f"{SUM} FORECAST 1 TIMEFRAMES",
        f"{SUM} - SUM(orders.total, -1, 0, week) FORECAST 10000 TIMEFRAMES",
        "SUM(orders.total, 0, 1, year) + SUM(orders.total, 6, 18, months) "
        "FORECAST 2 TIMEFRAMES",
        "LAST(orders.total, 0, 7) FORECAST 3 TIMEFRAMES",
        f"{LIST} RANK TOP 1000000",
        f"{LIST} CLASSIFY TOP 1",
    ],
)
def test_a_modifier_on_its_target_is_fine(target):
    assert asked(customers(target))


@pytest.mark.parametrize(
    ("target", "place", "message"),
    [
        ("customers.tier FORECAST 3 TIMEFRAMES", "FORECAST 3 TIMEFRAMES",
         "FORECAST needs windows, and a column has none"),
        (f"{LIST} FORECAST 3 TIMEFRAMES", "FORECAST 3 TIMEFRAMES",
         "FORECAST needs a number for each timeframe, and the target is a list"),
        ("LAST(orders.status, 0, 7) FORECAST 3 TIMEFRAMES", "FORECAST 3 TIMEFRAMES",
         "FORECAST needs a number for each timeframe, and the target is categorical"),
        (f"{SUM} FORECAST 0 TIMEFRAMES", "FORECAST 0 TIMEFRAMES",
         "0 timeframes cannot be forecast"),
        (f"{SUM} FORECAST 10001 TIMEFRAMES", "FORECAST 10001 TIMEFRAMES",
         "10001 timeframes cannot be forecast"),
        (f"{SUM} / SUM(orders.total, -14, 0) FORECAST 3 TIMEFRAMES", "-14, 0",
         "all windows of a FORECAST have one width, which is its step"),
        (f"{SUM} / SUM(orders.total, 0, 1, month) FORECAST 3 TIMEFRAMES", "0, 1, month",
         "all windows of a FORECAST have one width, which is its step"),
        ("SUM(orders.total, -INF, 7) FORECAST 3 TIMEFRAMES", "-INF, 7",
         "FORECAST steps by the width of the window, and this has none"),
        (f"{LIST} RANK TOP 0", "RANK TOP 0", "RANK TOP 0 asks for nothing"),
        (f"{LIST} CLASSIFY TOP 0", "CLASSIFY TOP 0", "CLASSIFY TOP 0 asks for nothing"),
        (f"{SUM} RANK TOP 3", "RANK TOP 3",
         "RANK needs a list of values, and the target is one value"),
        ("customers.tier CLASSIFY", "CLASSIFY",
         "CLASSIFY needs a list of values, and the target is one value"),
        (f"{LIST} CONTAINS 'web' CLASSIFY", "CLASSIFY",
         "CLASSIFY needs a list of values, and the target is a condition"),
    ],
)  # fmt: skip
def test_a_modifier_on_another_target_is_refused(target, place, message):
    error = error_of(customers(target))

    assert (error.message, place_of(error)) == (message, place)
    assert error.others == ()


def test_a_set_of_values_needs_a_modifier():
    text = "PREDICT products.tags FOR EACH products.product_id"

    assert error_of(text).message.startswith("a list as target needs to be told")
    assert asked(text.replace("tags", "tags RANK TOP 2"))
