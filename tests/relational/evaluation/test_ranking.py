from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import ndcg_score

from benthic.relational.evaluation.ranking import ranking_metrics


def relbench_map(pred_isin, dst_count):
    """relbench.metrics.link_prediction_map, as written there."""
    kept = dst_count > 0
    pred_isin, dst_count = pred_isin[kept], dst_count[kept]
    eval_k = pred_isin.shape[1]
    clipped = np.clip(dst_count, None, eval_k)
    precision = np.cumsum(pred_isin, axis=1) / (np.arange(eval_k) + 1)
    return ((precision * pred_isin).sum(axis=1) / clipped).mean()


def cases():
    values = st.integers(0, 12)
    truth = st.sets(values, max_size=8)
    said = st.lists(values, min_size=5, max_size=5, unique=True)
    return st.lists(st.tuples(truth, said), min_size=1, max_size=6).filter(
        lambda rows: any(truth for truth, _ in rows)
    )


@given(cases())
def test_map_recall_and_hit_rate_are_those_of_relbench(rows):
    truth, said = zip(*rows, strict=True)
    isin = np.array([[v in t for v in s] for t, s in rows])
    count = np.array([len(t) for t in truth])
    found = ranking_metrics(truth, said, k=5)
    kept = count > 0
    assert found["map"] == pytest.approx(relbench_map(isin, count))
    recall = (isin.sum(axis=1)[kept] / count[kept]).mean()
    assert found["recall"] == pytest.approx(recall)
    assert found["hit_rate"] == pytest.approx(isin[kept].any(axis=1).mean())


@given(cases())
def test_ndcg_is_that_of_scikit_learn(rows):
    truth, said = zip(*[row for row in rows if row[0]], strict=True)
    gains = np.array([[float(v in t) for v in range(13)] for t in truth])
    scores = np.zeros(gains.shape)
    for row, ranked in zip(scores, said, strict=True):
        row[list(ranked)] = 10 - np.arange(5)
    # Values that were not said come last; k = 5 never looks at them.
    assert ranking_metrics(truth, said, k=5)["ndcg"] == pytest.approx(
        ndcg_score(gains, scores, k=5)
    )


def test_a_short_list_and_a_repeated_value():
    found = ranking_metrics([{"a", "b"}], [["a", "a", "b"]], k=3)
    assert found["map"] == pytest.approx(1.0)
    assert ranking_metrics([{"a"}], [[]], k=3)["map"] == 0.0


def test_nothing_to_find_is_not_a_number():
    assert np.isnan(ranking_metrics([set()], [["a"]], k=3)["map"])
