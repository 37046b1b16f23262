from __future__ import annotations

import pytest
from tests.relational.task.databases import open_shop

from benthic.errors import QueryError
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
