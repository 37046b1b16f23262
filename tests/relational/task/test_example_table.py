from __future__ import annotations

import pandas as pd
import pytest
from tests.relational.task.databases import open_shop

from benthic.errors import InputError
from benthic.relational.task import make_task

SHOP = open_shop()
EACH = "FOR EACH customers.customer_id"
SPEND = f"PREDICT SUM(orders.total, 0, 30, days) {EACH}"


def test_parts_of_a_split_make_the_whole() -> None:
    task = make_task(SHOP, SPEND, anchor_time="2024-06-10")
    parts = list(task.seeds("train", rows=5))
    assert max(map(len, parts)) == 5
    joined = pd.concat(parts, ignore_index=True)
    pd.testing.assert_frame_equal(joined, task.train())
    assert task.count("train") == len(joined)
    with pytest.raises(InputError, match="split"):
        next(task.seeds("tomorrow"))


def test_what_a_task_keeps_leaves_the_database_with_it() -> None:
    def kept() -> int:
        return SHOP.query("SELECT count(*) FROM duckdb_tables()")[0][0]

    before = kept()
    task = make_task(SHOP, SPEND)
    task.train()
    assert kept() > before
    del task
    assert kept() == before
