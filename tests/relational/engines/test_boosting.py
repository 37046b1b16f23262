from __future__ import annotations

import numpy as np

from benthic.relational.engines.boosting import Rows, Trees, grow
from benthic.relational.engines.search import best_round


def rows(size=400, seed=0):
    random = np.random.default_rng(seed)
    x = random.normal(size=(size, 6)).astype(np.float32)
    x[random.random(x.shape) < 0.1] = np.nan
    y = (np.nan_to_num(x[:, 0]) + random.normal(size=size) > 0).astype(float)
    return Rows(x, y, np.ones(size))


def test_the_same_seed_grows_the_same_trees_whatever_the_threads():
    texts = [
        grow(rows(), Trees("binary"), num_rounds=20, seed=3, num_threads=n).booster
        for n in (1, 2, 1)
    ]
    said = [one.predict(rows(seed=1).x) for one in texts]
    assert np.array_equal(said[0], said[1])
    assert np.array_equal(said[0], said[2])
    other = grow(rows(), Trees("binary"), num_rounds=20, seed=4).booster
    assert not np.array_equal(said[0], other.predict(rows(seed=1).x))


def test_the_curve_is_the_metric_on_validation_after_each_round():
    check = rows(seed=1)
    grown = grow(
        rows(),
        Trees("binary"),
        num_rounds=15,
        seed=0,
        validation=check,
        metric="binary_logloss",
    )
    for rounds, tolerance in ((1, 1e-9), (2, 1e-9), (15, 5e-3)):
        said = grown.booster.predict(check.x, num_iteration=rounds)
        loss = -np.mean(np.log(np.where(check.y > 0, said, 1 - said)))
        assert np.isclose(grown.curve[rounds - 1], loss, rtol=tolerance)


def test_five_rows_are_enough_to_grow():
    few = rows(5)
    booster = grow(few, Trees("regression"), num_rounds=3, seed=0).booster
    assert np.isfinite(booster.predict(few.x)).all()


def test_the_best_round_is_of_the_mean_curve_and_not_among_the_first():
    curve = np.linspace(1, 0, 60)
    curve[3] = -5
    assert best_round([curve, curve], 1) >= 50
    assert best_round([np.array([1.0, 3.0, 2.0])], -1) == 2
