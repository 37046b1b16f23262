from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from tests.relational.engines import market, shop

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
        for name in ("seed", "value", "x", "priority")
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
    chosen = Candidates._priority

    def watched(self, known, alike, entity):
        blocks.append(alike.shape)
        return chosen(self, known, alike, entity)

    monkeypatch.setattr(Candidates, "_priority", watched)
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
    values = np.array([1, 2, 1])
    pairs = Pairs(np.array([0, 0, 2]), values, np.zeros((3, 1)), np.ones(3))
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


MARKET = Target("buyers", "buyer_id", "ranking", 20 * shop.DAY, 3, "lots", "lot_id")
AT = (shop.START + 100 * shop.DAY).as_unit("us")


def buyers(at=AT):
    return pd.DataFrame({"entity": [*range(market.NUM_BUYERS), 999], "anchor_time": at})


@pytest.fixture(scope="module")
def market_tables():
    return market.frames()


def test_all_that_exists_is_a_candidate_though_nobody_met_it(market_tables):
    with market.database(market_tables) as db:
        made = Candidates(db, MARKET, wide=True, most=10_000)
        pairs = made.pairs(buyers())
    lots = market_tables["lots"]
    there = lots.lot_id[lots.offered_at <= AT]
    assert set(made.values[pairs.value]) == set(there)
    assert len(pairs.seed) == len(there) * len(buyers())


@pytest.mark.parametrize("most", [1, 20])
def test_so_many_and_no_more_of_all_that_exists(market_tables, most):
    with market.database(market_tables) as db:
        made = Candidates(db, MARKET, wide=True, most=most)
        assert (made.pairs(buyers()).sizes == most).all()


def test_counts_of_kin_equal_a_loop(market_tables):
    with market.database(market_tables) as db:
        made = Candidates(db, MARKET, wide=True, most=30)
        pairs = made.pairs(buyers())
    x = pd.DataFrame(pairs.x, columns=made.columns)
    lots = market_tables["lots"].set_index("lot_id")
    sales = market_tables["sales"]
    sales = sales[sales.sold_at <= AT]
    kind = lots.kind_id[sales.lot_id].to_numpy()
    for i in range(0, len(x), 7):
        same = kind == lots.kind_id[made.values[pairs.value[i]]]
        own = same & (sales.buyer_id == buyers().entity[pairs.seed[i]]).to_numpy()
        assert x.loc[i, "sales by kind_id ever"] == same.sum()
        assert x.loc[i, "own sales by kind_id ever"] == own.sum()
        last = sales.sold_at[own].max()
        gap = (AT - last) / shop.DAY if own.any() else np.nan
        found = x.loc[i, "days since own sales by kind_id"]
        assert np.isclose(found, gap, equal_nan=True)


def later_rows_gone(tables):
    lots, sales = tables["lots"], tables["sales"]
    sales = sales[sales.sold_at <= AT]
    # A row that an earlier one points at cannot go without breaking its key.
    kept = lots[(lots.offered_at <= AT) | lots.lot_id.isin(sales.lot_id)]
    return {"lots": kept, "sales": sales}


def later_rows_garbled(tables):
    lots, sales = tables["lots"], tables["sales"]
    late, later = lots.offered_at > AT, sales.sold_at > AT
    kinds = lots.kind_id.mask(late, (lots.kind_id + 1) % market.NUM_KINDS)
    buyer = sales.buyer_id.mask(later, 0)
    return {"lots": lots.assign(kind_id=kinds), "sales": sales.assign(buyer_id=buyer)}


def later_rows_invented(tables):
    lots = tables["lots"]
    more = lots[lots.offered_at > AT].assign(lot_id=lambda one: -1 - one.lot_id)
    return {"lots": pd.concat([more, lots])}


def sold_before_offered(tables):
    """A sale may name a lot whose own row comes later: its kind is not known yet."""
    lots, sales = tables["lots"], tables["sales"]
    late = lots.lot_id[lots.offered_at > AT + 5 * shop.DAY].to_numpy()
    early = np.flatnonzero(sales.sold_at <= AT)[: len(late) : 3]
    lot = sales.lot_id.to_numpy().copy()
    lot[early] = late[: len(early)]
    return {**tables, "sales": sales.assign(lot_id=lot)}


@pytest.mark.parametrize("most", [20, 10_000])
@pytest.mark.parametrize("prepared", [dict, sold_before_offered])
@pytest.mark.parametrize(
    "changed", [later_rows_gone, later_rows_garbled, later_rows_invented]
)
def test_rows_after_the_seed_change_no_candidate_of_all_that_exists(
    market_tables, changed, prepared, most
):
    tables = prepared(market_tables)
    both = []
    for one in (tables, {**tables, **changed(tables)}):
        with market.database(one) as db:
            made = Candidates(db, MARKET, wide=True, most=most)
            pairs = made.pairs(buyers())
        keys = made.values[pairs.value].tolist()
        rows = zip(pairs.seed.tolist(), keys, map(bytes, pairs.x), strict=True)
        both.append(sorted(zip(rows, pairs.priority.tolist(), strict=True)))
    assert both[0] == both[1]
