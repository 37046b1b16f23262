from __future__ import annotations

import pandas as pd
import pytest
from tests.relational.task.databases import open_bank, open_shop

from benthic.errors import InputError, QueryError
from benthic.relational.database import Database
from benthic.relational.task import Span, Task, make_task

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


def test_candidates_of_a_foreign_key_are_the_rows_it_may_point_at() -> None:
    text = f"PREDICT LIST_DISTINCT(order_items.product_id, 0, 30) RANK TOP 3 {EACH}"
    task = make_task(SHOP, text, minimum_examples=5)
    assert task.candidates(pd.Timestamp("2023-12-31")) == list(range(100, 106))
    with pytest.raises(InputError, match="rank or classify"):
        make_task(SHOP, SPEND).candidates(pd.Timestamp("2023-12-31"))


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


def test_unknown_keys_are_named_up_to_five() -> None:
    keys = ", ".join(map(str, range(1, 20)))
    text = f"PREDICT SUM(orders.total, 0, 30) FOR customers.customer_id IN ({keys})"
    with pytest.raises(QueryError, match="10, 11, 12, 13, 14 and 5 more") as caught:
        make_task(SHOP, text)
    assert caught.value.kind == "data"
    start = caught.value.column - 1
    assert text[start:].startswith("customers.customer_id")


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


@pytest.mark.parametrize("choice", ["entity", "yesterday-ish"])
def test_an_anchor_time_that_cannot_be_is_refused(choice: str) -> None:
    text = "PREDICT products.price FOR EACH products.product_id"
    with pytest.raises(InputError, match="anchor_time"):
        make_task(SHOP, text, anchor_time=choice)


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


def test_parts_of_a_split_make_the_whole() -> None:
    task = make_task(SHOP, SPEND, anchor_time="2024-06-10")
    parts = list(task.seeds("train", rows=5))
    assert max(map(len, parts)) == 5
    joined = pd.concat(parts, ignore_index=True)
    pd.testing.assert_frame_equal(joined, task.train())
    assert task.count("train") == len(joined)
    with pytest.raises(InputError, match="split"):
        next(task.seeds("tomorrow"))


def test_a_sample_is_always_the_same_and_no_larger_than_asked() -> None:
    def sample() -> Task:
        return make_task(SHOP, SPEND, max_train_rows=15, minimum_examples=5)

    every = make_task(SHOP, SPEND, max_train_rows=None).train()
    one, other = sample(), sample()
    assert 5 <= one.count("train") < len(every)
    pd.testing.assert_frame_equal(one.train(), other.train())
    assert one.dropped["train"]["not sampled"] == len(every) - one.count("train")


def test_what_a_task_keeps_leaves_the_database_with_it() -> None:
    def kept() -> int:
        return SHOP.query("SELECT count(*) FROM duckdb_tables()")[0][0]

    before = kept()
    task = make_task(SHOP, SPEND)
    task.train()
    assert kept() > before
    del task
    assert kept() == before
