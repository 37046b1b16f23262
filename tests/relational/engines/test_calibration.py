from __future__ import annotations

import numpy as np
import pytest
from sklearn.isotonic import IsotonicRegression

from benthic.relational.engines.calibration import (
    Calibration,
    choose_calibration,
    isotonic,
    logit,
    platt,
    sigmoid,
)
from benthic.relational.evaluation.metrics import auroc, calibration_error


def drawn(size, bend, seed=0):
    random = np.random.default_rng(seed)
    truth = random.random(size)
    return (random.random(size) < truth).astype(int), bend(truth)


def test_logit_and_sigmoid_undo_each_other():
    p = np.linspace(0.01, 0.99, 9)
    assert np.allclose(sigmoid(logit(p)), p)
    assert np.isfinite(logit(np.array([0.0, 1.0]))).all()


@pytest.mark.parametrize("bend", [np.square, np.sqrt, lambda p: sigmoid(3 * logit(p))])
def test_calibration_makes_promises_true_and_keeps_the_order(bend):
    label, said = drawn(3000, bend)
    chosen = choose_calibration(label, said, np.arange(3000))
    assert chosen.kind != "none"
    other, fresh = drawn(3000, bend, seed=1)
    before = calibration_error(other, fresh)
    assert calibration_error(other, chosen(fresh)) < 0.5 * before
    assert auroc(other, chosen(fresh)) == pytest.approx(auroc(other, fresh))


def test_isotonic_passes_through_the_blocks_of_scikit_learn():
    label, said = drawn(300, np.square)
    reference = IsotonicRegression(out_of_bounds="clip").fit_transform(said, label)
    mine = isotonic(label, said)
    assert np.allclose(mine.y, np.unique(reference))
    assert (np.diff(mine.x) > 0).all()


def test_what_is_calibrated_already_is_left_nearly_alone():
    label, said = drawn(3000, lambda p: p)
    chosen = choose_calibration(label, said, np.arange(3000))
    assert np.abs(chosen(said) - said).max() < 0.1


def test_platt_is_never_turned_round_and_few_rows_stay_as_they_are():
    assert platt(np.array([1, 0] * 20), np.array([0.1, 0.9] * 20)) == Calibration()
    few = choose_calibration(np.array([0, 1]), np.array([0.1, 0.9]), np.arange(2))
    assert few == Calibration()
