"""The semantic type of an expression, and what may stand beside it."""

from __future__ import annotations

import pytest
from tests.relational.query.schemas import SHOP

from benthic.relational.query import stypes
from benthic.relational.query.faults import Faults
from benthic.relational.query.parse import read
from benthic.relational.schema import Column, Schema, SType, Table


def node(text):
    return read(Faults(f"PREDICT {text} FOR EACH a.id"))[0].target


@pytest.mark.parametrize(
    ("text", "stype"),
    [
        ("orders.total", SType.numerical),
        ("orders.nothing", None),
        ("5", SType.numerical),
        ("'x'", SType.text),
        ("TRUE", SType.boolean),
        ("NULL", None),
        ("2024-01-01", SType.timestamp),
        ("COUNT(orders.*, 0, 1)", SType.numerical),
        ("LAST(orders.status, 0, 1)", SType.categorical),
        ("LIST_DISTINCT(orders.status, 0, 1)", SType.multicategorical),
        ("NOPE(orders.status, 0, 1)", None),
        ("-orders.total + 1", SType.numerical),
        ("orders.total > 1", SType.boolean),
    ],
)
def test_an_expression_has_a_semantic_type(text, stype):
    assert stypes.stype(node(text), SHOP) is stype


@pytest.mark.parametrize(
    ("dtype", "stype", "families"),
    [
        ("BIGINT", SType.categorical, {"number"}),
        ("VARCHAR", SType.categorical, {"text"}),
        ("BIGINT", SType.id, {"number"}),
        ("UUID", SType.id, {"text"}),
        ("GEOMETRY", SType.id, set()),
        ("INTEGER", SType.boolean, {"boolean", "number"}),
        ("BOOLEAN", SType.boolean, {"boolean"}),
        ("DECIMAL(10,2)", SType.numerical, {"number"}),
        ("TIMESTAMP", SType.timestamp, {"time"}),
        ("VARCHAR[]", SType.multicategorical, {"set"}),
    ],
)
def test_keys_and_categories_go_by_how_they_are_stored(dtype, stype, families):
    assert stypes.of_column(Column("x", dtype, stype)) == families


@pytest.mark.parametrize(
    ("dtype", "stype", "expected"),
    [
        ("BIGINT", SType.boolean, True),
        ("BOOLEAN", SType.boolean, False),
        ("VARCHAR", SType.boolean, False),
        ("DOUBLE", SType.numerical, True),
        ("BIGINT", SType.categorical, False),
    ],
)
def test_a_truth_value_stored_as_0_and_1_is_a_number_too(dtype, stype, expected):
    orders = Table("orders", {"total": Column("total", dtype, stype)})
    schema = Schema({"orders": orders})
    assert stypes.is_number(node("orders.total"), schema) is expected
    assert stypes.is_number(node("LAST(orders.total, 0, 9)"), schema) is expected


def test_the_members_of_a_set_are_known_from_its_type():
    assert stypes.members(node("products.tags"), SHOP) == {"text"}
    listed = "LIST_DISTINCT(order_items.product_id, 0, 1)"
    assert stypes.members(node(listed), SHOP) == {"number"}
    assert stypes.members(node("orders.total"), SHOP) == set()


def test_keys_are_told_from_other_columns():
    assert stypes.is_key(node("orders.order_id"), SHOP)
    assert stypes.is_foreign_key(node("orders.customer_id"), SHOP)
    assert not stypes.is_foreign_key(node("orders.order_id"), SHOP)
    assert not stypes.is_key(node("orders.total"), SHOP)
    assert (
        stypes.described(node("orders.placed_at"), SHOP) == "orders.placed_at is a time"
    )
