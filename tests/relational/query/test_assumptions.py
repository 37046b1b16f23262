"""What may be assumed, and what may not."""

from __future__ import annotations

import pytest
from tests.relational.query.asking import asked, customers, error_of, place_of

from benthic.relational.query.assumptions import conjuncts

COUNT = "COUNT(orders.*, 0, 30)"


@pytest.mark.parametrize(
    "assumption",
    [
        "COUNT(coupons.*, 0, 7) >= 2",
        "NOT COUNT(coupons.*, 0, 7) = 0 OR COUNT(reviews.*, 5, 9) > 0",
        "customers.tier = 'gold' AND COUNT(coupons.*, 0, 7) >= 2",
        "customers.tier = 'gold' AND (customers.name = 'x' AND customers.email = 'y')",
    ],
)
def test_the_future_and_the_entitys_row_may_be_assumed(assumption):
    query = asked(customers(COUNT, f"ASSUMING {assumption}"))

    assert all(part is not None for part in conjuncts(query.assuming))


@pytest.mark.parametrize(
    ("assumption", "place", "message"),
    [
        ("customers.tier != 'x'", "customers.tier != 'x'", "only = and one value can"),
        ("customers.newsletter", "customers.newsletter", "only = and one value can"),
        ("customers.tier = NULL", "customers.tier = NULL", "only = and one value can"),
        (
            "NOT customers.tier = 'x'",
            "NOT customers.tier = 'x'",
            "only = and one value",
        ),
        ("customers.customer_id = 3", "customers.customer_id", "is a key"),
        ("customers.region_id = 'n'", "customers.region_id", "is a key"),
        ("customers.joined_at = 2024-01-01", "customers.joined_at", "is a time"),
        ("regions.country = 'NL'", "regions.country", "only the entity's own row"),
        (
            "customers.tier = 'x' AND customers.tier = 'y'",
            "customers.tier = 'y'",
            "assumed twice",
        ),
        (
            "customers.tier = 'x' OR COUNT(coupons.*, 0, 7) > 0",
            "customers.tier",
            "not of both",
        ),
        ("COUNT(coupons.*, -7, 7) > 0", "-7, 7", "begins before the anchor"),
        ("COUNT(coupons.*, -INF, 7) > 0", "-INF, 7", "begins before the anchor"),
    ],
)
def test_an_assumption_of_neither_kind_is_refused(assumption, place, message):
    error = error_of(customers(COUNT, f"ASSUMING {assumption}"))

    assert message in error.message
    assert place_of(error) == place


def test_the_target_and_a_future_without_a_temporal_target_cannot_be_assumed():
    same = error_of(customers("customers.tier", "ASSUMING customers.tier = 'x'"))
    static = error_of(customers("customers.tier", "ASSUMING COUNT(orders.*, 0, 9) > 0"))

    assert same.message == "customers.tier is what is to be predicted"
    assert static.message.startswith("the target has no future")
