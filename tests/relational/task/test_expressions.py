from __future__ import annotations

from typing import Any

import pandas as pd
import pytest
from tests.relational.task.asking import answers, same
from tests.relational.task.databases import moments, open_shop

from benthic.relational.database import Database
from benthic.relational.task import make_task

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


@pytest.mark.parametrize("as_text", [True, False])
def test_a_set_is_one_however_it_is_stored(as_text):
    held = [["a", "b"], ["b"], None, []]
    texts = ["a|b", "b", None, ""]
    frames = {
        "people": pd.DataFrame({"person_id": [1]}),
        "posts": pd.DataFrame(
            {
                "post_id": range(4),
                "person_id": 1,
                "tags": pd.Series(texts if as_text else held, dtype=object),
                "at": pd.to_datetime([f"2024-02-{day}" for day in (16, 17, 18, 19)]),
            }
        ),
    }
    facts = {"posts": {"time": "at", "stypes": {"tags": "multicategorical"}}}
    each = "FOR EACH posts.post_id"
    with Database.open(frames, overrides={"tables": facts}) as db:
        at = moments("2024-03-01")
        found = {
            target: answers(db, f"PREDICT {target} {each}", at)["label"].tolist()
            for target in ("posts.tags CLASSIFY", "posts.tags CONTAINS 'a'")
        }
        query = "PREDICT {} FOR EACH people.person_id"
        windows = {
            "FIRST(posts.tags, 0, 30) CONTAINS 'a'": True,
            "LAST(posts.tags, 0, 30) CONTAINS 'a'": False,
            "COUNT(posts.* WHERE posts.tags CONTAINS 'b', 0, 30)": 2,
            "COUNT(posts.* WHERE posts.tags NOT CONTAINS 'b', 0, 30)": 1,
        }
        for target, label in windows.items():
            said = answers(db, query.format(target), moments("2024-02-15"))
            assert said["label"].tolist() == [label]
        task = make_task(db, f"PREDICT posts.tags CLASSIFY {each}", anchor_time=None)
        assert task.candidates(at[0]) == ["a", "b"]
    assert found["posts.tags CLASSIFY"] == [["a", "b"], ["b"], None, []]
    assert found["posts.tags CONTAINS 'a'"] == [True, False, None, False]
