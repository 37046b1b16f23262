from __future__ import annotations

import numpy as np

from benthic.relational.engines.boosting import Binned, Rows, Trees, grow


def rows(size=400, seed=0):
    random = np.random.default_rng(seed)
    x = random.normal(size=(size, 6)).astype(np.float32)
    x[random.random(x.shape) < 0.1] = np.nan
    y = (np.nan_to_num(x[:, 0]) + random.normal(size=size) > 0).astype(float)
    return Rows(x, y, np.ones(size))


def test_the_same_seed_grows_the_same_trees_whatever_the_threads():
    texts = [
        grow(
            Binned(rows()), Trees("binary"), num_rounds=20, seed=3, num_threads=n
        ).booster
        for n in (1, 2, 1)
    ]
    said = [one.predict(rows(seed=1).x) for one in texts]
    assert np.array_equal(said[0], said[1])
    assert np.array_equal(said[0], said[2])
    other = grow(Binned(rows()), Trees("binary"), num_rounds=20, seed=4).booster
    assert not np.array_equal(said[0], other.predict(rows(seed=1).x))


def test_the_curve_is_the_metric_on_validation_after_each_round():
    check = rows(seed=1)
    grown = grow(
        Binned(rows(), check),
        Trees("binary"),
        num_rounds=15,
        seed=0,
        metric="binary_logloss",
    )
    for rounds, tolerance in ((1, 1e-9), (2, 1e-9), (15, 5e-3)):
        said = grown.booster.predict(check.x, num_iteration=rounds)
        loss = -np.mean(np.log(np.where(check.y > 0, said, 1 - said)))
        assert np.isclose(grown.curve[rounds - 1], loss, rtol=tolerance)


def test_five_rows_are_enough_to_grow():
    few = rows(5)
    booster = grow(Binned(few), Trees("regression"), num_rounds=3, seed=0).booster
    assert np.isfinite(booster.predict(few.x)).all()


def test_bins_that_are_used_again_grow_what_fresh_bins_would():
    check, weight = rows(seed=1), np.linspace(0.1, 2, 400)
    kept = Binned(rows(), check)
    grow(kept, Trees("binary"), num_rounds=5, seed=7)
    grow(kept, Trees("regression_l1", 4), num_rounds=5, seed=8, metric="l1")
    for weights in (weight, np.ones(400), weight[::-1]):
        kept.weigh(weights)
        fresh = Binned(Rows(rows().x, rows().y, weights), check)
        said = [
            grow(one, Trees("binary"), num_rounds=9, seed=3).booster.predict(check.x)
            for one in (kept, fresh)
        ]
        assert np.array_equal(said[0], said[1])
