"""Rows belong to one entity, columns to one row, or the message says why not."""

from __future__ import annotations

from dataclasses import replace

import pytest
from tests.relational.market import CHURN, market_frames
from tests.relational.query.asking import asked, customers, error_of, filtered, place_of
from tests.relational.query.schemas import BANK, SHOP, schema, table

from benthic.errors import QueryError
from benthic.relational.database import Database
from benthic.relational.query import PredictiveQuery
from benthic.relational.schema import Problem

STAFF = schema(
    table("staff", "id:K boss:k pay hired:T", boss="staff"),
    table("islands", "id:K size born:T"),
)


@pytest.mark.parametrize(
    ("target", "place", "message"),
    [
        ("COUNT(customers.*, 0, 9)", "customers.*",
         "a customer has no rows of customers but itself"),
        ("COUNT(regions.*, 0, 9)", "regions.*",
         "a customer points to one region, not to many"),
        ("SUM(products.price, 0, 9)", "products.price",
         "one product can belong to many customers, so its price has no single "
         "customer"),
        ("SUM(products.price + 1, 0, 9)", "products.price + 1",
         "one product can belong to many customers, so it has no single customer"),
        ("SUM(orders.total * reviews.stars, 0, 9)", "orders.total * reviews.stars",
         "no row has a value of orders and reviews at once"),
        ("COUNT(orders.* WHERE products.price > 3, 0, 9)", "products.price",
         "an order has no single products.price"),
        ("COUNT(orders.* VIA orders.total, 0, 9)", "orders.total",
         "orders.total points at no table"),
        ("COUNT(order_items.* VIA order_items.product_id, 0, 9)",
         "order_items.product_id",
         "order_items does not reach customers by order_items.product_id"),
        ("regions.country", "regions.country",
         "regions.country as target for customers is not supported yet"),
        ("orders.total", "orders.total", "a customer has no single orders.total"),
    ],
)  # fmt: skip
def test_rows_that_have_no_single_entity_are_refused(target, place, message):
    error = error_of(customers(target))

    assert (error.kind, error.message, place_of(error)) == ("path", message, place)
    assert error.others == ()


def test_tables_that_nothing_joins_are_said_to_be_apart():
    error = error_of("PREDICT SUM(islands.size, 0, 9) FOR EACH staff.id", STAFF)

    assert error.message == "islands does not reach staff by foreign keys"


NOT_LINKED = "is named after customers, but 3 of 4 values are no keys; not linked"
APART = replace(
    schema(
        table("customers", "id:K tier:c"),
        table("orders", "id:K buyer:k total placed:T"),
        table("items", "id:K order_id:k", order_id="orders"),
    ),
    problems=(
        Problem("orders", None, "says nothing"),
        Problem("orders", "buyer", NOT_LINKED, ("gone", "customers")),
    ),
)


@pytest.mark.parametrize(
    "text",
    [
        "COUNT(orders.*, 0, 9) FOR EACH customers.id",
        "COUNT(items.*, 0, 9) FOR EACH customers.id",
        "COUNT(orders.* VIA orders.buyer, 0, 9) FOR EACH customers.id",
        "orders.total FOR EACH orders.id WHERE customers.tier = 'a'",
        "COUNT(items.* WHERE customers.tier = 'a', 0, 9) FOR EACH orders.id",
        "orders.id FOR EACH customers.id",
    ],
)
def test_a_link_that_the_data_did_not_bear_out_is_named(text):
    error = error_of(f"PREDICT {text}", APART)

    assert error.kind == "path"
    assert error.suggestion == f"orders.buyer {NOT_LINKED}"


def test_a_link_that_would_not_join_the_two_is_not_named():
    error = error_of("PREDICT COUNT(customers.*, 0, 9) FOR EACH orders.id", APART)

    assert error.suggestion is None


def test_a_self_reference_is_a_chain_of_one_key():
    assert asked("PREDICT COUNT(staff.*, 0, 9) FOR EACH staff.id", STAFF)


def test_via_chooses_a_way_and_each_way_is_offered():
    error = error_of("PREDICT COUNT(payments.*, 0, 9) FOR EACH clients.client_id", BANK)

    assert error.message == "payments reaches clients in two ways"
    assert error.expected == "VIA payments.from_account or VIA payments.to_account"
    mended = error.suggestion.removeprefix("for example: ")
    assert asked(f"PREDICT {mended} FOR EACH clients.client_id", BANK)


def test_a_way_without_any_time_is_refused_at_the_argument():
    text = "PREDICT COUNT(products.*, 0, 9) FOR EACH categories.category_id"

    error = error_of(text, SHOP)

    assert error.kind == "window"
    assert error.message.startswith("products has no time, nor has any table")
    assert place_of(error) == "products.*"


@pytest.mark.parametrize(
    "condition", ["regions.country = 'NL'", "customers.tier = 'x'"]
)
def test_where_reads_the_entity_and_its_ancestors(condition):
    assert asked(filtered(condition))


def test_where_on_many_rows_is_moved_into_the_aggregate():
    error = error_of(
        customers(
            "SUM(orders.total WHERE orders.channel = 'web', 0, 9)",
            "WHERE customers.newsletter AND NOT orders.status LIKE 'p%'",
        )
    )

    wanted = (
        "SUM(orders.total WHERE orders.channel = 'web' AND orders.status LIKE 'p%', "
        "0, 9, days)"
    )
    assert error.suggestion == f"to choose which orders count: {wanted}"
    assert asked(customers(wanted))


def test_where_on_what_two_ways_lead_to_is_refused():
    text = (
        "PREDICT payments.is_fraud FOR EACH payments.payment_id "
        "WHERE accounts.kind = 'x'"
    )

    assert "payments reaches accounts in several ways" in error_of(text, BANK).message


def test_where_on_an_unrelated_table_is_refused():
    error = error_of(filtered("products.price > 3"))

    assert error.message == (
        "WHERE filters entities, and a customer has no single products row"
    )


def test_a_key_that_was_not_linked_is_named_with_what_declares_it() -> None:
    frames = market_frames()
    frames["orders"].loc[:300, "customer_id"] += 1_000
    with Database.open(frames) as db, pytest.raises(QueryError) as caught:
        PredictiveQuery.parse(CHURN, db.schema)

    last = str(caught.value).splitlines()[-1]
    assert last.startswith("orders.customer_id has the name of customers's key, but 35")
    assert "--overrides" in last
    assert last.endswith("{tables: {orders: {fkeys: {customer_id: customers}}}}")
