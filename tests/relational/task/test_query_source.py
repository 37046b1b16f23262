from __future__ import annotations

import pandas as pd
import pytest
from tests.relational.task.databases import open_bank, open_shop

from benthic.relational.database import Database
from benthic.relational.task import Task, make_task

SHOP, BANK = open_shop(), open_bank()
EACH = "FOR EACH customers.customer_id"
SPEND = f"PREDICT SUM(orders.total, 0, 30, days) {EACH}"


def test_undefined_labels_are_dropped_and_counted() -> None:
    text = f"PREDICT AVG(orders.total, 0, 30, days) {EACH}"
    task = make_task(SHOP, text, anchor_time="2024-06-10", minimum_examples=5)
    zeros = make_task(SHOP, SPEND, anchor_time="2024-06-10").train()
    train = task.train()
    assert train["label"].notna().all()
    assert task.dropped["train"] == {"undefined": len(zeros) - len(train)}
    assert task.describe()["dropped"] == task.dropped


def test_empty_sets_are_dropped_for_a_ranking_and_kept_for_a_classification() -> None:
    target = "PREDICT LIST_DISTINCT(orders.channel, 0, 30, days)"
    ranked = make_task(SHOP, f"{target} RANK TOP 2 {EACH}", minimum_examples=5)
    classified = make_task(SHOP, f"{target} CLASSIFY {EACH}", minimum_examples=5)
    assert all(ranked.train()["label"])
    assert [] in classified.train()["label"].tolist()
    difference = len(classified.train()) - len(ranked.train())
    assert ranked.dropped["train"] == {"empty": difference}
    assert ranked.k == 2
    assert ranked.candidates(pd.Timestamp("2023-12-31")) == ["web"]
    assert ranked.candidates(pd.Timestamp("2024-12-31")) == ["app", "store", "web"]


def test_those_asked_for_by_name_come_back_flagged_and_teach_with_all_others() -> None:
    where = "WHERE COUNT(orders.*, -30, 0) > 0"
    text = (
        f"PREDICT SUM(orders.total, 0, 30) FOR customers.customer_id IN (8, 7) {where}"
    )
    task = make_task(SHOP, text, anchor_time="2024-06-10", minimum_examples=5)
    now = task.now()
    assert now["entity"].tolist() == [7, 8]
    assert now["matches_where"].tolist() == [True, False]
    assert set(task.train()["entity"]) - {7, 8}
    everyone = make_task(
        SHOP, f"{SPEND} {where}", anchor_time="2024-06-10", minimum_examples=5
    )
    assert everyone.now()["entity"].tolist() == [3, 7]
    assert everyone.dropped["now"] == {"fails WHERE": 6}


def test_an_assumption_about_the_future_chooses_the_examples() -> None:
    text = f"{SPEND} ASSUMING COUNT(coupons.*, 0, 45, days) >= 1"
    options = {
        "minimum_examples": 1,
        "anchor_time": "2024-06-10",
        "minimum_assumed": 2,
        "test_anchors": 0,
    }
    task = make_task(SHOP, text, **options)
    everyone = make_task(SHOP, SPEND, **options).train()
    train = task.train()
    assert 2 <= len(train) < len(everyone)
    # One has to wait for the coupons, though the spending is known before.
    assert str(task.horizon) == "45 days"
    pairs = set(zip(train["entity"], train["anchor_time"], strict=True))
    coupons = SHOP.frame(f"SELECT customer_id, sent_at FROM {SHOP.relation('coupons')}")
    for entity, time in pairs:
        sent = coupons[coupons["customer_id"] == entity]["sent_at"]
        assert ((sent > time) & (sent <= time + pd.Timedelta(days=45))).any()


