from __future__ import annotations

import pandas as pd
import pytest
from tests.relational.engines import shop

from benthic.errors import InputError
from benthic.relational.database import Database
from benthic.relational.engines import Target
from benthic.relational.engines.visits import read_visits, visit_tables
from benthic.relational.task.making import make_task

TARGET = Target(
    "customers",
    "customer_id",
    "ranking",
    30 * shop.DAY,
    3,
    "products",
    "product_id",
)

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
    found = visit_tables(db, TARGET)
    assert [one.table for one in found] == ["items", "prices"]
    assert found[0].to_entity is not None
    assert found[1].to_entity is None


def test_visits_are_the_dated_rows_whose_ends_are_known_by_time(db):
    one, other = visit_tables(db, TARGET)
    visits = read_visits(db, one, TARGET)
    assert visits.time.dt.day.tolist() == [1, 3]
    assert visits.value.tolist() == [8, 7]
    assert visits.entity.tolist() == [2, 1]
    assert list(read_visits(db, other, TARGET)) == ["time", "value"]


def test_a_visit_is_known_once_all_rows_are_there_that_tell_it():
    frames = tables()
    days = pd.to_datetime(["2025-01-03", "2025-01-09", "2025-01-08", None])
    frames["orders"] = frames["orders"].assign(placed_at=days)
    late = shop.database(frames)
    visits = read_visits(late, visit_tables(late, TARGET)[0], TARGET)
    assert visits.time.dt.day.tolist() == [3, 9]  # packed on the 3rd and on the 1st
    assert visits.entity.tolist() == [1, 2]


def test_without_a_dated_table_between_them_nothing_can_be_ranked():
    undated = {name: tables()[name] for name in ("customers", "products")}
    with pytest.raises(InputError, match="no table with a time"):
        visit_tables(shop.database(undated), TARGET)


def test_a_table_whose_time_is_that_of_a_row_it_points_at_knows_visits():
    frames = tables()
    frames["items"] = frames["items"].drop(columns="packed_at")
    borrowed = shop.database(frames)
    one = visit_tables(borrowed, TARGET)[0]
    visits = read_visits(borrowed, one, TARGET)
    assert one.table == "items"
    assert visits.time.dt.day.tolist() == [1, 3]
    assert visits.value.tolist() == [8, 7]


def letters():
    """Who writes to whom: 0 to 1, 1 to 2, 2 to 0, always on another day."""
    frames = {
        "people": pd.DataFrame({"person_id": range(3), "city": ["x", "y", "y"]}),
        "letters": pd.DataFrame(
            {
                "letter_id": range(6),
                "from_id": [0, 1, 2, 0, 1, 2],
                "to_id": [1, 2, 0, 1, 2, 0],
                "kind": ["long", "short"] * 3,
                "sent_at": pd.date_range("2025-01-01", periods=6, freq="10D"),
            }
        ),
        "entries": pd.DataFrame(
            {
                "entry_id": range(3),
                "person_id": [0, 0, 1],
                "made_at": pd.date_range("2025-01-01", periods=3),
            }
        ),
    }
    keys = {"from_id": "people", "to_id": "people"}
    facts = {"fkeys": keys, "stypes": {"kind": "categorical"}}
    cities = {"stypes": {"city": "categorical"}}
    overrides = {"tables": {"letters": facts, "people": cities}}
    return Database.open(frames, overrides=overrides)


def asked(db, listed):
    query = f"PREDICT LIST_DISTINCT({listed}, 0, 5, days) RANK TOP 2"
    options = {"validation_anchors": 1, "minimum_examples": 1}
    task = make_task(db, f"{query} FOR EACH people.person_id", **options)
    return Target.of(task)


@pytest.mark.parametrize(
    ("entity", "value"), [("from_id", "to_id"), ("to_id", "from_id")]
)
def test_the_rows_of_a_list_are_read_by_its_own_chain_and_column(entity, value):
    with letters() as db:
        target = asked(db, f"letters.{value} VIA letters.{entity}")
        one, other = visit_tables(db, target)
        visits = read_visits(db, one, target)
        rows = db.frame(f"SELECT * FROM {db.relation('letters')} ORDER BY sent_at")
    assert (one.table, other.table) == ("letters", "entries")
    assert visits.entity.tolist() == rows[entity].tolist()
    assert visits.value.tolist() == rows[value].tolist()


@pytest.mark.parametrize(
    ("condition", "days"),
    [("letters.kind = 'long'", [1, 21, 10]), ("letters.kind != 'long'", [11, 31, 20])],
)
def test_of_a_list_with_a_filter_the_rows_it_leaves_out_are_read_apart(condition, days):
    with letters() as db:
        listed = f"letters.to_id WHERE {condition} VIA letters.from_id"
        target = asked(db, listed)
        one, every, _ = visit_tables(db, target)
        kept, read = read_visits(db, one, target), read_visits(db, every, target)
    assert kept.time.dt.day.tolist() == days
    assert len(read) == 6
    assert (one.name, every.name) == (f"letters where {condition}", "letters")


def test_one_key_to_the_entity_does_not_tell_whom_it_met():
    with letters() as db:
        target = asked(db, "letters.to_id VIA letters.from_id")
        entries = visit_tables(db, target)[-1]
        visits = read_visits(db, entries, target)
    assert entries.to_entity is None
    assert visits.value.tolist() == [0, 0, 1]


def test_without_a_query_two_keys_to_one_table_are_read_one_for_each_end():
    with letters() as db:
        target = Target(
            "people", "person_id", "ranking", None, 2, "people", "person_id"
        )
        one = visit_tables(db, target)[0]
    assert one.to_entity.columns == ("from_id",)
    assert one.to_value.columns == ("to_id",)


def test_a_filter_on_a_row_that_appears_later_lets_the_visit_be_known_then():
    frames = tables()
    frames["orders"] = frames["orders"].assign(kind=["web", "web", "shop", "shop"])
    days = pd.to_datetime(["2025-01-04", "2025-01-06", "2025-01-01", "2025-01-02"])
    late = frames["items"].assign(packed_at=days, product_id=[7, 8, 7, 8])
    stypes = {"tables": {"orders": {"stypes": {"kind": "categorical"}}}}
    days = pd.to_datetime(["2025-01-09", "2025-01-05", "2025-01-03", "2025-01-02"])
    orders = frames["orders"].assign(placed_at=days)
    frames |= {"items": late, "orders": orders}
    with Database.open(frames, overrides=stypes) as db:
        listed = "LIST_DISTINCT(items.product_id WHERE orders.kind = 'web', 0, 1, days)"
        query = f"PREDICT {listed} RANK TOP 1 FOR EACH customers.customer_id"
        target = Target.of(make_task(db, query, test_anchors=0))
        visits = read_visits(db, visit_tables(db, target)[0], target)
    assert visits.time.dt.day.tolist() == [6, 9]
    assert visits.value.tolist() == [8, 7]
