from __future__ import annotations

from typing import Any

import pytest
from tests.relational.task.asking import answers, same
from tests.relational.task.databases import moments, open_shop

SHOP = open_shop()
EACH = "FOR EACH customers.customer_id"


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