def test_an_event_is_judged_at_its_own_time_and_split_by_it() -> None:
    text = "PREDICT payments.is_fraud FOR EACH payments.payment_id"
    task = make_task(BANK, text, minimum_examples=5)
    paid = BANK.frame(f"SELECT payment_id, paid_at FROM {BANK.relation('payments')}")
    paid = paid.set_index("payment_id")["paid_at"]
    parts = [task.train(), task.validation(), task.test()]
    for part in parts:
        assert (paid[part["entity"]].to_numpy() == part["anchor_time"].to_numpy()).all()
    times = [part["anchor_time"] for part in parts if len(part)]
    assert times[0].max() < times[-1].min()
    assert task.dropped["train"] == {"undefined": 1}
    assert sum(map(len, parts)) == 11
    assert len(task.now()) == 12  # also the one whose truth is unknown


@pytest.mark.parametrize("time", [None, "2024-06-10"])
def test_a_standing_entity_can_be_judged_at_one_time(time: str | None) -> None:
    text = f"PREDICT customers.newsletter {EACH}"
    task = make_task(SHOP, text, anchor_time=time, minimum_examples=2)
    moment = pd.Timestamp(SHOP.end_time if time is None else time)
    parts = [task.train(), task.validation(), task.test()]
    assert {t for part in parts for t in part["anchor_time"]} == {moment}
    entities = [entity for part in parts for entity in part["entity"]]
    assert sorted(entities) == [1, 2, 3, 4, 5, 6, 8]
    assert len(task.now()) == 8


def test_a_temporal_target_may_start_at_each_rows_own_time() -> None:
    text = f"PREDICT COUNT(orders.*, 0, 30) {EACH}"
    task = make_task(
        SHOP, text, anchor_time="entity", minimum_examples=1, test_anchors=0
    )
    train = task.train()
    assert train["anchor_time"].is_monotonic_increasing
    assert train[train["entity"] == 1]["label"].item() == 1.0


def test_a_sample_is_always_the_same_and_no_larger_than_asked() -> None:
    def sample() -> Task:
        return make_task(SHOP, SPEND, max_train_rows=15, minimum_examples=5)

    every = make_task(SHOP, SPEND, max_train_rows=None).train()
    one, other = sample(), sample()
    assert 5 <= one.count("train") < len(every)
    pd.testing.assert_frame_equal(one.train(), other.train())
    assert one.dropped["train"]["not sampled"] == len(every) - one.count("train")


def test_only_those_who_exist_are_asked() -> None:
    train = make_task(SHOP, SPEND, anchor_time="2024-06-10").train()
    joined = SHOP.frame(
        f"SELECT customer_id, joined_at FROM {SHOP.relation('customers')}"
    ).set_index("customer_id")["joined_at"]
    assert (joined[train["entity"]].to_numpy() <= train["anchor_time"].to_numpy()).all()
    assert 9 not in set(train["entity"])  # joined nobody knows when


def test_what_has_ended_is_not_asked() -> None:
    frames = {
        "contracts": pd.DataFrame(
            {
                "contract_id": range(1, 31),
                "signed": pd.Timestamp("2024-01-01"),
                "ended": [pd.Timestamp("2024-03-01")] * 15 + [pd.NaT] * 15,
            }
        ),
        "calls": pd.DataFrame(
            {
                "call_id": range(60),
                "contract": [1 + i % 30 for i in range(60)],
                "at": pd.date_range("2024-01-02", periods=60, freq="2D"),
            }
        ),
    }
    tables = {
        "contracts": {"pkey": "contract_id", "time": "signed", "end_time": "ended"},
        "calls": {"pkey": "call_id", "time": "at", "fkeys": {"contract": "contracts"}},
    }
    with Database.open(frames, overrides={"tables": tables}) as db:
        text = "PREDICT COUNT(calls.*, 0, 15) FOR EACH contracts.contract_id"
        task = make_task(db, text)
        assert task.now()["entity"].tolist() == list(range(16, 31))
        asked = pd.concat([task.train(), task.validation(), task.test()])
    ended = asked["anchor_time"] >= pd.Timestamp("2024-03-01")
    assert ended.any()
    assert not ended.all()
    assert asked[ended]["entity"].min() == 16
    assert asked[~ended]["entity"].min() == 1
