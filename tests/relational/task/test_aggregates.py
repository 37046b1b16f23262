from __future__ import annotations

from typing import Any

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.relational.shop import shop_frames
from tests.relational.task.asking import answers
from tests.relational.task.databases import moments, open_shop

from benthic.relational.database import Database

SHOP = open_shop()

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


@settings(max_examples=12)
@given(order_frames())
def test_neighboring_windows_share_no_row_and_lose_none(orders: pd.DataFrame) -> None:
    windows = ("0, 30", "30, 60", "0, 60")
    found = labels_of(orders, *(f"SUM(orders.total, {window})" for window in windows))
    first, second, both = found
    assert [a + b for a, b in zip(first, second, strict=True)] == pytest.approx(both)


@settings(max_examples=12)
@given(order_frames())
def test_every_row_is_true_false_or_unknown(orders: pd.DataFrame) -> None:
    is_web = "orders.channel = 'web'"
    filters = [is_web, f"NOT {is_web}", "orders.channel IS NULL"]
    counts = [f"COUNT(orders.* WHERE {which}, 0, 60)" for which in filters]
    *parts, every = labels_of(orders, *counts, "COUNT(orders.*, 0, 60)")
    assert [sum(part) for part in zip(*parts, strict=True)] == every


@settings(max_examples=12)
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


@settings(max_examples=12)
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


SPANS = {
    "hours": pd.Timedelta(hours=1),
    "days": pd.Timedelta(days=1),
    "weeks": pd.Timedelta(days=7),
    "months": pd.DateOffset(months=1),
    "years": pd.DateOffset(years=1),
}


@settings(max_examples=12)
@given(
    order_frames(),
    st.sampled_from(sorted(SPANS)),
    st.integers(1, 40),
    st.integers(1, 60),
    st.lists(st.integers(-60, 60), min_size=1, max_size=5, unique=True),
)
def test_windows_of_several_anchors_hold_the_rows_between_their_edges(
    orders: pd.DataFrame, unit: str, end: int, length: int, days: list[int]
) -> None:
    relation = SMALL.relation("orders")
    values_of(orders)
    SMALL.connection.execute(
        f"CREATE OR REPLACE VIEW {relation} AS SELECT *, CASE order_id WHEN 0 THEN"
        " 'infinity'::TIMESTAMP WHEN 1 THEN '-infinity'::TIMESTAMP ELSE placed_at END"
        " AS _time, row_number() OVER () AS _row FROM generated"
    )
    start = end - length
    text = f"PREDICT COUNT(orders.*, {start}, {end}, {unit}) {EACH}"
    found = answers(SMALL, text, [ANCHOR[0] + _days(day) for day in days])
    for row in found.itertuples():
        after, until = (row.anchor_time + n * SPANS[unit] for n in (start, end))
        times = orders["placed_at"].where(orders["order_id"] > 1)
        mine = orders["customer_id"].eq(row.entity).fillna(False)
        assert row.label == (mine & (times > after) & (times <= until)).sum()


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


def test_labels_of_0_and_1_are_truth_values_that_can_be_summed() -> None:
    days = pd.date_range("2024-03-02", periods=12)
    orders = pd.DataFrame(
        {"order_id": range(12), "customer_id": 1, "label": [0, 1, 1] * 4, "at": days}
    )
    with Database.open(
        {"customers": pd.DataFrame({"customer_id": [1]}), "orders": orders}
    ) as db:
        expected = {
            "LAST(orders.label, 0, 9)": True,
            "SUM(orders.label, 0, 9)": 6,
            "AVG(orders.label, 0, 9)": 2 / 3,
            "MIN(orders.label, 0, 9)": 0,
            "COUNT(orders.* WHERE orders.label > 0, 0, 9)": 6,
            "COUNT(orders.* WHERE orders.label = 0, 0, 9)": 3,
            "SUM(orders.label * 2, 0, 9)": 12,
        }
        found = {
            text: answers(db, f"PREDICT {text} {EACH}", ANCHOR)["label"].item()
            for text in expected
        }
    assert found == pytest.approx(expected)
