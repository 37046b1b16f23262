from __future__ import annotations

import pandas as pd
import pytest
from tests.relational.engines import shop

from benthic.errors import InputError
from benthic.relational.engines.visits import read_visits, visit_tables

DATES = pd.to_datetime(["2025-01-03", "2025-01-01", None, "2025-01-02"])


def tables():
    return {
        "customers": pd.DataFrame({"customer_id": [1, 2]}),
        "products": pd.DataFrame({"product_id": [7, 8]}),
        "orders": pd.DataFrame(
            {
                "order_id": range(4),
                "customer_id": [1, 2, 1, 2],
                "placed_at": DATES,
            }
        ),
        "items": pd.DataFrame(
            {
                "item_id": range(4),
                "order_id": [0, 1, 2, 3],
                "product_id": [7, 8, 7, None],
                "packed_at": DATES,
            }
        ),
        "prices": pd.DataFrame(
            {
                "price_id": range(2),
                "product_id": [7, 8],
                "valid_from": pd.to_datetime(["2025-01-01", "2025-01-02"]),
            }
        ),
    }


@pytest.fixture(scope="module")
def db():
    return shop.database(tables())


def test_tables_that_know_both_come_first_then_those_that_know_the_value(db):
    found = visit_tables(db, "customers", "products")
    assert [one.table for one in found] == ["items", "prices"]
    assert found[0].to_entity is not None
    assert found[1].to_entity is None


def test_visits_are_the_dated_rows_whose_ends_are_known_by_time(db):
    one, other = visit_tables(db, "customers", "products")
    visits = read_visits(db, one, "customer_id", "product_id")
    assert visits.time.dt.day.tolist() == [1, 3]
    assert visits.value.tolist() == [8, 7]
    assert visits.entity.tolist() == [2, 1]
    assert list(read_visits(db, other, "customer_id", "product_id")) == [
        "time",
        "value",
    ]


def test_a_visit_is_known_once_all_rows_are_there_that_tell_it():
    frames = tables()
    days = pd.to_datetime(["2025-01-03", "2025-01-09", "2025-01-08", None])
    frames["orders"] = frames["orders"].assign(placed_at=days)
    visits = read_visits(
        (late := shop.database(frames)),
        visit_tables(late, "customers", "products")[0],
        "customer_id",
        "product_id",
    )
    assert visits.time.dt.day.tolist() == [3, 9]  # packed on the 3rd and on the 1st
    assert visits.entity.tolist() == [1, 2]


def test_without_a_dated_table_between_them_nothing_can_be_ranked():
    undated = {name: tables()[name] for name in ("customers", "products")}
    with pytest.raises(InputError, match="no table with a time"):
        visit_tables(shop.database(undated), "customers", "products")
