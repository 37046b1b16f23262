from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score
from tests.relational.engines.matrices import material

from benthic.relational.engines import search as module
from benthic.relational.engines.binned_material import BinnedMaterial
from benthic.relational.engines.boosting import Binned, Trees, grow
from benthic.relational.engines.finished import Finished
from benthic.relational.engines.kinds import BINARY, REGRESSION
from benthic.relational.engines.material import Setting
from benthic.relational.engines.search import best_round, search, shapes
from benthic.relational.engines.search import try_setting as tried

SETTING = Setting("fresh", 0.0, 0, Trees("binary", 4, 10))


@pytest.fixture(autouse=True)
def short(monkeypatch):
    monkeypatch.setattr(module, "_MOST_ROUNDS", 12)


def searched(made, kind=BINARY, finished=None, said=print, **which):
    kept = finished or Finished(None, "")
    more = {"seed": 0, "num_threads": 1, "finished": kept, "progress": said}
    return search(BinnedMaterial(made), kind, **more, **which)


def test_the_best_round_is_of_the_mean_curve_and_not_among_the_first():
    curve = np.linspace(1, 0, 60)
    curve[3] = -5
    assert best_round([curve, curve], 1) >= 50
    assert best_round([np.array([1.0, 3.0, 2.0])], -1) == 2
    assert best_round([np.array([3.0, 2.0, 1.0]), np.array([3.0, 1.0])], 1) == 2


def test_a_trial_is_the_mean_of_two_seeds_at_their_best_round():
    made = material()
    more = {"seed": 5, "num_threads": 1, "finished": Finished(None, "")}
    found = tried(BinnedMaterial(made), SETTING, BINARY, **more)
    binned = Binned(made.rows(SETTING), made.validation(SETTING))
    scores = []
    for seed in (5, 6):
        one = grow(binned, SETTING.trees, num_rounds=found.rounds, seed=seed)
        p = one.booster.predict(made.x_validation)
        scores.append(np.log(p / (1 - p)))
    assert np.allclose(found.score, np.mean(scores, axis=0))
    auroc = roc_auc_score(made.y_validation, found.score)
    assert found.loss == pytest.approx(-auroc)


def test_a_finished_trial_is_not_learned_again(monkeypatch):
    kept, binned = Finished(None, ""), BinnedMaterial(material())
    more = {"seed": 0, "num_threads": 1, "finished": kept}
    first = tried(binned, SETTING, BINARY, **more)
    monkeypatch.setattr(module, "grow", None)
    again = tried(binned, SETTING, BINARY, **more)
    assert np.array_equal(again.score, first.score)
    assert (again.loss, again.rounds) == (first.loss, first.rounds)
    with pytest.raises(TypeError):
        tried(binned, SETTING, BINARY, **{**more, "seed": 1})


def test_no_setting_is_tried_twice_and_the_best_comes_first():
    told = []
    trials = searched(material(), said=told.append)
    settings = [one.setting for one in trials]
    assert len(settings) == len(set(settings)) == len(told)
    assert {one.half_life for one in settings} == {0, 0.5, 0.2, 0.08}
    assert [one.loss for one in trials] == sorted(one.loss for one in trials)


def test_objectives_of_a_number_are_tried_with_the_best_trees():
    trials = searched(material(what="regression"), REGRESSION)
    assert {one.setting.trees.objective for one in trials} == {
        "regression_l1",
        "regression",
        "huber",
    }


def test_features_are_left_out_where_there_are_many(monkeypatch):
    made = material(size=40, num_validation=20)
    wide = np.tile(made.views["fresh"], 13)
    made = replace(
        made,
        views={"fresh": wide},
        x_validation=np.tile(made.x_validation, 13),
        order=np.arange(78),
    )
    sizes = [one.setting.num_features for one in searched(made)]
    assert set(sizes) <= {0, 70}
    assert 70 in sizes


def test_only_rows_of_the_history_that_is_asked_for_are_learned_from():
    made = material(views=("fresh", "lagged"))
    assert {one.setting.history for one in searched(made)} == {"fresh"}
    trials = searched(made, history="lagged")
    assert {one.setting.history for one in trials} == {"lagged"}


def test_many_rows_get_greater_leaves():
    assert shapes(100, "binary")[0].learning_rate < shapes(10**6, "")[0].learning_rate
    assert min(one.min_data_in_leaf for one in shapes(10**6, "")) >= 100
    assert {one.objective for one in shapes(100, "huber")} == {"huber"}
