from __future__ import annotations

import json

import pandas as pd
import pytest
from tests.relational.engines import shop

from benthic.errors import InputError
from benthic.relational.engines import (
    FeaturesEngine,
    MembershipEngine,
    Options,
    RankingEngine,
    Target,
    load_engine,
    make_features_engine,
)
from benthic.relational.engines.folder import whole_folder

DAY = pd.Timedelta(days=1)


@pytest.fixture(scope="module")
def db():
    return shop.database(shop.frames(num_customers=3, num_days=20))


@pytest.mark.parametrize(
    ("task_type", "kind"),
    [
        ("binary", FeaturesEngine),
        ("multiclass", FeaturesEngine),
        ("regression", FeaturesEngine),
        ("forecast", FeaturesEngine),
        ("ranking", RankingEngine),
        ("multilabel", RankingEngine),
    ],
)
def test_lists_are_ranked_and_single_values_are_not(db, task_type, kind):
    target = Target("customers", "customer_id", task_type, DAY)
    options = Options(seed=3)
    engine = make_features_engine(db, target, options)
    assert type(engine) is kind
    assert engine.options == options


@pytest.mark.parametrize("task_type", ["ranking", "multilabel"])
def test_a_set_that_a_row_holds_is_told_by_its_members(db, task_type):
    target = Target("customers", "customer_id", task_type, hidden=("tier",))
    assert type(make_features_engine(db, target)) is MembershipEngine


def test_an_encoder_for_a_ranking_is_refused(db):
    target = Target("customers", "customer_id", "ranking", DAY)
    with pytest.raises(InputError, match="lists are ranked without reading texts"):
        make_features_engine(db, target, Options(text_encoder="words"))


def test_where_no_engine_was_saved_is_one_clear_line(db, tmp_path):
    with pytest.raises(InputError, match="where no engine was saved"):
        load_engine(tmp_path, db)


def test_a_ranker_is_read_as_one(db, tmp_path):
    target = Target("customers", "customer_id", "ranking", DAY)
    facts = {
        "engine": "ranking",
        "target": target.to_json(),
        "options": vars(Options()),
        "report": None,
        "boosters": 0,
        "calibration": ["none", [], []],
        "candidates": {"most": 100, "wide": False},
    }
    with whole_folder(tmp_path / "model") as place:
        (place / "engine.json").write_text(json.dumps(facts))
    engine = load_engine(tmp_path / "model", db)
    assert isinstance(engine, RankingEngine)
    assert engine.target == target
