from __future__ import annotations

import numpy as np
import pandas as pd
from hypothesis import given, settings
from hypothesis import strategies as st

from benthic.relational.evaluation.baselines import (
    baseline_predictions,
    entity_mean,
    global_value,
    known_until,
    last_value,
    past_visit,
    popularity,
)

START = pd.Timestamp("2026-01-01")


def at(days):
    return (START + pd.to_timedelta(days, "D")).astype("datetime64[us]")


def history(random, size=30):
    return pd.DataFrame(
        {
            "entity": random.integers(0, 4, size),
            "observed_at": at(random.permutation(size)),
            "label": random.integers(0, 3, size).astype(float),
        }
    )


def seeds(random, size=12):
    frame = pd.DataFrame(
        {
            "entity": random.integers(0, 6, size),
            "anchor_time": at(random.integers(-2, 40, size)),
        }
    )
    frame["cut_time"] = at(random.integers(-2, 40, size))
    return frame.set_index(np.arange(size) * 7)


@settings(max_examples=15)
@given(st.integers(0, 10_000))
def test_baselines_equal_a_loop_over_what_was_known(number):
    random = np.random.default_rng(number)
    past, asked = history(random), seeds(random)
    mean, last = entity_mean(past, asked), last_value(past, asked)
    everybody = global_value(past, asked)
    for i, row in asked.iterrows():
        known = past[past.observed_at <= min(row.anchor_time, row.cut_time)]
        own = known[known.entity == row.entity].sort_values("observed_at").label
        expected = [own.mean(), own.iloc[-1] if len(own) else np.nan]
        found = [mean[i], last[i]]
        assert np.allclose(found, expected, equal_nan=True)
        assert np.isclose(everybody[i], known.label.mean(), equal_nan=True)


@settings(max_examples=15)
@given(st.integers(0, 10_000))
def test_labels_observed_later_change_nothing(number):
    random = np.random.default_rng(number)
    past, asked = history(random), seeds(random)
    later = past.observed_at > known_until(asked).max()
    changed = past.assign(label=past.label.where(~later, 99.0))
    for name, found in baseline_predictions("binary", past, asked).items():
        again = baseline_predictions("binary", changed, asked)[name]
        pd.testing.assert_frame_equal(found, again)


def test_popularity_and_past_visit_by_hand():
    past = pd.DataFrame(
        {
            "entity": [1, 1, 2, 2],
            "observed_at": at([0, 1, 1, 9]),
            "label": [["a", "b"], ["b"], ["c", "b"], ["z"]],
        }
    )
    asked = pd.DataFrame({"entity": [1, 2, 3], "anchor_time": at([5, 5, 5])})
    assert popularity(past, asked, k=2).to_list() == [["b", "a"]] * 3
    assert past_visit(past, asked, k=2).to_list() == [["b", "a"], ["b", "c"], []]
    both = baseline_predictions("ranking", past, asked, k=3)
    lists = both["past_visit_then_popularity"].prediction.to_list()
    assert lists == [["b", "a", "c"], ["b", "c", "a"], ["b", "a", "c"]]


def test_classes_get_the_shares_of_the_past():
    past = pd.DataFrame(
        {"entity": [1, 1], "observed_at": at([0, 1]), "label": ["x", "y"]}
    )
    asked = pd.DataFrame({"entity": [1, 2], "anchor_time": at([5, 5])})
    found = baseline_predictions("multiclass", past, asked, classes=["x", "y"])
    assert (
        found["entity_mean"].filter(like="prob").to_numpy().tolist() == [[0.5] * 2] * 2
    )
    assert found["last_value"].prediction.to_list() == ["y", "x"]


def test_values_of_sets_get_the_shares_of_the_past_beside_the_lists():
    past = pd.DataFrame(
        {
            "entity": [1, 1, 2],
            "observed_at": at([0, 1, 1]),
            "label": [[7, 8], [8], []],
        }
    )
    asked = pd.DataFrame({"entity": [1, 2, 3], "anchor_time": at([5, 5, -1])})
    found = baseline_predictions("multilabel", past, asked, k=1, classes=["7", "8"])
    shares = {name: said.filter(like="prob").to_numpy() for name, said in found.items()}
    everybody, own = [1 / 3, 2 / 3], [0.5, 1.0]
    assert np.allclose(shares["popularity"], [everybody, everybody, [0, 0]])
    assert np.allclose(shares["past_visit"], [own, [0, 0], [0, 0]])
    assert np.allclose(shares["past_visit_then_popularity"], [own, [0, 0], [0, 0]])
    assert found["popularity"].prediction.to_list() == [[8], [8], []]
    assert list(found["popularity"])[1:] == ["probability_7", "probability_8"]
