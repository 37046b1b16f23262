from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from tests.relational.engines import shop

from benthic.relational.engines import Target
from benthic.relational.engines import candidates as module
from benthic.relational.engines.candidates import Candidates, Pairs

TARGET = Target(
    "customers", "customer_id", "ranking", 20 * shop.DAY, 3, "products", "product_id"
)
DAYS = (5, 100, 160)


@pytest.fixture(scope="module")
def tables():
    return shop.frames(num_customers=40, num_days=170)


@pytest.fixture(scope="module")
def db(tables):
    return shop.database(tables)


def seeds(entities=(*range(40), 999)):
    times = [(shop.START + day * shop.DAY).as_unit("us") for day in DAYS]
    rows = [(entity, time) for entity in entities for time in times]
    return pd.DataFrame(rows, columns=["entity", "anchor_time"])


def equal(one, two):
    return all(
        np.array_equal(getattr(one, name), getattr(two, name), equal_nan=True)
        for name in ("seed", "value", "x")
    )


@pytest.mark.parametrize("most", [3, 100])
@pytest.mark.parametrize("cells", [1, 8 * 7, 8 * 1000])
def test_seeds_in_chunks_have_the_pairs_of_all_seeds_at_once(
    db, monkeypatch, most, cells
):
    made = Candidates(db, TARGET, most=most)
    whole = made.pairs(seeds())
    monkeypatch.setattr(module, "_MOST_CELLS", cells)
    assert equal(made.pairs(seeds()), whole)


def test_no_block_of_seeds_and_values_is_greater_than_allowed(db, monkeypatch):
    monkeypatch.setattr(module, "_MOST_CELLS", 8 * 7)
    blocks = []
    chosen = Candidates._chosen

    def watched(self, known, alike, entity):
        blocks.append(alike.shape)
        return chosen(self, known, alike, entity)

    monkeypatch.setattr(Candidates, "_chosen", watched)
    Candidates(db, TARGET).pairs(seeds())
    assert max(rows * values for rows, values in blocks) == 8 * 7
    assert sum(rows for rows, _ in blocks) == len(seeds())


def test_pairs_stand_in_the_order_of_the_seeds_each_value_once(db):
    pairs = Candidates(db, TARGET).pairs(seeds())
    assert (np.diff(pairs.seed) >= 0).all()
    assert len({*zip(pairs.seed, pairs.value, strict=True)}) == len(pairs.seed)
    assert pairs.sizes.sum() == len(pairs.seed)
    assert pairs.x.shape == (len(pairs.seed), len(Candidates(db, TARGET).columns))


def test_at_most_so_many_candidates_and_what_was_met_often_is_among_them(db, tables):
    made = Candidates(db, TARGET, most=3)
    pairs = made.pairs(seeds())
    orders = tables["orders"]
    assert pairs.sizes.max() == 3
    asked = seeds()
    for i in range(len(asked)):
        entity, until = asked.loc[i]
        past = orders[(orders.customer_id == entity) & (orders.placed_at <= until)]
        counts = past.product_id.value_counts()
        given = set(made.values[pairs.value[pairs.seed == i]])
        # What speaks besides the own visits adds up to less than 2.01.
        third = counts.iloc[2] if len(counts) > 2 else 0
        assert set(counts[counts > third + 2.01].index) <= given


def test_strict_hides_the_visits_at_exactly_the_seed_time(db, tables):
    times = tables["orders"].placed_at
    at = times[times > shop.START + 100 * shop.DAY].iloc[0].as_unit("us")
    seed = pd.DataFrame({"entity": range(40), "anchor_time": at})
    before = seed.assign(anchor_time=at - pd.Timedelta(microseconds=1))
    hidden = Candidates(db, TARGET, strict=True).pairs(seed)
    plain = Candidates(db, TARGET).pairs(before)
    assert np.array_equal(hidden.seed, plain.seed)
    assert np.array_equal(hidden.x[:, :-1], plain.x[:, :-1], equal_nan=True)
    assert not equal(hidden, Candidates(db, TARGET).pairs(seed))


def test_sizes_skip_seeds_without_pairs():
    pairs = Pairs(np.array([0, 0, 2]), np.array([1, 2, 1]), np.zeros((3, 1)))
    assert pairs.sizes.tolist() == [2, 1]


@pytest.mark.parametrize("most", [3, 100])
def test_a_seed_alone_has_the_candidates_it_has_among_all(db, most):
    made = Candidates(db, TARGET, most=most)
    everybody = seeds()
    whole = made.pairs(everybody)
    for place in range(0, len(everybody), 7):
        alone = made.pairs(everybody.iloc[[place]])
        assert np.array_equal(alone.value, whole.value[whole.seed == place])
        assert np.array_equal(alone.x, whole.x[whole.seed == place], equal_nan=True)
