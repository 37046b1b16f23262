from __future__ import annotations

import json

import pandas as pd
import pytest
from sklearn.metrics import mean_absolute_error, roc_auc_score
from tests.relational.market import CHANNEL, CHURN, NEXT, SPEND, market_frames

from benthic.errors import InputError
from benthic.relational.database import Database
from benthic.relational.engines import Options
from benthic.relational.judging import judge
from benthic.relational.task import make_task

QUICK = Options(num_models=1, num_hops=1)


@pytest.fixture(scope="module")
def db():
    with Database.open(market_frames()) as opened:
        yield opened


def task(db, query, test_anchors=2):
    return make_task(db, query, anchor_time="2025-12-20", test_anchors=test_anchors)


@pytest.fixture(scope="module")
def churn(db):
    return judge(task(db, CHURN), QUICK, num_resamples=20)


def test_metrics_are_those_of_the_predictions_it_hands_out(churn):
    said = churn.predictions

    assert churn.metrics["auroc"].value == pytest.approx(
        roc_auc_score(said["label"], said["probability"])
    )
    interval = churn.metrics["auroc"]
    assert interval.lower <= interval.value <= interval.upper


def test_labels_are_what_happened(churn):
    orders = market_frames()["orders"]
    for row in churn.predictions.sample(10, random_state=0).itertuples():
        end = row.anchor_time + pd.Timedelta(days=14)
        time = orders["placed_at"]
        bought = (orders["customer_id"] == row.entity) & (time > row.anchor_time)
        assert row.label == float(not (bought & (time <= end)).any())


def test_the_model_beats_what_needs_no_model(churn):
    others = [found["auroc"] for found in churn.baselines.values()]

    assert set(churn.baselines) == {"global_mean", "entity_mean", "last_value"}
    assert churn.metrics["auroc"].value > max(others[0], 0.5) + 0.2


def test_a_number_is_judged_by_its_error(db):
    found = judge(task(db, SPEND, 1), QUICK, num_resamples=5)

    assert found.metrics["mae"].value == pytest.approx(
        mean_absolute_error(found.predictions["label"], found.predictions["prediction"])
    )
    assert found.main_metric == "nmae"


def test_a_class_is_judged_beside_the_commonest(db):
    found = judge(task(db, CHANNEL, 1), QUICK, num_resamples=5)

    assert set(found.metrics) >= {"accuracy", "macro_f1"}
    assert set(found.baselines) >= {"global_mean", "entity_mean"}


def test_a_set_is_judged_beside_the_shares_of_the_past(db):
    query = NEXT.replace("RANK TOP 3", "CLASSIFY")
    found = judge(task(db, query, 1), QUICK, num_resamples=2)

    assert set(found.metrics) == {"macro_auroc", "micro_f1"}
    assert len(found.baselines) == 3
    assert not found.to_frame().isna().any(axis=None)
    assert found.baselines["popularity"]["macro_auroc"] == 0.5
    assert found.baselines["past_visit"]["macro_auroc"] > 0.7


def test_frozen_predictions_do_not_see_what_came_after_the_first_anchor(db):
    frozen = judge(task(db, SPEND), QUICK, regime="frozen", num_resamples=2)
    first = frozen.anchors[0]
    frames = market_frames()
    later = frames["orders"]["placed_at"] > first
    labels = frozen.predictions["label"]
    frames["orders"].loc[later, "channel"] = "shop"
    with Database.open(frames) as other:
        again = judge(task(other, SPEND), QUICK, regime="frozen", num_resamples=2)

    pd.testing.assert_series_equal(again.predictions["label"], labels)
    pd.testing.assert_frame_equal(
        again.predictions, frozen.predictions, check_exact=True
    )


def test_a_backtest_fits_anew_at_each_anchor(db):
    found = judge(task(db, CHURN), QUICK, backtest=True, num_resamples=2)

    assert len(found.reports) == len(found.anchors) == 2
    assert len(found.predictions) == found.num_rows["test"] == 80


def test_it_is_one_json_document_and_a_table(churn):
    document = json.loads(churn.to_json())

    assert document["regime"] == "rolling"
    assert document["metrics"]["auroc"]["value"] == churn.metrics["auroc"].value
    text = str(churn)
    assert text.startswith(CHURN)
    assert "binary, rolling, at 2 anchors" in text
    assert "entity_mean" in text


def test_another_regime_is_refused(db):
    with pytest.raises(InputError, match="regime: found 'loose'; choose rolling or"):
        judge(task(db, CHURN), QUICK, regime="loose")


def test_interrupted_fits_find_their_finished_parts_again_each_in_its_folder(
    db, tmp_path
):
    def stop(text):
        if text.startswith("model 1") and len(list(tmp_path.iterdir())) == 2:
            raise KeyboardInterrupt

    arguments = {"backtest": True, "num_resamples": 2, "fit_dir": tmp_path}
    with pytest.raises(KeyboardInterrupt):
        judge(task(db, CHURN), QUICK, **arguments, progress=stop)
    kept = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.json")}
    names = sorted(path.name for path in tmp_path.iterdir())
    assert names == ["2025-11-22T000000", "2025-12-06T000000"]
    found = judge(task(db, CHURN), QUICK, **arguments)

    assert kept
    assert {path: path.stat().st_mtime_ns for path in kept} == kept
    fresh = judge(task(db, CHURN), QUICK, backtest=True, num_resamples=2)
    pd.testing.assert_frame_equal(found.predictions, fresh.predictions)


def test_what_it_says_of_time_is_true_of_what_was_judged(churn):
    assert "nothing later than 2025-12-20 00:00:00 is seen" in churn.notes
    assert not any("judged at" in note for note in churn.notes)
