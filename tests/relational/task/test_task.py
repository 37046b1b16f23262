from __future__ import annotations

import pandas as pd
import pytest
from tests.relational.task.databases import open_shop

from benthic.errors import InputError
from benthic.relational.task import make_task

SHOP = open_shop()
EACH = "FOR EACH customers.customer_id"
SPEND = f"PREDICT SUM(orders.total, 0, 30, days) {EACH}"


def days_of(frame: pd.DataFrame) -> list[str]:
    return [str(time.date()) for time in frame["anchor_time"].drop_duplicates()]


def test_candidates_of_a_foreign_key_are_the_rows_it_may_point_at() -> None:
    text = f"PREDICT LIST_DISTINCT(order_items.product_id, 0, 30) RANK TOP 3 {EACH}"
    task = make_task(SHOP, text, minimum_examples=5)
    assert task.candidates(pd.Timestamp("2023-12-31")) == list(range(100, 106))
    with pytest.raises(InputError, match="rank or classify"):
        make_task(SHOP, SPEND).candidates(pd.Timestamp("2023-12-31"))


def test_labels_come_back_in_the_order_of_the_seeds() -> None:
    task = make_task(SHOP, SPEND, anchor_time="2024-06-10")
    seeds = pd.concat([task.train(), task.test()]).sample(frac=1, random_state=0)
    seeds = pd.concat([seeds, seeds.head(3)])
    found = task.labels(seeds[["entity", "anchor_time"]])
    assert found["label"].tolist() == seeds["label"].tolist()


def test_a_label_that_is_not_observed_yet_is_missing() -> None:
    task = make_task(SHOP, SPEND, anchor_time="2024-06-20")
    times = pd.to_datetime(["2024-05-15 00:00", "2024-05-15 22:00", "2024-06-14 00:00"])
    found = task.labels(pd.DataFrame({"entity": 1, "anchor_time": times}))
    # The data end with an order on 14 June at 22:00.
    assert found["label"].isna().tolist() == [False, False, True]


def test_a_forecast_has_one_label_per_frame() -> None:
    text = (
        "PREDICT SUM(orders.total, 0, 7, days) FORECAST 3 TIMEFRAMES"
        " FOR EACH regions.region_id"
    )
    task = make_task(SHOP, text, anchor_time="2024-06-10")
    assert str(task.horizon) == "21 days"
    test = task.test()
    assert days_of(test) == ["2024-05-20"]
    assert test["frame"].tolist() == [0, 1, 2] * 3
    single = make_task(
        SHOP, text.replace("FORECAST 3 TIMEFRAMES", ""), anchor_time="2024-06-10"
    )
    for step in range(3):
        seeds = pd.DataFrame(
            {
                "entity": [1, 2, 3],
                "anchor_time": pd.Timestamp("2024-05-20") + pd.Timedelta(days=7 * step),
            }
        )
        expected = single.labels(seeds)["label"].tolist()
        assert test[test["frame"] == step]["label"].tolist() == expected
