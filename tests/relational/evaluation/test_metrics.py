from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from benthic.relational.evaluation.metrics import (
    auroc,
    average_precision,
    binary_metrics,
    brier,
    calibration_error,
    coverage,
    log_loss,
    mean_reciprocal_rank,
    multiclass_metrics,
    multilabel_metrics,
    regression_metrics,
)


def brute_auroc(label, score):
    pairs = [(p, n) for p in score[label == 1] for n in score[label == 0]]
    return np.mean([(p > n) + 0.5 * (p == n) for p, n in pairs])


@given(st.integers(0, 10_000))
def test_auroc_is_the_share_of_ordered_pairs_with_ties_counted_half(seed):
    random = np.random.default_rng(seed)
    label = np.r_[0, 1, random.integers(0, 2, 20)]
    score = random.integers(0, 5, 22) / 4
    assert auroc(label, score) == pytest.approx(brute_auroc(label, score))


def test_a_single_class_has_no_auroc_and_no_positive_no_average_precision():
    assert np.isnan(auroc(np.ones(3), np.ones(3)))
    assert np.isnan(average_precision(np.zeros(3), np.ones(3)))


def test_average_precision_by_hand():
    label, score = np.array([1, 0, 1, 0]), np.array([0.9, 0.8, 0.7, 0.1])
    assert average_precision(label, score) == pytest.approx(0.5 * 1 + 0.5 * 2 / 3)


def test_log_loss_and_brier_by_hand():
    label, said = np.array([1, 0]), np.array([0.8, 0.4])
    assert log_loss(label, said) == pytest.approx(-np.mean(np.log([0.8, 0.6])))
    assert brier(label, said) == pytest.approx((0.04 + 0.16) / 2)


def test_log_loss_of_classes_that_do_not_all_occur():
    said = np.array([[0.7, 0.2, 0.1], [0.5, 0.4, 0.1]])
    expected = -np.mean(np.log([0.7, 0.4]))
    assert log_loss(np.array([0, 1]), said) == pytest.approx(expected)


def test_calibration_error_by_hand():
    label = np.array([0, 0, 1, 1, 1, 0])
    said = np.array([0.1, 0.15, 0.12, 0.9, 1.0, 0.95])
    low, high = abs(1 / 3 - np.mean(said[:3])), abs(2 / 3 - np.mean(said[3:]))
    assert calibration_error(label, said) == pytest.approx((low + high) / 2)


def test_binary_metrics_take_booleans():
    found = binary_metrics(np.array([False, True, True]), np.array([0.1, 0.9, 0.2]))
    assert found["accuracy"] == pytest.approx(2 / 3)
    assert found["f1"] == pytest.approx(2 / 3)


def test_regression_metrics_by_hand():
    truth, said = np.array([1.0, 2.0, 4.0]), np.array([1.0, 4.0, 1.0])
    found = regression_metrics(truth, said, scale=2.0)
    assert found["mae"] == pytest.approx(5 / 3)
    assert found["nmae"] == pytest.approx(5 / 6)
    assert found["rmse"] == pytest.approx(np.sqrt(13 / 3))
    squares = np.sum((truth - truth.mean()) ** 2)
    assert found["r2"] == pytest.approx(1 - 13 / squares)
    assert found["smape"] == pytest.approx((0 + 4 / 6 + 6 / 5) / 3)


def test_two_zeros_agree_in_smape_and_a_constant_has_no_r2():
    found = regression_metrics(np.zeros(2), np.zeros(2))
    assert found["smape"] == 0
    assert np.isnan(found["r2"])
    assert np.isnan(found["nmae"])


def test_coverage_counts_the_ends_as_within():
    ends = np.array([0.0, 0.0]), np.array([1.0, 1.0])
    assert coverage(np.array([1.0, 1.1]), *ends) == 0.5


def test_a_tie_takes_the_worse_rank_and_an_unknown_class_counts_nothing():
    said = np.array([[0.4, 0.4, 0.2], [0.4, 0.4, 0.2], [0.4, 0.4, 0.2]])
    assert mean_reciprocal_rank(np.array([0, 2, -1]), said) == pytest.approx(
        (1 / 2 + 1 / 3) / 3
    )


def test_macro_f1_by_hand():
    truth, said = np.array([0, 0, 1, 1]), np.eye(2)[[0, 1, 1, 1]]
    assert multiclass_metrics(truth, said)["macro_f1"] == pytest.approx(
        (2 / 3 + 4 / 5) / 2
    )


def test_classes_with_one_kind_of_label_are_left_out_of_macro_auroc():
    truth = np.array([[1, 1], [0, 1]])
    said = np.array([[0.8, 0.3], [0.2, 0.9]])
    assert multilabel_metrics(truth, said)["macro_auroc"] == 1.0
    assert multilabel_metrics(truth, said)["micro_f1"] == pytest.approx(4 / 5)
