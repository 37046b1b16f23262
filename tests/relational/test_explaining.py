from __future__ import annotations

import json

import pandas as pd
import pytest
from tests.relational.market import CHANNEL, CHURN, NEXT, market_frames

from benthic.errors import InputError
from benthic.relational.database import Database
from benthic.relational.engines import Options
from benthic.relational.explaining import explain_entity, explain_query
from benthic.relational.learning import learn, numbered
from benthic.relational.task import make_task

AT = pd.Timestamp("2025-11-01")


@pytest.fixture(scope="module")
def db():
    with Database.open(market_frames()) as opened:
        yield opened


def fitted(db, query):
    task = make_task(db, query, anchor_time=AT, test_anchors=0)
    options = Options(num_models=1, num_hops=1)
    train, validation = numbered(task.train(), task), numbered(task.validation(), task)
    return learn(task, train, validation, options)


@pytest.fixture(scope="module")
def churn(db):
    return fitted(db, CHURN)


@pytest.fixture(scope="module")
def three(churn):
    seed = pd.DataFrame({"entity": [3], "anchor_time": [AT]})
    everybody = pd.DataFrame({"entity": range(40), "anchor_time": AT})
    return explain_entity(churn, seed, everybody)


def test_the_shares_of_all_paths_are_one_whole(churn):
    found = explain_query(churn)

    assert sum(path.share for path in found.paths) == pytest.approx(1.0)
    assert found.paths == tuple(sorted(found.paths, key=lambda path: -path.share))
    assert any("orders" in path.tables for path in found.paths[:2])


def test_effects_of_paths_are_those_of_their_features(three, churn):
    engine = churn.engine
    seed = pd.DataFrame({"entity": [3], "anchor_time": [AT]})
    everybody = pd.DataFrame({"entity": range(40), "anchor_time": AT})
    added = engine.contributions(seed, cohort=everybody).iloc[0]

    assert sum(path.effect for path in three.paths) == pytest.approx(
        added.drop("expected score").sum()
    )


def test_only_rows_that_were_visible_are_shown(three):
    assert three.rows
    for row in three.rows:
        assert row.row["customer_id"] == 3
        assert row.time <= AT
    assert list(three.rows) == sorted(three.rows, key=lambda row: -abs(row.change))


def test_it_reads_as_text_and_as_json(three):
    text = str(three)
    assert text.startswith(f"{CHURN}\nfor 3 at 2025-11-01")
    assert "orders: order_id=" in text
    document = json.loads(three.to_json())
    assert document["entity"] == 3
    assert isinstance(document["prediction"]["probability"], float)


@pytest.mark.parametrize("query", [CHANNEL, NEXT])
def test_what_cannot_be_explained_yet_says_what_can(db, query):
    with pytest.raises(InputError, match="ask for the probability of one value"):
        explain_query(fitted(db, query))
