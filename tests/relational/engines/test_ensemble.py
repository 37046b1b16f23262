from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from sklearn.metrics import log_loss, mean_absolute_error, roc_auc_score
from tests.relational.engines.matrices import material

from benthic.relational.engines import ensemble as module
from benthic.relational.engines.binned_material import BinnedMaterial
from benthic.relational.engines.boosting import Trees
from benthic.relational.engines.calibration import Calibration
from benthic.relational.engines.ensemble import (
    Blend,
    Ensemble,
    calibrated,
    choose_blend,
    fit_ensemble,
)
from benthic.relational.engines.finished import Finished
from benthic.relational.engines.kinds import BINARY, MULTICLASS, REGRESSION
from benthic.relational.engines.material import Setting
from benthic.relational.engines.search import Trial

ORDER = np.array([1, 0, 2, 3, 4, 5])
ALL = Setting("fresh", 0.0, 0, Trees("binary", 4, 10))
TWO = replace(ALL, num_features=2, half_life=0.5)
PLATT = Calibration("platt", (0.5, 0.1))


def trials(scores=0.0):
    score = np.full(80, scores)
    return [Trial(ALL, -0.9, 5, score), Trial(TWO, -0.8, 3, score)]


def grown(blend, finished=None, num_models=3):
    return fit_ensemble(
        BinnedMaterial(material(order=ORDER)),
        trials(),
        BINARY,
        blend,
        num_models=num_models,
        seed=0,
        num_threads=1,
        finished=finished or Finished(None, ""),
        progress=lambda text: None,
    )


@pytest.fixture(scope="module")
def fitted():
    return grown(Blend(0.25, 0.1, 2.0, PLATT, loss=-0.5))


def test_settings_take_turns_and_each_booster_reads_its_features(fitted):
    assert [one.num_trees() for one in fitted.boosters] == [5, 3, 5]
    assert [read.tolist() for read in fitted.reads] == [
        [*range(6)],
        [0, 1],
        [*range(6)],
    ]
    first, _, third = (one.model_to_string() for one in fitted.boosters)
    assert first != third


def test_the_score_is_the_blend_of_log_odds(fitted):
    x = material().x_validation
    p = [
        one.predict(x[:, read])
        for one, read in zip(fitted.boosters, fitted.reads, strict=True)
    ]
    trees = np.mean([np.log(one / (1 - one)) for one in p], axis=0)
    score = 0.75 * trees + 0.25 * 2.0 * fitted.linear(x)
    assert np.allclose(fitted.score(x), score)
    expected = 1 / (1 + np.exp(-(0.5 * score + 0.1)))
    assert np.allclose(fitted(x), expected)


def test_effects_and_the_expected_score_add_up_to_the_blended_score(fitted):
    x = material().x_validation
    parts = fitted.effects(x)
    assert fitted.linear is not None
    assert parts.shape == (80, 1, 7)
    assert np.allclose(parts[:, 0].sum(axis=1), fitted.score(x), atol=1e-6)


def test_effects_are_those_of_the_trees_and_of_the_linear_model(fitted):
    x = material().x_validation
    trees, straight = np.zeros((80, 7)), np.zeros((80, 7))
    for one, read in zip(fitted.boosters, fitted.reads, strict=True):
        own = one.predict(x[:, read], pred_contrib=True)
        trees[:, [*read, 6]] += own / 3
    for j in range(6):
        without = x.copy()
        without[:, j] = np.nan
        straight[:, j] = fitted.linear(x) - fitted.linear(without)
    straight[:, 6] = fitted.linear.intercept
    expected = 0.75 * trees + 0.25 * 2.0 * straight
    assert np.allclose(fitted.effects(x)[:, 0], expected)


def test_effects_on_classes_are_log_odds_between_them():
    made = BinnedMaterial(material(what="multiclass", order=ORDER))
    trees = replace(ALL.trees, objective="multiclass")
    setting = Trial(replace(ALL, trees=trees), -0.9, 5, np.zeros((80, 3)))
    several = fit_ensemble(
        made,
        [setting],
        MULTICLASS,
        Blend(temperature=1.7),
        num_models=2,
        seed=0,
        num_threads=1,
        finished=Finished(None, ""),
        progress=lambda text: None,
    )
    x = material().x_validation
    scores, p = several.effects(x).sum(axis=2), several(x)
    assert scores.shape == (80, 3)
    assert np.allclose(
        scores[:, 0] - scores[:, 1], np.log(p[:, 0] / p[:, 1]), atol=1e-6
    )
    assert several.importance(6).sum() == pytest.approx(1)


def test_importance_blends_the_shares_of_trees_and_linear_model(fitted):
    shares = fitted.importance(6)
    trees = replace(fitted, linear=None).importance(6)
    assert shares.sum() == pytest.approx(1)
    assert shares.argmax() == 0
    assert np.allclose(shares, 0.75 * trees + 0.25 * fitted.linear.importance())


def test_what_was_written_is_read_to_the_last_bit(fitted, tmp_path):
    fitted.save(tmp_path, "part")
    again = Ensemble.load(tmp_path, "part")
    x = material().x_validation
    assert np.array_equal(again(x), fitted(x))
    assert again.blend == fitted.blend
    assert {path.suffix for path in tmp_path.iterdir()} == {
        ".json",
        ".txt",
        ".safetensors",
    }


def test_finished_trees_are_not_grown_again(monkeypatch):
    kept = Finished(None, "")
    one = grown(Blend(), kept)
    monkeypatch.setattr(module, "grow", None)
    again = grown(Blend(), kept)
    x = material().x_validation
    assert np.array_equal(one(x), again(x))
    with pytest.raises(TypeError):
        grown(Blend(), kept, num_models=4)


def test_trees_that_know_nothing_leave_the_most_to_the_linear_model():
    made = material(what="regression")
    known = [replace(one, score=np.zeros(80)) for one in trials()]
    chosen = choose_blend(made, known, REGRESSION, np.arange(80))
    assert chosen.share == 0.75
    assert chosen.loss < mean_absolute_error(made.y_validation, np.zeros(80))


def test_perfect_trees_are_left_alone():
    made = material(what="regression")
    known = [replace(one, score=made.y_validation) for one in trials()]
    chosen = choose_blend(made, known, REGRESSION, np.arange(80))
    assert (chosen.share, chosen.loss) == (0, 0)


def test_half_of_each_where_auroc_loses_next_to_nothing():
    made = material()
    known = [replace(one, score=made.x_validation[:, 0] * 9.0) for one in trials()]
    chosen = choose_blend(made, known, BINARY, np.arange(80))
    assert chosen.share == 0.5
    alone = -roc_auc_score(made.y_validation, made.x_validation[:, 0])
    assert chosen.loss <= alone + 0.003


def test_the_temperature_is_the_best_of_a_grid():
    made = material(what="multiclass")
    score = np.zeros((80, 3))
    score[np.arange(80), made.y_validation.astype(int)] = 1.0
    score[::4] = score[::4, ::-1]
    known = [Trial(ALL, 0.0, 1, 9 * score)]
    chosen = choose_blend(made, known, MULTICLASS, np.arange(80))

    def loss(temperature):
        blend = Blend(temperature=temperature)
        return log_loss(made.y_validation, calibrated(MULTICLASS, 9 * score, blend))

    assert chosen.share == 0
    assert chosen.temperature > 1
    assert loss(chosen.temperature) < min(loss(1.0), loss(chosen.temperature * 0.8))


def test_a_number_is_not_calibrated():
    assert calibrated(REGRESSION, np.array([-3.0]), Blend()).tolist() == [-3]
