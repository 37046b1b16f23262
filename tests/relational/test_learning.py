from __future__ import annotations

import pandas as pd
import pytest
from tests.relational.market import CHURN, SPEND, market_frames

from benthic.relational import learning
from benthic.relational.database import Database
from benthic.relational.engines import FeaturesEngine, Options
from benthic.relational.learning import (
    asked_in_parts,
    for_each,
    learn,
    numbered,
    with_frames,
)
from benthic.relational.query import PredictiveQuery
from benthic.relational.task import make_task


@pytest.fixture(scope="module")
def db():
    with Database.open(market_frames()) as opened:
        yield opened


def test_a_fit_serves_all_entities_whoever_was_named():
    one = PredictiveQuery.parse(CHURN.replace("EACH ", "") + " = 7")

    assert str(for_each(one)) == CHURN
    assert for_each(for_each(one)) == for_each(one)


def test_truth_becomes_a_number_and_a_label_knows_when_it_was_known(db):
    task = make_task(db, CHURN, anchor_time="2025-11-01")
    shown = numbered(task.train(), task)

    assert set(shown["label"]) <= {0.0, 1.0}
    waited = shown["observed_at"] - shown["anchor_time"]
    assert set(waited) == {pd.Timedelta(days=14)}


def test_numbers_stay_as_they_are(db):
    task = make_task(db, SPEND, anchor_time="2025-11-01")

    pd.testing.assert_series_equal(
        numbered(task.train(), task)["label"], task.train()["label"]
    )


def test_a_seed_is_asked_once_for_each_timeframe():
    seeds = pd.DataFrame({"entity": ["a", "b"], "anchor_time": [1, 1]})

    assert with_frames(seeds, 1) is seeds
    assert with_frames(seeds, 3)[["entity", "frame"]].values.tolist() == [
        [entity, frame] for entity in "ab" for frame in range(3)
    ]


def test_many_entities_are_announced_before_their_parts_and_given_up_after(
    db, monkeypatch
):
    monkeypatch.setattr(learning, "CHUNK_ROWS", 8)
    monkeypatch.setattr(learning, "_ANNOUNCED", 20)
    task = make_task(db, CHURN, anchor_time="2025-11-01")
    everybody = task.now()["entity"].tolist()
    told: list[list[int]] = []
    asked: list[int] = []
    for part in asked_in_parts(
        task, lambda seeds: told.append(seeds["entity"].tolist())
    ):
        assert len(part) <= 8
        asked += part["entity"].tolist()
        assert asked[-1] in told[-1]

    assert asked == everybody
    assert [entity for many in told for entity in many] == everybody
    assert told[-1] == []


def test_few_entities_are_not_announced(db):
    task = make_task(db, CHURN, anchor_time="2025-11-01")
    told: list[pd.DataFrame] = []
    parts = list(asked_in_parts(task, told.append))

    assert [len(part) for part in parts] == [task.count("now")]
    assert told == []


def test_the_engine_that_learned_answers_the_query(db):
    task = make_task(db, CHURN, anchor_time="2025-11-01", test_anchors=0)
    fitted = learn(
        task,
        numbered(task.train(), task),
        numbered(task.validation(), task),
        Options(num_models=1, num_hops=1),
    )

    assert isinstance(fitted.engine, FeaturesEngine)
    assert str(fitted.query) == CHURN
    assert fitted.report.engine == "features"
    assert len(fitted.engine.predict(task.now())) == 40
