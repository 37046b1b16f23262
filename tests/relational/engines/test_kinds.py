from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import log_loss, mean_absolute_error, roc_auc_score

from benthic.relational.engines.kinds import BINARY, MULTICLASS, REGRESSION, softmax

RANDOM = np.random.default_rng(0)


def test_the_loss_of_a_binary_label_is_minus_auroc():
    label, score = RANDOM.integers(0, 2, 50), RANDOM.normal(size=50)
    assert BINARY.loss(label, score) == pytest.approx(-roc_auc_score(label, score))


def test_where_validation_has_one_class_the_loss_is_log_loss():
    score = np.array([0.0, 2.0])
    expected = np.mean(np.log1p(np.exp(-score)))
    assert BINARY.loss(np.ones(2), score) == pytest.approx(expected)


def test_the_loss_of_a_number_is_the_mean_absolute_error():
    label, score = RANDOM.normal(size=20), RANDOM.normal(size=20)
    assert REGRESSION.loss(label, score) == pytest.approx(
        mean_absolute_error(label, score)
    )


def test_the_loss_of_several_classes_is_log_loss_of_the_softmax():
    label, score = np.arange(30) % 3, RANDOM.normal(size=(30, 3))
    expected = log_loss(label, softmax(score))
    assert MULTICLASS.loss(label.astype(float), score) == pytest.approx(expected)


def test_softmax_sums_to_one_and_does_not_overflow():
    said = softmax(np.array([[1e4, 0.0], [-1e4, -1e4]]))
    assert said.tolist() == [[1, 0], [0.5, 0.5]]


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        (BINARY, np.array([0.1, 0.5, 0.9])),
        (REGRESSION, np.array([-3.0, 0.0, 1e6])),
        (MULTICLASS, np.array([[0.2, 0.8], [0.5, 0.5]])),
    ],
)
def test_a_score_leads_back_to_what_lightgbm_said(kind, said):
    assert np.allclose(kind.from_score(kind.to_score(said)), said)
