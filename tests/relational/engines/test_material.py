from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from tests.relational.engines.matrices import material

from benthic.errors import InputError
from benthic.relational.engines.boosting import Trees
from benthic.relational.engines.design import Design
from benthic.relational.engines.material import (
    Setting,
    found_classes,
    gathered,
    numbers,
)
from benthic.relational.features.relational_features import RelationalFeatures

DAY = pd.Timedelta(days=1)


def setting(history="fresh", half_life=0.0, num_features=0):
    return Setting(history, half_life, num_features, Trees("binary"))


class AgeOfSeed(RelationalFeatures):
    """One feature: hours from the first of January to where the seed is cut."""

    def __init__(self):
        pass

    def transform(self, seeds, **more):
        until = seeds.get("cut_time", seeds["anchor_time"])
        hours = (until - pd.Timestamp("2025-01-01")) / pd.Timedelta(hours=1)
        return pd.DataFrame({"hours": hours.astype(np.float32)})


def examples(days, labels):
    anchor = pd.Timestamp("2025-01-01").as_unit("us") + DAY * np.array(days)
    return pd.DataFrame(
        {"entity": range(len(days)), "anchor_time": anchor, "label": labels}
    )


def test_draws_of_a_lag_stand_below_each_other_and_count_the_same():
    made = material(size=10, views=("fresh", "lagged"))
    rows = made.rows(setting("lagged", half_life=0.2))
    assert np.array_equal(rows.x, made.views["lagged"])
    assert np.array_equal(rows.y, np.tile(made.y, 2))
    assert np.array_equal(rows.weight[:10], rows.weight[10:])
    assert rows.weight.mean() == pytest.approx(1)


def test_a_row_one_half_life_older_counts_half():
    made = material(size=11)
    weight = made.rows(setting(half_life=0.2)).weight
    assert weight.mean() == pytest.approx(1)
    assert np.allclose(weight[:-2] / weight[2:], 0.5)


def test_the_most_useful_features_are_read_in_the_order_of_the_columns():
    made = material(order=np.array([4, 1, 0, 5, 3, 2]))
    assert made.chosen(setting(num_features=3)).tolist() == [0, 1, 4]
    assert made.chosen(setting()).tolist() == list(range(6))
    assert np.array_equal(
        made.validation(setting(num_features=3)).x, made.x_validation[:, [0, 1, 4]]
    )


def test_a_changed_label_or_view_is_another_fingerprint():
    made = material()
    later = replace(made, y_validation=1 - made.y_validation)
    seen = replace(made, views={"fresh": made.views["fresh"] + 1})
    assert made.fingerprint() == material().fingerprint()
    assert len({one.fingerprint() for one in (made, later, seen)}) == 3


def test_classes_are_numbered_in_their_order():
    label = pd.Series(["b", "c", "a", "b"])
    assert found_classes(label) == ["a", "b", "c"]
    assert numbers(label, ["a", "b", "c"]).tolist() == [1, 2, 0, 1]
    assert numbers(pd.Series([True, False]), []).tolist() == [1, 0]
    with pytest.raises(InputError, match="1,001 classes"):
        found_classes(pd.Series(range(1_001)))


def test_gathered_rows_have_their_ages_and_lags():
    design = Design(AgeOfSeed(), has_lag=True, has_frame=False)
    train = examples([0, 5, 10], [0.0, 1.0, 2.0])
    judged = examples([20], [3.0])
    judged["cut_time"] = judged["anchor_time"] - 2 * DAY
    made = gathered(
        design,
        train,
        judged,
        classes=[],
        lags=np.array([np.timedelta64(2, "D")]),
        num_lags=2,
        seed=0,
    )
    assert made.age.tolist() == [1, 0.5, 0]
    assert made.views["fresh"].tolist() == [[0, 0], [120, 0], [240, 0]]
    assert made.views["lagged"][:3].tolist() == [[-48, 2], [72, 2], [192, 2]]
    assert made.views["lagged"].shape == (6, 2)
    assert made.x_validation.tolist() == [[18 * 24, 2]]
    assert made.y_validation.tolist() == [3]


def test_without_draws_training_rows_are_shown_whole_only():
    design = Design(AgeOfSeed(), has_lag=True, has_frame=False)
    week = np.array([np.timedelta64(7, "D")])
    more = {"classes": [], "lags": week, "num_lags": 0, "seed": 0}
    assert list(gathered(design, examples([0, 5], [0, 1]), None, **more).views) == [
        "fresh"
    ]


def test_a_class_that_training_never_saw_is_not_judged_by():
    design = Design(AgeOfSeed(), has_lag=False, has_frame=False)
    more = {"classes": ["a", "b"], "lags": np.array([]), "num_lags": 1, "seed": 0}
    train = examples([1, 1], ["a", "b"])
    made = gathered(design, train, examples([2, 3], ["new", "b"]), **more)
    assert made.y_validation.tolist() == [1]
    assert made.x_validation.tolist() == [[72]]
    assert made.age.tolist() == [0, 0]
    assert gathered(design, train, None, **more).x_validation.shape == (0, 1)
