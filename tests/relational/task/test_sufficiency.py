from __future__ import annotations

import pandas as pd
import pytest
from tests.relational.task.databases import open_shop

from benthic.errors import QueryError
from benthic.relational.database import Database
from benthic.relational.task import make_task

SHOP = open_shop()
EACH = "FOR EACH customers.customer_id"
SPEND = f"PREDICT SUM(orders.total, 0, 30, days) {EACH}"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (f"PREDICT COUNT(orders.*, 0, 30) >= 0 {EACH}", "every label is true"),
        (f"PREDICT COUNT(orders.*, 0, 30) > 90 {EACH}", "every label is false"),
        (
            f"PREDICT LAST(orders.channel WHERE orders.channel = 'web', 0, 90) {EACH}",
            "web",
        ),
        (f"PREDICT COUNT(orders.*, 0, 5, years) {EACH}", "observed at 0 anchors"),
        (f"PREDICT COUNT(orders.*, 0, 120) {EACH}", "3 are needed"),
        (f"{SPEND} WHERE COUNT(orders.*, -30, 0) > 9", "fails WHERE"),
        (f"{SPEND} ASSUMING COUNT(coupons.*, 0, 7) >= 1", "came true too seldom"),
    ],
)
def test_a_query_with_nothing_to_learn_from_is_refused_with_counts(
    text: str, message: str
) -> None:
    with pytest.raises(QueryError, match=message) as caught:
        make_task(SHOP, text, anchor_time="2024-06-10").train()
    assert caught.value.kind == "data"
    assert "PREDICT" in str(caught.value)


def daily_orders() -> dict[str, pd.DataFrame]:
    """Each of 20 customers orders every 20 days; twice nobody does for ten days."""
    orders = pd.DataFrame(
        {
            "order_id": range(200),
            "customer_id": [i % 20 for i in range(200)],
            "channel": ["web", "shop"] * 100,
            "total": 1.0,
            "placed_at": pd.date_range("2025-01-01", periods=200, freq="D"),
        }
    )
    for first, last in (("2025-03-01", "2025-03-13"), ("2025-07-01", "2025-07-10")):
        orders = orders[~orders["placed_at"].between(first, last)]
    customers = pd.DataFrame({"customer_id": range(20)})
    return {"customers": customers, "orders": orders.reset_index(drop=True)}


def test_an_anchor_without_a_label_to_judge_by_is_named_with_its_date() -> None:
    with Database.open(daily_orders()) as db:
        query = f"{SPEND} WHERE COUNT(orders.*, -INF, 0) < 3"
        task = make_task(db, query, anchor_time="2025-07-15")
        assert len(task.train())
        with pytest.raises(QueryError) as caught:
            task.test()
    text = str(caught.value)
    assert "test anchor 2025-06-15 00:00:00, whose labels reach to 2025-07-15" in text
    assert "20 entity-times (20 fails WHERE)" in text
    assert "give another anchor_time, or widen WHERE" in text


def test_a_set_that_is_empty_for_all_judges_nothing() -> None:
    query = f"PREDICT LIST_DISTINCT(orders.channel, 0, 5, days) CLASSIFY {EACH}"
    with Database.open(daily_orders()) as db:
        task = make_task(db, query, anchor_time="2025-07-10", test_anchors=0)
        with pytest.raises(QueryError, match="20 empty: no row in the wind") as caught:
            task.validation()
    assert "validation anchor 2025-07-05 00:00:00, whose labels" in str(caught.value)
