"""Names are found, spelled as the database spells them, or explained."""

from __future__ import annotations

import pytest
from tests.relational.query.asking import asked, error_of
from tests.relational.query.schemas import SHOP, schema, table

from benthic.relational.query.names import columns_named, found_table
from benthic.relational.query.tree import ColumnRef

ODD = schema(
    table("Orders", "Order~ID:K Total total when:T"),
    table("sales.items", "id:K Price order:k", order="Orders"),
    table("ITEMS", "id:K"),
    table("items", "id:K"),
)


def test_a_name_matches_without_regard_to_case_if_that_is_unique():
    query = asked('PREDICT orders.TOTAL > 1 FOR EACH ORDERS."order id"', None)
    assert query.entity == ColumnRef("ORDERS", "order id")

    query = asked('PREDICT orders.total > 1 FOR EACH ORDERS."order id"', ODD)

    assert query.entity == ColumnRef("Orders", "Order ID")
    assert query.target.left == ColumnRef("Orders", "total")
    assert str(query) == 'PREDICT Orders.total > 1 FOR EACH Orders."Order ID"'


def test_a_name_that_two_differ_from_by_case_only_is_refused_with_both():
    column = error_of('PREDICT orders.TOTAL FOR EACH orders."order id"', ODD)
    both = error_of("PREDICT Items.id > 1 FOR EACH Items.id", ODD)

    assert column.suggestion == "did you mean Orders.Total or Orders.total?"
    assert both.suggestion == "did you mean ITEMS or items?"


def test_a_name_with_a_dot_or_a_space_stands_in_double_quotes():
    text = 'PREDICT SUM("sales.items"."price", 0, 1) FOR EACH Orders."Order ID"'

    assert '"sales.items".Price' in str(asked(text, ODD))


@pytest.mark.parametrize(
    ("column", "expected", "hint"),
    [
        ("orders.xyz", "a column of orders: channel, customer_id, note, order_id, "
         "placed_at, status, total", None),
        ("orders.stars", "a column of orders",
         "reviews has a column stars: did you mean reviews.stars?"),
        ("orders.price", "a column of orders",
         "products has a column price: did you mean products.price?"),
        ("order.total", "a table of this database", "did you mean orders?"),
        ("orderitems.quantity", "a table of this database",
         "did you mean order_items?"),
        ("zzz.total", "a table of this database: categories, coupons, customers, "
         "order_items, orders, products, regions, reviews", None),
    ],
)  # fmt: skip
def test_an_unknown_name_gets_its_nearest_or_the_list(column, expected, hint):
    error = error_of(f"PREDICT SUM({column}, 0, 9) FOR EACH customers.customer_id")

    assert (error.kind, error.expected, error.suggestion) == (
        "unknown name",
        expected,
        hint,
    )


def test_columns_of_a_name_come_with_the_table_they_are_the_key_of_first():
    assert columns_named("product_id", SHOP)[0] == "products.product_id"
    assert found_table(SHOP, "ORDERS").name == "orders"
    assert found_table(None, "orders") is None
