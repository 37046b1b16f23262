from __future__ import annotations

import numpy as np

from benthic.relational.engines.linear import fit_linear
from benthic.relational.evaluation.metrics import auroc


def test_no_outlier_and_no_missing_value_carries_a_prediction_away():
    random = np.random.default_rng(0)
    x = random.normal(size=(300, 3))
    label = x[:, 0] + 0.1 * random.normal(size=300)
    (model,) = fit_linear(x, label, np.ones(300), binary=False, strengths=[0.01])
    far = model(np.array([[1e12, 0, 0], [np.nan, np.nan, np.nan], [-np.inf, 0, 0]]))
    assert np.isfinite(far).all()
    assert abs(far[0] - model(x).max()) < 1
    assert np.isclose(far[1], model.intercept)


def test_a_binary_label_is_ordered_whatever_the_scale_of_a_feature():
    random = np.random.default_rng(0)
    x = random.normal(size=(500, 2))
    label = (random.random(500) < 1 / (1 + np.exp(-3 * x[:, 0]))).astype(float)
    (one,) = fit_linear(x, label, np.ones(500), binary=True, strengths=[0.01])
    (two,) = fit_linear(np.exp(x), label, np.ones(500), binary=True, strengths=[0.01])
    assert auroc(label, one(x)) > 0.85
    assert np.allclose(one(x), two(np.exp(x)), atol=0.2)


def test_each_strength_is_its_own_fit_and_a_greater_one_flattens():
    random = np.random.default_rng(0)
    x = random.normal(size=(200, 4))
    label = x @ np.array([1.0, -1.0, 0.5, 0.0])
    ones = np.ones(200)
    both = fit_linear(x, label, ones, binary=False, strengths=[0.01, 10.0])
    (alone,) = fit_linear(x, label, ones, binary=False, strengths=[10.0])
    assert np.array_equal(both[1].coefficient, alone.coefficient)
    assert np.abs(both[1].coefficient).sum() < 0.5 * np.abs(both[0].coefficient).sum()


def test_rows_of_no_weight_are_not_learned_from():
    x = np.r_[np.arange(20.0), np.arange(20.0)][:, None]
    label = np.r_[np.arange(20.0), -np.arange(20.0)]
    weight = np.r_[np.ones(20), np.full(20, 1e-9)]
    (model,) = fit_linear(x, label, weight, binary=False, strengths=[1e-6])
    assert model(np.array([[19.0]]))[0] > 15


def test_leaving_a_feature_out_takes_its_effect_from_the_score():
    random = np.random.default_rng(0)
    x = random.normal(size=(200, 4))
    x[random.random(x.shape) < 0.2] = np.nan
    label = np.nansum(x * [1.0, -2.0, 0.5, 0.0], axis=1)
    (model,) = fit_linear(x, label, np.ones(200), binary=False, strengths=[0.01])
    effects = model.effects(x)
    assert np.allclose(effects.sum(axis=1) + model.intercept, model(x))
    for j in range(4):
        without = x.copy()
        without[:, j] = np.nan
        assert np.allclose(model(x) - model(without), effects[:, j])


def test_effects_are_nothing_on_average_and_their_size_is_the_importance():
    random = np.random.default_rng(0)
    x = random.poisson(0.7, size=(500, 3)).astype(float)  # two in four are ties at 0
    label = x @ np.array([3.0, -1.0, 0.0])
    (model,) = fit_linear(x, label, np.ones(500), binary=False, strengths=[0.01])
    assert np.allclose(model.effects(x).mean(axis=0), 0, atol=0.05)
    size = np.abs(model.effects(x)).mean(axis=0)
    assert np.allclose(model.importance(), size / size.sum(), atol=0.02)
    assert model.importance().sum() == 1
