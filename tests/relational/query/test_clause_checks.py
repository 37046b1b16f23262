"""The entity, the target's column and the filter must fit together."""

from __future__ import annotations

import pytest
from tests.relational.query.asking import asked, customers, error_of, place_of
from tests.relational.query.schemas import SHOP, schema, table


def test_an_entity_needs_a_primary_key_of_one_column():
    keyless = schema(table("log", "size at:T"))
    parts = table("seats", "row:k seat:k price row+seat:S")
    composite = schema(parts)

    without = error_of("PREDICT log.size FOR EACH log.size", keyless)
    several = error_of('PREDICT seats.price FOR EACH seats."row+seat"', composite)

    assert without.message.startswith("log has no primary key")
    assert several.message.endswith("as entity is not supported yet")


def test_null_names_no_entity():
    error = error_of("PREDICT customers.tier FOR customers.customer_id IN (1, NULL)")

    assert error.message == "NULL names no entity"
    assert place_of(error) == "NULL"


@pytest.mark.parametrize(
    ("column", "message"),
    [
        ("customers.email", "free text cannot be predicted"),
        ("customers.region_id", "a key cannot be predicted"),
        ("customers.customer_id", "a key cannot be predicted"),
        ("customers.joined_at", "a time column cannot be predicted"),
        ("customers.joined_at > 2024-01-01", "a time column cannot be predicted"),
    ],
)
def test_keys_times_and_free_text_are_not_predicted(column, message):
    assert error_of(customers(column)).message == message


def test_a_condition_on_text_is_predicted():
    assert asked(customers("customers.email LIKE '%@x.org'"), SHOP)


@pytest.mark.parametrize(
    "where",
    ["customers.tier IS NULL", "customers.tier = NULL AND customers.newsletter = TRUE"],
)
def test_a_filter_that_leaves_no_known_target_is_refused(where):
    error = error_of(customers("customers.tier", f"WHERE {where}"))

    assert "leaves no row with a known tier" in error.message
    assert asked(customers("customers.tier", "WHERE customers.tier IS NOT NULL"))
    assert asked(customers("customers.tier", "WHERE customers.name IS NULL"))
