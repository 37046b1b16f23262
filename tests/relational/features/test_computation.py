"""Features of a plan, path after path."""

from __future__ import annotations

import numpy as np
import pandas as pd
from tests.relational.features.stores import START, frames, opened
from tests.relational.features.test_plan import plan_of

from benthic.relational.features.computation import Computation
from benthic.relational.features.event_store import EventStore
from benthic.relational.features.events import Moments, entity_hashes
from benthic.relational.features.row_texts import RowTexts
from benthic.relational.features.text_vectors import HashedWords


def computed(tables, days=150):
    db = opened(tables)
    times = pd.Series([START + pd.Timedelta(days=days)] * 6).to_numpy("datetime64[us]")
    anchors = times.astype("int64")
    moments = Moments(
        entity_hashes(db, "people", pd.Series(range(6))), anchors, anchors
    )
    texts = RowTexts(db, HashedWords())
    return Computation(EventStore(db), plan_of(db), texts), moments


def test_each_feature_has_a_value_for_each_seed_and_a_name_of_its_own():
    computation, moments = computed(frames(0))
    found = list(computation.features(moments))
    assert all(len(values) == 6 for _, values in found)
    assert len({f.name for f, _ in found}) == len(found)
    assert {"calendar", "people", "visits", "items"} <= {f.table for f, _ in found}


def test_the_groups_of_a_seed_are_those_of_its_last_rows():
    tables = frames(0)
    computation, moments = computed(tables)
    codes = computation.groups_of(moments)["visits.person_id.kind"]
    visits = tables["visits"]
    seen = visits[visits["at"] <= START + pd.Timedelta(days=150)]
    last = seen.groupby("person_id")["kind"].last().reindex(range(6))
    hashes = computation.hashes
    expected = [hashes.get(kind, -1) for kind in last]
    assert np.array_equal(codes, expected)
