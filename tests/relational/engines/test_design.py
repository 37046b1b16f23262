from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from tests.relational.engines import shop

from benthic.relational.engines import Target
from benthic.relational.engines.design import Design, label_history, observed_at
from benthic.relational.features.relational_features import RelationalFeatures

DAY = pd.Timedelta(days=1)
TARGET = Target("customers", "customer_id", "regression", 20 * DAY)


class Told(RelationalFeatures):
    """One feature, the number of the entity; remembers what it was asked."""

    def __init__(self):
        self.asked = []

    def transform(self, seeds, **more):
        self.asked.append((seeds, more))
        return pd.DataFrame({"number": seeds["entity"].astype(np.float32)})

    @property
    def features(self):
        return []


def seeds(**more):
    at = pd.Timestamp("2025-03-01").as_unit("us")
    frame = pd.DataFrame({"entity": [5, 6, 5], "anchor_time": at})
    return frame.assign(**more)


def test_a_label_is_known_at_the_end_of_its_window():
    examples = seeds(label=1.0)
    at = examples.anchor_time
    assert (observed_at(examples, TARGET) == at + 20 * DAY).all()
    assert (observed_at(examples, Target("a", "b", "binary")) == at).all()
    given = examples.assign(observed_at=at + DAY)
    assert (observed_at(given, TARGET) == at + DAY).all()


def test_frames_end_one_after_the_other():
    frames = seeds(frame=[0, 1, 3], label=1.0)
    ends = observed_at(frames, TARGET) - frames.anchor_time
    assert ends.tolist() == [5 * DAY, 10 * DAY, 20 * DAY]


def test_the_same_window_seen_from_two_anchors_counts_once():
    one = seeds(frame=[1, 1, 0], label=[1.0, 2.0, 3.0])
    earlier = one.assign(anchor_time=one.anchor_time - 10 * DAY, frame=[1, 0, 0])
    history = label_history(pd.concat([earlier, one]), TARGET)
    assert not history.duplicated(["entity", "observed_at"]).any()
    assert list(history) == ["entity", "anchor_time", "label", "observed_at"]


def test_lag_and_frame_stand_behind_the_features():
    asked = seeds(frame=[0, 1, 2])
    asked["cut_time"] = asked.anchor_time - np.array([0, 36, -5]) * (DAY / 24)
    made = Design(Told(), has_lag=True, has_frame=True)
    assert made.matrix(asked).tolist() == [[5, 0, 0], [6, 1.5, 1], [5, 0, 2]]
    assert [one.name for one in made.columns] == ["days since the cut", "frame"]
    plain = asked.drop(columns="cut_time")
    assert made.matrix(plain)[:, 1].tolist() == [0, 0, 0]


def test_frames_of_a_seed_are_computed_once():
    told = Told()
    x = Design(told, has_lag=False, has_frame=True).matrix(seeds(frame=[0, 0, 1]))
    assert x.tolist() == [[5, 0], [6, 0], [5, 1]]
    assert told.asked[0][0].entity.tolist() == [5, 6]


def test_known_labels_and_the_cohort_reach_the_features():
    told, known, cohort = Told(), seeds(label=1.0), seeds()
    made = Design(told, has_lag=False, has_frame=False, known=known)
    made.matrix(seeds(label=3.0), cohort)
    asked, more = told.asked[0]
    assert list(asked) == ["entity", "anchor_time"]
    assert more["history"] is known
    assert more["cohort"] is cohort


@pytest.fixture(scope="module")
def fitted():
    tables = shop.frames(num_customers=15, num_days=90)
    train = shop.examples(tables, (30, 50), shop.spent)
    made = Design.fit(
        shop.database(tables),
        TARGET,
        train,
        num_hops=1,
        strict=False,
        has_lag=True,
    )
    return made, tables


def test_each_column_of_the_matrix_has_its_provenance(fitted):
    made, tables = fitted
    asked = shop.examples(tables, (60,), shop.spent)
    x = made.matrix(asked)
    assert x.shape == (15, len(made.columns))
    assert x.dtype == np.float32
    names = [one.name for one in made.columns]
    assert len(names) == len(set(names))
    assert names[-1] == "days since the cut"
