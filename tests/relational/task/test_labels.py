from __future__ import annotations

import itertools
from typing import Any

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.relational.query.examples import VALID
from tests.relational.shop import bank_frames, shop_frames
from tests.relational.task.by_hand import ASSUMED, LABELS, WHERE, plain_rows
from tests.relational.task.databases import moments, open_bank, open_shop

from benthic.relational.database import Database
from benthic.relational.query import PredictiveQuery
from benthic.relational.task.labels import LabelQuery

SHOP, BANK = open_shop(), open_bank()
ROWS = {True: plain_rows(bank_frames()), False: plain_rows(shop_frames())}
ANCHORS = {
    # Ends of months, moments of rows, and the steps before and after them.
    False: moments(
        "2023-10-31",
        "2023-12-31",
        "2024-01-09 20:00:00",
        "2024-01-31",
        "2024-01-31 23:59:59",
        "2024-02-01",
        "2024-02-20 12:00:00",
        "2024-02-20 11:59:59.999999",
        "2024-02-29",
        "2024-03-31",
        "2024-04-30 12:00:00",
        "2024-05-15",
        "2024-07-01",
    ),
    True: moments(
        "2021-12-31",
        "2022-05-25 12:00:00",
        "2022-06-01 12:00:00",
        "2022-10-01",
        "2022-12-24 10:00:00",
        "2023-01-31 23:59:59",
        "2023-09-05 02:40:00",
        "2023-11-30",
    ),
}
STAND_IN = {
    "customer_id = 1042": "customer_id = 4",
    "('north', 'south')": "(1, 2)",
    "'C-77'": "2",
}
"""Keys of the specification that the small databases do not hold."""


def written(text: str) -> str:
    for missing, present in STAND_IN.items():
        text = text.replace(missing, present)
    return text


QUERIES = {number: written(text) for number, text, _ in VALID}


def asked_of_bank(text: str) -> bool:
    return any(name in text for name in ("clients", "accounts", "payments", "loans"))


def all_pairs(db: Database, table: str, times: list[pd.Timestamp]) -> pd.DataFrame:
    key = db.schema.tables[table].pkey_col
    relation = db.relation(table, [key])
    keys = [
        k for (k,) in db.connection.execute(f"SELECT {key} FROM {relation}").fetchall()
    ]
    pairs = list(itertools.product(keys, times))
    return pd.DataFrame(pairs, columns=["entity", "anchor_time"])


def answers(db: Database, text: str, times: list[pd.Timestamp]) -> pd.DataFrame:
    """Label, matches_where, assumed of every entity at every time."""
    query = PredictiveQuery.parse(text, db.schema)
    seeds = all_pairs(db, query.entity.table, times)
    seeds["anchor_time"] = seeds["anchor_time"].astype("datetime64[us]")
    db.connection.register("every_pair", seeds)
    labels = LabelQuery(db, query, query.task_type(db.schema))
    sql = labels.labelled("every_pair", keep_all=True)
    order = "ORDER BY entity, anchor_time, frame"
    found = db.connection.execute(f"SELECT * FROM ({sql}) {order}").fetchall()
    db.connection.unregister("every_pair")
    names = ["entity", "anchor_time", "frame", "label", "matches_where", "assumed"]
    return pd.DataFrame(found, columns=names, dtype=object)


def same(found: Any, expected: Any) -> bool:
    if isinstance(expected, float) and isinstance(found, (int, float)):
        return found == pytest.approx(expected, abs=1e-9)
    return found == expected


@pytest.mark.parametrize("number", sorted(QUERIES))
def test_the_labels_of_every_example_are_those_found_by_hand(number: int) -> None:
    text = QUERIES[number]
    in_bank = asked_of_bank(text)
    found = answers(BANK if in_bank else SHOP, text, ANCHORS[in_bank])
    rows = ROWS[in_bank]
    assert len(found)
    for row in found.itertuples():
        where = (row.entity, row.anchor_time, row.frame)
        label = LABELS[number](rows, row.entity, row.anchor_time)
        if number == 20:
            label = label[row.frame]
        assert same(row.label, label), (where, row.label, label)
        matches = WHERE.get(number, lambda *_: True)(rows, row.entity, row.anchor_time)
        assert row.matches_where is matches, where
        assumed = ASSUMED.get(number, lambda *_: True)(
            rows, row.entity, row.anchor_time
        )
        assert row.assumed is assumed, where


def test_every_example_is_found_by_hand() -> None:
    assert sorted(LABELS) == sorted(QUERIES) == list(range(1, 32))


TIMES = st.one_of(
    st.none(),
    st.integers(-5, 70).map(lambda day: pd.Timestamp("2024-03-01") + _days(day)),
)


def _days(number: int) -> pd.Timedelta:
    return pd.Timedelta(days=number)


