from __future__ import annotations

import json
from dataclasses import replace

import pytest

from benthic.relational.schema import Column, ForeignKey, Schema, SType, Table
from benthic.relational.schema_change import schema_changes, written_schema


def column(name, stype=SType.numerical, dtype="BIGINT"):
    return Column(name, dtype, stype)


ORDERS = Table(
    "orders",
    {name: column(name) for name in ("order_id", "customer_id", "total", "placed_at")},
    pkey_col="order_id",
    fkeys=(ForeignKey("customer_id", "customers"),),
    time_col="placed_at",
)
CUSTOMERS = Table("customers", {"customer_id": column("customer_id")}, "customer_id")
SHOP = Schema({"orders": ORDERS, "customers": CUSTOMERS})


def changed(**fields):
    return Schema({**SHOP.tables, "orders": replace(ORDERS, **fields)})


def test_a_schema_is_no_change_of_itself_also_after_json():
    written = json.loads(json.dumps(written_schema(SHOP)))
    assert schema_changes(written, SHOP) == []


def test_what_came_is_no_change():
    more = {**ORDERS.columns, "note": column("note", SType.text, "VARCHAR")}
    now = changed(columns=more)
    now = Schema({**now.tables, "news": Table("news", {})})
    assert schema_changes(written_schema(SHOP), now) == []


def test_a_semantic_type_that_later_rows_changed_is_no_change():
    now = changed(columns={**ORDERS.columns, "total": column("total", SType.id)})
    assert schema_changes(written_schema(SHOP), now) == []


@pytest.mark.parametrize(
    ("now", "change"),
    [
        (Schema({"orders": ORDERS}), "table customers is gone"),
        (changed(time_col=None), "the time column of orders was placed_at and is None"),
        (
            changed(pkey_col="total"),
            "the primary key of orders was order_id and is total",
        ),
        (
            changed(fkeys=()),
            "orders.customer_id pointed at customers and is no foreign key",
        ),
        (
            changed(fkeys=(ForeignKey("customer_id", "people"),)),
            "orders.customer_id pointed at customers and points at people",
        ),
        (
            changed(columns={k: v for k, v in ORDERS.columns.items() if k != "total"}),
            "column orders.total is gone",
        ),
        (
            changed(
                columns={
                    **ORDERS.columns,
                    "total": column("total", SType.categorical, "VARCHAR"),
                }
            ),
            "orders.total was BIGINT and is VARCHAR",
        ),
    ],
)
def test_a_change_is_named(now, change):
    assert schema_changes(written_schema(SHOP), now) == [change]
