from __future__ import annotations

import numpy as np
import pytest
from tests.relational.engines.matrices import drawn, material

from benthic.relational.engines.binned_material import BinnedMaterial
from benthic.relational.engines.boosting import Trees
from benthic.relational.engines.interval import (
    IntervalModel,
    conformal_shift,
    fit_interval,
)
from benthic.relational.engines.material import Setting
from benthic.relational.engines.search import Trial


@pytest.fixture(scope="module")
def made():
    return material(300, 200, "regression", order=np.array([1, 0, 2, 3, 4, 5]))


@pytest.fixture(scope="module")
def model(made):
    trees = Trees("regression_l1", 4, 20, 1.0)
    trial = Trial(Setting("fresh", 0.0, 2, trees), 0.0, 10, np.zeros(200))
    groups = np.arange(200) // 2
    return fit_interval(BinnedMaterial(made), trial, groups, seed=0, num_threads=1)


def test_the_shift_is_the_order_statistic_of_conformal_prediction():
    random = np.random.default_rng(0)
    for size in (9, 10, 99, 250):
        misses = random.normal(size=size)
        at_least = np.ceil((size + 1) * 0.9)
        shift = conformal_shift(misses)
        assert (misses <= shift).sum() == min(size, at_least)
    assert conformal_shift(np.array([3.0, 1.0])) == 3


def test_nine_of_ten_validation_labels_lie_inside(made, model):
    x, y = made.x_validation, made.y_validation
    lower, upper = model(x, y)
    low = model.low.predict(x[:, [0, 1]])
    high = model.high.predict(x[:, [0, 1]])
    inside = (y >= np.minimum(low, high) - model.shift) & (
        y <= np.maximum(low, high) + model.shift
    )
    assert inside.sum() == np.ceil(201 * 0.9)
    assert (lower <= y).all()
    assert (y <= upper).all()


def test_fresh_labels_lie_inside_about_as_often_as_promised(model):
    x, y = drawn(2_000, 7)
    low, high = model.low.predict(x[:, :2]), model.high.predict(x[:, :2])
    inside = (y >= low - model.shift) & (y <= high + model.shift)
    assert inside.mean() == pytest.approx(0.9, abs=0.05)
    assert model.coverage == pytest.approx(0.9, abs=0.05)


def test_a_prediction_is_never_outside_its_interval(made, model):
    wild = np.linspace(-50, 50, 200)
    lower, upper = model(made.x_validation, wild)
    assert (lower <= wild).all()
    assert (wild <= upper).all()


def test_what_was_written_is_read(made, model, tmp_path):
    model.save(tmp_path)
    again = IntervalModel.load(tmp_path, model.to_json())
    said = model(made.x_validation, made.y_validation)
    for one, other in zip(
        said, again(made.x_validation, made.y_validation), strict=True
    ):
        assert np.array_equal(one, other)
    assert again.coverage == model.coverage