@st.composite
def order_frames(draw: st.DrawFn) -> pd.DataFrame:
    """Orders at whole days around the anchor, so that many fall on a window's edge."""
    number = draw(st.integers(1, 12))
    times = [draw(TIMES) for _ in range(number)]
    return pd.DataFrame(
        {
            "order_id": pd.array(range(number), dtype="Int64"),
            "customer_id": pd.array(
                [draw(st.sampled_from([1, 2, None])) for _ in times], dtype="Int64"
            ),
            "channel": pd.Series(
                [draw(st.sampled_from(["web", "app", None])) for _ in times],
                dtype=object,
            ),
            "status": pd.Series(["paid"] * number, dtype=object),
            "total": [draw(st.sampled_from([0.1, 2.5, 1e9, None])) for _ in times],
            "note": pd.Series([None] * number, dtype=object),
            "placed_at": pd.Series(times, dtype="datetime64[us]"),
        }
    ).astype({"total": "float64"})


SMALL = open_shop(
    {name: shop_frames()[name] for name in ("regions", "customers", "orders")}
)


def values_of(orders: pd.DataFrame, *texts: str) -> list[pd.DataFrame]:
    """What a shop with these orders answers; opening one for each would take long."""
    relation = SMALL.relation("orders")
    SMALL.connection.register("generated", orders)
    SMALL.connection.execute(
        f"CREATE OR REPLACE VIEW {relation} AS SELECT *, placed_at AS _time,"
        " row_number() OVER () AS _row FROM generated"
    )
    return [answers(SMALL, text, ANCHOR) for text in texts]


ANCHOR = moments("2024-03-01")
EACH = "FOR EACH customers.customer_id"


def labels_of(orders: pd.DataFrame, *targets: str) -> list[list[Any]]:
    texts = [f"PREDICT {target} {EACH}" for target in targets]
    return [found["label"].tolist() for found in values_of(orders, *texts)]


@settings(max_examples=20, deadline=None)
@given(order_frames())
def test_neighboring_windows_share_no_row_and_lose_none(orders: pd.DataFrame) -> None:
    windows = ("0, 30", "30, 60", "0, 60")
    found = labels_of(orders, *(f"SUM(orders.total, {window})" for window in windows))
    first, second, both = found
    assert [a + b for a, b in zip(first, second, strict=True)] == pytest.approx(both)


@settings(max_examples=20, deadline=None)
@given(order_frames())
def test_every_row_is_true_false_or_unknown(orders: pd.DataFrame) -> None:
    is_web = "orders.channel = 'web'"
    filters = [is_web, f"NOT {is_web}", "orders.channel IS NULL"]
    counts = [f"COUNT(orders.* WHERE {which}, 0, 60)" for which in filters]
    *parts, every = labels_of(orders, *counts, "COUNT(orders.*, 0, 60)")
    assert [sum(part) for part in zip(*parts, strict=True)] == every


@settings(max_examples=20, deadline=None)
@given(order_frames(), order_frames())
def test_no_label_knows_what_comes_after_its_window(
    orders: pd.DataFrame, others: pd.DataFrame
) -> None:
    targets = (
        "SUM(orders.total, 0, 30)",
        "LAST(orders.channel, 0, 30) = 'web'",
        "COUNT_DISTINCT(orders.channel, 15, 30) > 1",
    )
    changed = _followed(orders, others, ANCHOR[0] + _days(30))
    assert labels_of(orders, *targets) == labels_of(changed, *targets)


@settings(max_examples=20, deadline=None)
@given(order_frames(), order_frames())
def test_no_filter_knows_what_comes_after_its_anchor(
    orders: pd.DataFrame, others: pd.DataFrame
) -> None:
    where = (
        "WHERE COUNT(orders.*, -INF, 0) > 0 AND LAST(orders.channel, -90, 0) = 'web'"
    )
    text = f"PREDICT COUNT(orders.*, 0, 30) {EACH} {where}"
    changed = _followed(orders, others, ANCHOR[0])
    found = [values_of(rows, text)[0]["matches_where"] for rows in (orders, changed)]
    assert found[0].tolist() == found[1].tolist()


def _followed(
    orders: pd.DataFrame, others: pd.DataFrame, time: pd.Timestamp
) -> pd.DataFrame:
    """The orders up to a time, with other ones after it."""
    past = orders[~(orders["placed_at"] > time)]
    future = others[others["placed_at"] > time]
    future = future.assign(order_id=future["order_id"] + 1000)
    return pd.concat([past, future]) if len(future) else past


