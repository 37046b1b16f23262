"""Features of one path against hand-written ones."""

from __future__ import annotations

import numpy as np
import pytest

from benthic.relational.features.columns import Reading
from benthic.relational.features.events import Moments, sorted_events
from benthic.relational.features.path_features import PathPlan, path_features, view
from benthic.relational.features.paths import Path
from benthic.relational.features.windows import DAY, Windows
from benthic.relational.schema import Chain, SType

PATH = Path(Chain(("visits", "people"), ("person",)))
READINGS = (
    Reading("spent", SType.numerical, missing=True),
    Reading("kind", SType.categorical, common=("x",)),
)
HASHES = {"x": 11}


def found(brief=False):
    events = sorted_events(
        np.array([1, 1, 1, 1]),
        np.array([0, 2, 4, 9]) * DAY,
        {
            "spent": np.array([1.0, np.nan, 3.0, 100.0]),
            "kind": np.array([11, 22, 22, 11]),
        },
    )
    moments = Moments(np.array([1, 7]), np.array([6, 6]) * DAY, np.array([5, 5]) * DAY)
    plan = PathPlan(PATH, READINGS, Windows((1, 2), (3 * DAY,)), brief)
    seen = view(events, moments, plan.windows)
    return {f.name: values for f, values in path_features(plan, seen, HASHES)}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("visits.person count all", 3),
        ("visits.person count 3 days", 1),
        ("visits.person days since last", 2),
        ("visits.person visible days since last", 1),
        ("visits.person days since first", 6),
        ("visits.person mean gap in days last 2", 2),
        ("visits.person.spent mean all", 2),
        ("visits.person.spent first all", 1),
        ("visits.person.spent share missing last 2", 0.5),
        ("visits.person.kind share = x all", 1 / 3),
        ("visits.person.kind distinct all", 2),
        ("visits.person.kind rows since change", 2),
        ("visits.person.kind days since change", 3),
    ],
)
def test_a_feature_is_what_its_name_says(name, value):
    assert found()[name][0] == pytest.approx(value)


def test_without_rows_a_count_is_zero_and_a_mean_is_missing():
    assert found()["visits.person count all"][1] == 0
    assert np.isnan(found()["visits.person.spent mean all"][1])
    assert np.isnan(found()["visits.person days since last"][1])


def test_a_brief_plan_gives_counts_and_means_only():
    assert set(found(brief=True)) < set(found())
