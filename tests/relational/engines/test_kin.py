from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from tests.relational.engines import market, shop

from benthic.relational.engines import Target
from benthic.relational.engines.kin import ValueRows, novelty

LOTS = Target("buyers", "buyer_id", "ranking", 20 * shop.DAY, 3, "lots", "lot_id")


@pytest.fixture(scope="module")
def tables():
    found = market.frames(num_lots=60)
    lots = found["lots"]
    lots["kind_id"] = lots.kind_id.astype("Int64").mask(lots.lot_id == 4)
    lots["offered_at"] = lots.offered_at.mask(lots.lot_id == 5)
    return found


def test_rows_tell_since_when_they_exist_and_what_they_share(tables):
    lots = tables["lots"].set_index("lot_id")
    values = pd.Index(sorted([-7, *lots.index]))
    with market.database(tables) as db:
        rows = ValueRows(db, LOTS)
        since = rows.since(values)
        (kin,) = rows.kin(values)
    assert since[values.get_indexer([-7, 5])].tolist() == [np.iinfo(np.int64).max] * 2
    dated = lots.offered_at.dropna()
    times = dated.to_numpy("datetime64[us]").astype(np.int64)
    assert since[values.get_indexer(dated.index)].tolist() == times.tolist()
    assert kin.column == "kind_id"
    code = kin.known(np.ones(len(values), bool))[values.get_indexer(lots.index)]
    assert (code[[4, 5]] == kin.size - 1).all()
    known = lots.drop(index=[4, 5])
    pairs = {*zip(known.kind_id, code[known.index], strict=True)}
    assert len(pairs) == known.kind_id.nunique() == kin.size - 1
    assert (kin.known(np.zeros(len(values), bool)) == kin.size - 1).all()


def test_rows_without_any_time_were_always_there(tables):
    plain = {**tables, "lots": tables["lots"].drop(columns="offered_at")}
    with market.database(plain) as db:
        rows = ValueRows(db, LOTS)
        assert (rows.since(pd.Index(range(60))) == np.iinfo(np.int64).min).all()


def test_values_of_a_column_have_no_rows(tables):
    kinds = Target("buyers", "buyer_id", "ranking", None, 3, "lots", "kind_id")
    with market.database(tables) as db:
        rows = ValueRows(db, kinds)
    assert len(rows.values) == 0
    assert not [*rows.kin(pd.Index([1, 2]))]


def test_what_comes_later_makes_nothing_else_newer_or_older_than_another():
    since = np.array([3, 1, 3, 9, 1, 9])
    few, all_ = (novelty(since, since <= moment) for moment in (3, 9))
    order = [1, 0, 4, 2]
    order.sort(key=lambda i: few[i])
    assert order == [4, 1, 2, 0]
    assert few[[3, 5]].tolist() == [0, 0]
    assert np.argsort(all_).tolist() == [*order, 5, 3]
