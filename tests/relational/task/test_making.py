from __future__ import annotations

import pandas as pd
import pytest
from tests.relational.task.databases import open_bank, open_shop

from benthic.errors import InputError, QueryError
from benthic.relational.database import Database
from benthic.relational.task import Span, make_task

SHOP, BANK = open_shop(), open_bank()
EACH = "FOR EACH customers.customer_id"
SPEND = f"PREDICT SUM(orders.total, 0, 30, days) {EACH}"


def days_of(frame: pd.DataFrame) -> list[str]:
    return [str(time.date()) for time in frame["anchor_time"].drop_duplicates()]


def test_the_splits_follow_each_other_one_horizon_apart() -> None:
    task = make_task(SHOP, SPEND, anchor_time="2024-06-10")
    assert days_of(task.now()) == ["2024-06-10"]
    assert days_of(task.test()) == ["2024-05-11"]
    assert days_of(task.validation()) == ["2024-04-11"]
    expected = ["2023-11-13", "2023-12-13", "2024-01-12", "2024-02-11", "2024-03-12"]
    # The next one back is before the first order.
    assert days_of(task.train()) == expected


def test_without_an_anchor_time_the_data_end_it() -> None:
    task = make_task(SHOP, SPEND)
    assert task.anchor_time == pd.Timestamp(SHOP.end_time)
    end = task.observed_at(task.test()["anchor_time"])
    assert (end <= task.anchor_time).all()
    assert end.max() == task.anchor_time


def test_months_are_counted_from_the_anchor_and_do_not_wear_away() -> None:
    text = f"PREDICT SUM(orders.total, 0, 1, months) {EACH}"
    task = make_task(SHOP, text, anchor_time="2024-05-31", minimum_examples=1)
    assert days_of(task.test()) == ["2024-04-30"]
    assert days_of(task.validation()) == ["2024-03-31"]
    assert days_of(task.train())[-2:] == ["2024-01-31", "2024-02-29"]


def test_anchors_closer_than_the_horizon_leave_a_gap_before_the_next_split() -> None:
    task = make_task(SHOP, SPEND, anchor_time="2024-06-10", step=Span(10, "days"))
    assert days_of(task.test()) == ["2024-05-11"]
    assert days_of(task.validation()) == ["2024-04-11"]
    assert days_of(task.train())[-2:] == ["2024-03-02", "2024-03-12"]


def test_the_number_of_anchors_can_be_chosen() -> None:
    task = make_task(
        SHOP,
        SPEND,
        anchor_time="2024-06-10",
        num_train_anchors=2,
        validation_anchors=2,
        test_anchors=0,
    )
    assert len(task.test()) == 0
    assert len(days_of(task.validation())) == len(days_of(task.train())) == 2


def test_an_anchor_at_which_nobody_has_a_label_judges_nothing() -> None:
    text = f"PREDICT AVG(orders.total, 0, 7, days) {EACH}"
    task = make_task(SHOP, text, anchor_time="2024-06-10", minimum_examples=1)
    # No order was placed in the week that ends on 10 June, nor before 19 May was past.
    assert days_of(task.test()) == ["2024-05-27"]
    assert days_of(task.validation()) == ["2024-05-13"]


def test_unknown_keys_are_named_up_to_five() -> None:
    keys = ", ".join(map(str, range(1, 20)))
    text = f"PREDICT SUM(orders.total, 0, 30) FOR customers.customer_id IN ({keys})"
    with pytest.raises(QueryError, match="10, 11, 12, 13, 14 and 5 more") as caught:
        make_task(SHOP, text)
    assert caught.value.kind == "data"
    start = caught.value.column - 1
    assert text[start:].startswith("customers.customer_id")


def test_an_assumption_about_the_entity_is_carried_to_the_engine() -> None:
    text = (
        "PREDICT COUNT(loans.*, 0, 6, months) FOR EACH clients.client_id"
        " ASSUMING clients.segment = 'family'"
    )
    task = make_task(BANK, text, minimum_examples=1, test_anchors=0)
    assert task.assumed_values == {"segment": "family"}
    plain = make_task(
        BANK, text.split(" ASSUMING")[0], minimum_examples=1, test_anchors=0
    )
    pd.testing.assert_frame_equal(task.train(), plain.train())


@pytest.mark.parametrize("choice", ["entity", "yesterday-ish", "NaT", ""])
def test_an_anchor_time_that_cannot_be_is_refused(choice: str) -> None:
    text = "PREDICT products.price FOR EACH products.product_id"
    with pytest.raises(InputError, match="anchor_time"):
        make_task(SHOP, text, anchor_time=choice)


def test_rows_that_end_long_before_the_anchor_are_noted() -> None:
    late = make_task(SHOP, SPEND, anchor_time="2026-06-10")
    end = SHOP.end_time
    assert late.notes[-1].startswith(f"the data end at {end}: what happened from then")
    assert not any(
        "no row after" in note or "the data end" in note
        for note in make_task(SHOP, SPEND, anchor_time="2024-06-10").notes
    )


def test_a_table_of_the_target_that_ended_before_the_others_is_noted() -> None:
    days = pd.date_range("2025-01-01", periods=365, freq="D")
    frames = {
        "customers": pd.DataFrame({"customer_id": range(20)}),
        "orders": pd.DataFrame(
            {
                "order_id": range(200),
                "customer_id": [i % 20 for i in range(200)],
                "total": 1.0,
                "placed_at": days[:200],
            }
        ),
        "visits": pd.DataFrame({"visit_id": range(365), "at": days}),
    }
    with Database.open(frames) as db:
        notes = make_task(db, SPEND).notes
    assert notes[-1].startswith("orders has no row after 2025-07-19: labels after")


def test_the_end_of_the_data_has_a_name() -> None:
    assert make_task(SHOP, SPEND, anchor_time="end").anchor_time == SHOP.end_time


def test_an_anchor_before_the_first_row_is_told_when_the_rows_begin() -> None:
    orders = SHOP.relation("orders", ["placed_at"])
    first = SHOP.query(f"SELECT min(placed_at) FROM {orders}")[0][0].date()
    with pytest.raises(QueryError) as caught:
        make_task(SHOP, SPEND, anchor_time="1990-01-01")
    assert f"known at 1990-01-01: the first row of the target is of {first}" in str(
        caught.value
    )
    assert "give a later anchor_time" in str(caught.value)
    assert "shorter window" not in str(caught.value)
