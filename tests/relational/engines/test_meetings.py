from __future__ import annotations

import numpy as np
import pytest
from scipy import sparse

from benthic.relational.engines.meetings import DAY, Likeness, Meetings, Snapshot

ENTITY = np.array([0, 1, 0, 0, 2, 1])
VALUE = np.array([0, 0, 1, 0, 1, 2])
TIME = np.array([1, 2, 3, 5, 8, 9]) * DAY
WINDOWS = [2 * DAY, 4 * DAY, 2**62]


def met(entity=ENTITY):
    return Meetings("orders", entity, VALUE, TIME, (3, 4))


def brute(moment, window):
    counts = np.zeros((4, 4))
    for entity, value, time in zip(ENTITY, VALUE, TIME, strict=True):
        if moment - window < time <= moment:
            counts[entity, value] += 1
    return counts


@pytest.mark.parametrize("day", [0, 3, 5, 9, 20])
def test_counts_in_windows_equal_a_loop(day):
    known = Snapshot(met(), day * DAY, WINDOWS)
    for i, window in enumerate(WINDOWS):
        counts = brute(day * DAY, window)
        assert np.array_equal(known.own[i].toarray(), counts)
        assert np.array_equal(known.popular[i], counts.sum(axis=0))


def test_gaps_are_days_since_the_latest_visit():
    known = Snapshot(met(), 8 * DAY, WINDOWS)
    gaps = known.own_gap(np.array([0, 0, 1, 2, -1]), np.array([0, 1, 2, 1, 0]))
    assert np.array_equal(gaps, [3, 5, np.nan, 0, np.nan], equal_nan=True)
    assert np.array_equal(known.gap, [3, 0, np.nan, np.nan], equal_nan=True)


def test_before_the_first_visit_there_is_nothing():
    known = Snapshot(met(), 0, WINDOWS)
    assert np.isnan(known.own_gap(np.array([0, -1]), np.array([0, 0]))).all()
    assert np.isnan(known.gap).all()
    assert sum(counts.nnz for counts in known.own) == 0


def test_ranks_count_what_is_more_popular():
    known = Snapshot(met(entity=None), 20 * DAY, WINDOWS)
    assert known.popular[-1].tolist() == [3, 2, 1, 0]
    assert known.rank[-1].tolist() == [1, 2, 3, 4]
    assert known.rank[0].tolist() == [1, 1, 1, 1]


def test_values_that_are_met_later_move_no_rank():
    then = Snapshot(met(entity=None), 8 * DAY, WINDOWS)
    without = Meetings("orders", None, VALUE[:-1], TIME[:-1], (3, 2))
    for one, other in zip(
        then.rank, Snapshot(without, 8 * DAY, WINDOWS).rank, strict=True
    ):
        assert one[:2].tolist() == other.tolist()


def test_likeness_is_the_sum_of_cosines_of_what_was_met():
    random = np.random.default_rng(0)
    counts = random.integers(0, 3, (6, 5)) * (random.random((6, 5)) < 0.5)
    counts[-1] = 0
    counts[:, 3] = 0
    one = (counts > 0).astype(float)
    length = np.maximum(np.sqrt(one.sum(axis=0)), 1)
    cosine = (one.T @ one) / np.outer(length, length)
    like = Likeness.of(sparse.csr_matrix(counts.astype(np.float32)))
    said = like(np.array([2, 0, -1])).toarray()
    assert np.allclose(said, (one @ cosine)[[2, 0, -1]], atol=1e-6)
    assert not said[2].any()