@pytest.mark.parametrize(
    ("anchor", "window", "expected"),
    [
        ("2024-02-01", "0, 30", 0),
        ("2024-02-01", "-1, 30", 1),
        ("2024-01-31", "0, 1", 1),
    ],
)
def test_a_row_at_the_anchor_is_past_and_one_at_the_end_is_in_the_window(
    anchor: str, window: str, expected: int
) -> None:
    found = answers(SHOP, f"PREDICT COUNT(orders.*, {window}) {EACH}", moments(anchor))
    # Order 1005 of customer 1 was placed at the first moment of February.
    assert found[found["entity"] == 1]["label"].item() == expected


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        # Customer 5 placed orders 1007 (app, 35) and 1008 (web, 42) at one moment.
        ("FIRST(orders.channel, 0, 30)", "app"),
        ("LAST(orders.channel, 0, 30)", "web"),
        ("LAST(orders.total, 0, 30) - FIRST(orders.total, 0, 30)", 7.0),
        ("SUM(orders.total, 0, 30) / (COUNT(orders.*, 0, 30) - 2)", None),
        ("-COUNT(orders.*, 0, 30) * 2 + 1", -3.0),
        ("LIST_DISTINCT(orders.channel, 0, 30) CONTAINS 'app'", True),
        ("LIST_DISTINCT(orders.channel, 0, 30) NOT CONTAINS 'store'", True),
        ("LIST_DISTINCT(orders.channel, 100, 130) CONTAINS 'app'", False),
        ("LAST(orders.total, 0, 30) IN (42, 43)", True),
        ("LAST(orders.total, 0, 30) NOT IN (42, 43)", False),
        ("AVG(orders.total, 100, 130) > 1", None),
        ("AVG(orders.total, 100, 130) IS NULL", True),
        ("AVG(orders.total, 100, 130) > 1 OR COUNT(orders.*, 0, 30) = 2", True),
        ("AVG(orders.total, 100, 130) > 1 AND COUNT(orders.*, 0, 30) = 2", None),
        ("COUNT(orders.* WHERE orders.note LIKE 'as a g__t', 0, 30)", 1.0),
        ("COUNT(orders.* WHERE orders.note LIKE 'as a', 0, 30)", 0.0),
        ("COUNT(orders.* WHERE orders.note ENDS WITH 'gift', 0, 30)", 1.0),
        ("COUNT(orders.* WHERE orders.note NOT CONTAINS 'gift', 0, 30)", 0.0),
        ("COUNT(orders.note, 0, 30)", 1.0),
        ("SUM(orders.total * 2 + 1, 0, 30)", 156.0),
        ("MAX(order_items.quantity * products.price, 0, 30)", 42.0),
        ("COUNT(orders.* WHERE customers.tier = 'silver', 0, 30)", 2.0),
        ("COUNT(orders.*, 0, 30) > 0 AND customers.tier = 'silver'", True),
        ("COUNT(orders.* WHERE orders.placed_at >= '2024-02-20 12:00', 0, 30)", 2.0),
    ],
)
def test_operators_mean_what_the_specification_says(target: str, expected: Any) -> None:
    found = answers(SHOP, f"PREDICT {target} {EACH}", moments("2024-02-15"))
    label = found[found["entity"] == 5]["label"].item()
    assert same(label, expected)


def test_employees_belong_to_their_manager() -> None:
    frame = pd.DataFrame(
        {
            "employee_id": [1, 2, 3, 4],
            "manager_id": pd.array([None, 1, 1, 2], dtype="Int64"),
            "hired_at": pd.to_datetime(
                ["2024-01-01", "2024-01-05", "2024-01-06", "2024-01-07"]
            ),
        }
    )
    keys = {
        "pkey": "employee_id",
        "time": "hired_at",
        "fkeys": {"manager_id": "employees"},
    }
    overrides = {"tables": {"employees": keys}}
    with Database.open({"employees": frame}, overrides=overrides) as db:
        found = answers(
            db,
            "PREDICT COUNT(employees.*, 0, 10, days) FOR EACH employees.employee_id",
            moments("2024-01-02"),
        )
    assert found["label"].tolist() == [2.0, 1.0, 0.0, 0.0]


def test_a_table_without_time_takes_it_from_the_nearest_ancestor_even_the_entity() -> (
    None
):
    text = "PREDICT COUNT(order_items.*, 0, 1, days) FOR EACH orders.order_id"
    found = answers(SHOP, text, moments("2024-02-20"))
    assert set(found[found["label"] == 1]["entity"]) == {1007, 1008}


def test_keys_and_categories_may_be_stored_as_text_or_numbers() -> None:
    frames = {
        "people": pd.DataFrame({"id": ["a1", "7"], "grade": [3, 5]}),
        "visits": pd.DataFrame(
            {
                "visit_id": [1, 2, 3],
                "person": ["a1", "a1", "7"],
                "code": ["10", "20", "10"],
                "at": pd.to_datetime(["2024-01-02", "2024-01-03", "2024-01-04"]),
            }
        ),
    }
    overrides = {
        "tables": {
            "people": {"pkey": "id", "stypes": {"grade": "categorical"}},
            "visits": {
                "pkey": "visit_id",
                "time": "at",
                "fkeys": {"person": "people"},
                "stypes": {"code": "categorical"},
            },
        }
    }
    text = (
        "PREDICT COUNT(visits.* WHERE visits.code = '10', 0, 9) FOR EACH people.id"
        " WHERE people.grade = 3"
    )
    with Database.open(frames, overrides=overrides) as db:
        found = answers(db, text, moments("2024-01-01")).sort_values("entity")
    assert found["label"].tolist() == [1.0, 1.0]
    assert found["matches_where"].tolist() == [False, True]
