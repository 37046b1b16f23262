"""Operators against semantic types."""

from __future__ import annotations

import pytest
from tests.relational.query.asking import asked, customers, error_of, filtered, place_of


@pytest.mark.parametrize(
    "condition",
    [
        "regions.population >= 1.5",
        "customers.joined_at < '2024-01-01'",
        "customers.tier = 'gold' AND customers.name != 'x'",
        "customers.newsletter = TRUE AND NOT customers.newsletter != FALSE",
        "customers.customer_id IN (1, 2)",
        "customers.region_id = 'north'",
        "customers.tier LIKE 'g%' AND customers.email NOT ENDS WITH '.org'",
        "LIST_DISTINCT(orders.channel, -9, 0) NOT CONTAINS 'web'",
        "LIST_DISTINCT(order_items.product_id, -9, 0) CONTAINS 3",
        "LAST(orders.status, -9, 0) STARTS WITH 'p'",
        "COUNT(orders.*, -9, 0) > SUM(orders.total, -9, 0) / 2",
        "customers.tier = regions.country",
        "customers.name IN ('x', NULL)",
        "5 = 5",
    ],
)
def test_comparable_sides_are_compared(condition):
    assert asked(filtered(condition))


@pytest.mark.parametrize(
    ("condition", "place", "message", "hint"),
    [
        ("regions.population > '100'", "'100'",
         "regions.population is numerical, and '100' is text",
         "did you mean regions.population > 100?"),
        ("regions.population = 'many'", "'many'",
         "regions.population is numerical, and 'many' is text", None),
        ("regions.population IN (1, '2')", "'2'",
         "regions.population is numerical, and '2' is text",
         "did you mean regions.population = 2?"),
        ("3 = customers.tier", "3", "customers.tier is categorical, and 3 is numerical",
         "did you mean '3' = customers.tier?"),
        ("customers.newsletter = 'True'", "'True'",
         "customers.newsletter is boolean, and 'True' is text",
         "did you mean customers.newsletter = TRUE?"),
        ("customers.newsletter = 0", "0",
         "customers.newsletter is boolean, and 0 is numerical",
         "did you mean customers.newsletter = FALSE?"),
        ("customers.joined_at > 5", "5",
         "customers.joined_at is a time, and 5 is numerical", None),
        ("customers.customer_id = 'x'", "'x'",
         "customers.customer_id holds numbers, and 'x' is text", None),
        ("customers.tier < 'x'", "customers.tier",
         "customers.tier is categorical, which has no order", None),
        ("customers.newsletter >= TRUE", "customers.newsletter",
         "customers.newsletter is boolean, which has no order", None),
        ("customers.customer_id > 3", "customers.customer_id",
         "customers.customer_id is a key, which has no order", None),
        ("regions.population < NULL", "NULL", "NULL has no order", None),
        ("regions.population LIKE '1%'", "regions.population",
         "LIKE needs text, and regions.population is numerical", None),
        ("customers.tier CONTAINS 3", "3", "CONTAINS needs text",
         "did you mean '3'?"),
        ("LIST_DISTINCT(orders.channel, -9, 0) CONTAINS 3", "3",
         "LIST_DISTINCT(orders.channel, -9, 0, days) never contains 3",
         "did you mean '3'?"),
        ("LIST_DISTINCT(orders.channel, -9, 0) = 'web'",
         "LIST_DISTINCT(orders.channel, -9, 0) = 'web'",
         "LIST_DISTINCT(orders.channel, -9, 0, days) is a set of values, not one value",
         "did you mean LIST_DISTINCT(orders.channel, -9, 0, days) CONTAINS 'web'?"),
        ("COUNT(orders.*, -9, 0) = customers.tier", "customers.tier",
         "COUNT(orders.*, -9, 0, days) is numerical, and customers.tier is categorical",
         None),
        ("regions.population + customers.tier > 1", "customers.tier",
         "+ needs numbers, and customers.tier is categorical", None),
        ("-customers.tier = 1", "customers.tier",
         "- needs numbers, and customers.tier is categorical", None),
        ("regions.population * '2' > 1", "'2'",
         "* needs numbers, and '2' is not", None),
    ],
)  # fmt: skip
def test_sides_that_do_not_fit_are_refused_with_the_corrected_form(
    condition, place, message, hint
):
    error = error_of(filtered(condition))

    assert (error.kind, error.message, error.suggestion) == ("type", message, hint)
    assert place_of(error) == place
    assert error.others == ()


def test_named_entities_are_of_the_type_of_the_key():
    text = customers("customers.tier").replace("EACH ", "") + " IN (1, '2')"

    error = error_of(text)

    assert error.suggestion == "did you mean customers.customer_id = 2?"
