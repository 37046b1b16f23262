from __future__ import annotations

import lightgbm
import numpy as np
import pytest

from benthic.relational.engines.reasons import (
    class_reasons,
    gain_shares,
    single_reasons,
    tree_effects,
    value_reasons,
)
from benthic.relational.features.feature import Feature

RANDOM = np.random.default_rng(0)
X = RANDOM.normal(size=(200, 3)).astype(np.float32)
FEATURES = [Feature(name, "t", "t", None, "") for name in "abc"]


def boosted(objective, y, seed=0, **more):
    options = {"objective": objective, "verbosity": -1, "num_threads": 1, **more}
    data = lightgbm.Dataset(X, np.array(y, np.float64))
    return lightgbm.train({**options, "seed": seed}, data, num_boost_round=5)


@pytest.fixture(scope="module")
def several():
    return boosted("multiclass", np.digitize(X[:, 0], [-0.5, 0.5]), num_class=3)


def test_effects_on_classes_are_the_blocks_that_lightgbm_gives(several):
    effects = tree_effects(several, X)
    blocks = several.predict(X, pred_contrib=True)
    assert effects.shape == (200, 3, 4)
    for c in range(3):
        assert np.array_equal(effects[:, c], blocks[:, 4 * c : 4 * c + 4])
    assert np.allclose(effects.sum(axis=2), several.predict(X, raw_score=True))


def test_the_predicted_class_comes_first_and_the_runner_up_second(several):
    why = class_reasons(tree_effects(several, X[:1]), FEATURES, ["low", "mid", "high"])
    p = several.predict(X[:1])[0]
    order = np.argsort(-p)[:2]
    assert why.outcomes == tuple(np.array(["low", "mid", "high"])[order])
    assert why.scores[0] - why.scores[1] == pytest.approx(
        np.log(p[order[0]] / p[order[1]])
    )


def test_the_mean_of_frames_is_explained_by_the_means_of_their_effects():
    booster = boosted("regression", X[:, 0])
    why = single_reasons(tree_effects(booster, X[:4]), FEATURES, "prediction")
    said = booster.predict(X[:4])
    assert why.scores == pytest.approx([said.mean(), *said])
    assert np.allclose(why.effects[:, 0], why.effects[:, 1:].mean(axis=1))


def test_what_cancels_out_over_frames_counts_in_the_shares():
    parts = np.array([[[1.0, 0.5, 0.0, 9.0]], [[-1.0, 0.5, 0.0, 9.0]]])
    why = single_reasons(parts, FEATURES, "prediction")
    assert why.effects[:, 0].tolist() == [0.0, 0.5, 0.0]
    assert why.shares == pytest.approx([2 / 3, 1 / 3, 0])


def test_values_of_a_list_are_explained_by_the_mean_of_the_boosters():
    boosters = [boosted("binary", X[:, 0] > 0, seed) for seed in range(2)]
    why = value_reasons(boosters, X[:3], FEATURES, ["x", "y", "z"])
    raw = np.mean([one.predict(X[:3], raw_score=True) for one in boosters], axis=0)
    assert why.outcomes == ("x", "y", "z")
    assert why.scores == pytest.approx(raw)


def test_gain_is_shared_out_or_there_is_none():
    shares = gain_shares(boosted("regression", X[:, 0]))
    assert shares.sum() == pytest.approx(1)
    assert shares.argmax() == 0
    assert gain_shares(boosted("regression", np.ones(200))).tolist() == [0, 0, 0]
