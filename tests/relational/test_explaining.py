"""Reasons of every kind of answer: they add up, and say so."""

from __future__ import annotations

import json
import math

import numpy as np
import pandas as pd
import pytest
from tests.relational.market import CHANNEL, CHURN, NEXT, SPEND, market_frames

from benthic.relational.database import Database
from benthic.relational.engines import Options
from benthic.relational.explaining import explain_entity, explain_query
from benthic.relational.learning import learn, numbered
from benthic.relational.task import make_task

FORECAST = SPEND.replace(" FOR EACH", " FORECAST 3 TIMEFRAMES FOR EACH")
SET = NEXT.replace("RANK TOP 3", "CLASSIFY")
FRAMES = {FORECAST: 3}
QUERIES = {
    "binary": CHURN,
    "regression": SPEND,
    "multiclass": CHANNEL,
    "ranking": NEXT,
    "multilabel": SET,
    "forecast": FORECAST,
}
AT = pd.Timestamp("2025-11-01")
SEED = pd.DataFrame({"entity": [3], "anchor_time": [AT]})
EVERYBODY = pd.DataFrame({"entity": range(40), "anchor_time": AT})


@pytest.fixture(scope="module")
def db():
    with Database.open(market_frames()) as opened:
        yield opened


@pytest.fixture(scope="module")
def answering(db):
    made = {}

    def fitted(task_type):
        if task_type not in made:
            task = make_task(db, QUERIES[task_type], anchor_time=AT, test_anchors=0)
            made[task_type] = learn(
                task,
                numbered(task.train(), task),
                numbered(task.validation(), task),
                Options(num_models=2, num_hops=1),
            )
        return made[task_type]

    return fitted


@pytest.fixture(scope="module")
def told(answering):
    made = {}

    def explained(task_type):
        if task_type not in made:
            frames = FRAMES.get(QUERIES[task_type], 1)
            made[task_type] = explain_entity(
                answering(task_type), SEED, EVERYBODY, frames
            )
        return made[task_type]

    return explained


@pytest.mark.parametrize("task_type", QUERIES)
def test_the_shares_of_all_paths_are_one_whole(answering, task_type):
    found = explain_query(answering(task_type))

    assert sum(path.share for path in found.paths) == pytest.approx(1.0)
    assert found.paths == tuple(sorted(found.paths, key=lambda path: -path.share))
    assert any("orders" in path.tables for path in found.paths[:2])
    assert (found.outcomes, found.paths[0].effect) == ((), None)


@pytest.mark.parametrize("task_type", QUERIES)
def test_effects_of_paths_and_the_expected_score_add_up(told, task_type):
    found = told(task_type)

    assert sum(path.share for path in found.paths) == pytest.approx(1.0)
    for one in found.outcomes:
        added = sum(path.effects[one.name] for path in found.paths)
        assert one.expected + added == pytest.approx(one.score)
    assert [path.effect for path in found.paths] == [
        path.effects[found.outcomes[0].name] for path in found.paths
    ]


def test_effects_of_paths_are_those_of_their_features(told, answering):
    why = answering("binary").engine.reasons(SEED, cohort=EVERYBODY)
    found = told("binary")

    by_name = dict(
        zip((f.name for f in why.features), why.effects[:, 0].tolist(), strict=True)
    )
    assert {f.feature: f.effect for f in found.features}.items() <= by_name.items()
    for path in found.paths:
        own = [by_name[f.name] for f in why.features if f.path == path.path]
        assert path.effect == pytest.approx(sum(own))


def test_a_class_is_explained_beside_the_runner_up(told):
    found = told("multiclass")
    first, second = found.outcomes

    assert first.name == found.prediction["prediction"]
    assert {first.name, second.name} == {"web", "shop"}
    odds = (
        found.prediction[f"probability_{first.name}"]
        / found.prediction[f"probability_{second.name}"]
    )
    assert first.score - second.score == pytest.approx(math.log(odds), abs=1e-5)
    assert found.rows_move == f"the probability of {first.name}"


@pytest.mark.parametrize("task_type", ["ranking", "multilabel"])
def test_the_first_values_of_a_list_are_explained(told, task_type):
    found = told(task_type)

    first = [str(value) for value in found.prediction["prediction"][:3]]
    assert [one.name for one in found.outcomes] == first
    assert found.rows
    own = [p for p in found.paths if p.path == "customers <- orders.customer_id"]
    assert own[0].effect > 0  # they buy what they bought


def test_a_forecast_is_explained_by_its_mean_and_each_frame(told):
    found = told("forecast")
    numbers = found.prediction["prediction"]

    names = [one.name for one in found.outcomes]
    assert names == ["mean", "frame 0", "frame 1", "frame 2"]
    scores = [one.score for one in found.outcomes]
    assert scores == pytest.approx([np.mean(numbers), *numbers])


def test_only_rows_that_were_visible_are_shown(told):
    three = told("binary")
    assert three.rows
    for row in three.rows:
        assert row.row["customer_id"] == 3
        assert row.time <= AT
    assert list(three.rows) == sorted(three.rows, key=lambda row: -abs(row.change))


@pytest.mark.parametrize("task_type", QUERIES)
def test_it_reads_as_text_and_as_json(told, task_type):
    found = told(task_type)
    text = str(found)

    assert text.startswith(f"{QUERIES[task_type]}\nfor 3 at 2025-11-01")
    assert "orders: order_id=" in text
    assert max(map(len, text.splitlines()[2:])) < 200
    document = json.loads(found.to_json())
    assert document["entity"] == 3
    names = [one["name"] for one in document["outcomes"]]
    assert all(list(path["effects"]) == names for path in document["paths"])
    assert document["prediction"] == found.prediction


def test_nobody_who_could_be_ranked_is_said_in_a_note(answering):
    early = SEED.assign(anchor_time=pd.Timestamp("2020-01-01"))
    found = explain_entity(answering("ranking"), early, early)

    assert found.paths == ()
    assert "no value is a candidate" in str(found)
