"""A plan is JSON and comes back."""

from __future__ import annotations

import json

import pandas as pd
from tests.relational.features.stores import START, frames, opened

from benthic.relational.features.event_store import EventStore
from benthic.relational.features.events import Moments, entity_hashes
from benthic.relational.features.fitting import make_plan
from benthic.relational.features.plan import FeaturePlan
from benthic.relational.features.row_texts import RowTexts
from benthic.relational.features.text_vectors import HashedWords
from benthic.relational.features.windows import DAY


def plan_of(db):
    keys = entity_hashes(db, "people", pd.Series(range(6)))
    times = pd.Series([START + pd.Timedelta(days=150)] * 6).to_numpy("datetime64[us]")
    anchors = times.astype("int64")
    moments = Moments(keys, anchors, anchors)
    texts = RowTexts(db, HashedWords())
    return make_plan(EventStore(db), "people", "person_id", 2, moments, 30 * DAY, texts)


def test_a_plan_comes_back_from_json():
    db = opened(frames(0))
    made = plan_of(db)
    text = json.dumps(made.to_json())
    assert [text.column for text in made.row_texts] == ["said"]
    assert FeaturePlan.from_json(json.loads(text), db.schema, 2) == made


def test_categories_that_a_feature_names_are_known():
    assert {"A", "B", "x", "y", "z"} <= plan_of(opened(frames(0))).named_values
