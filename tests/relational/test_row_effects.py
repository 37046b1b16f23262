from __future__ import annotations

import pandas as pd
import pytest
from tests.relational.engines import shop

from benthic.relational.engines import Options, RankingEngine, Target
from benthic.relational.explanation import PathEffect
from benthic.relational.features.paths import own_paths
from benthic.relational.row_effects import latest_rows, row_effects

PATH = PathEffect("customers <- orders.customer_id", ("orders",), 1.0)


@pytest.fixture(scope="module")
def tables():
    return shop.frames()


def engine_of(tables, **options):
    target = Target(
        *("customers", "customer_id", "ranking", 20 * shop.DAY, 3),
        *("products", "product_id"),
    )
    made = RankingEngine(shop.database(tables), target, Options(1, **options))
    made.fit(
        shop.examples(tables, (60, 80, 100, 120), shop.bought),
        shop.examples(tables, (140, 160), shop.bought),
    )
    return made


def test_a_row_did_what_deleting_it_undoes(tables):
    engine = engine_of(tables)
    seed = pd.DataFrame({"entity": [2], "anchor_time": shop.START + 180 * shop.DAY})
    first = engine.reasons(seed).outcomes[0]
    found = row_effects(engine, seed, seed, first, [PATH])
    orders = tables["orders"]
    own = orders[(orders.customer_id == 2) & (orders.placed_at <= seed.anchor_time[0])]
    assert {one.row["order_id"] for one in found} == set(own.order_id.tail(8))
    value = engine.answer(seed, first)
    for one in found[:3]:
        less = orders[orders.order_id != one.row["order_id"]].reset_index(drop=True)
        other = engine.on(shop.database({**tables, "orders": less}))
        assert one.prediction == other.answer(seed, first)
        assert one.change == value - one.prediction


def test_a_value_that_only_one_row_knows_is_no_candidate_without_it(tables):
    orders = tables["orders"]
    once = orders.assign(product_id=orders.product_id.mask(orders.order_id == 5, 77))
    products = pd.DataFrame({"product_id": [*range(8), 77]})
    engine = engine_of({**tables, "products": products, "orders": once})
    row = once[once.order_id == 5].iloc[0]
    seed = pd.DataFrame(
        {
            "entity": [row.customer_id],
            "anchor_time": [row.placed_at + pd.Timedelta(1, "h")],
        }
    )
    found = row_effects(engine, seed, seed, 77, [PATH])
    assert found[0].row["product_id"] == 77
    assert (found[0].prediction, found[0].change) == (None, None)


@pytest.mark.parametrize("strict", [False, True])
def test_a_row_at_the_seed_time_is_shown_unless_it_is_hidden(tables, strict):
    engine = engine_of(tables, strict=strict)
    last = tables["orders"].iloc[-1]
    seed = pd.DataFrame({"entity": [last.customer_id], "anchor_time": [last.placed_at]})
    first = engine.reasons(seed).outcomes[0]
    found = row_effects(engine, seed, seed, first, [PATH])
    shown = last.order_id in {one.row["order_id"] for one in found}
    assert shown == (not strict)


def test_a_row_is_shown_once_it_is_known_whose_it_is():
    day = pd.Timestamp("2026-01-01")
    frames = {
        "people": pd.DataFrame({"person_id": [1, 2]}),
        "carts": pd.DataFrame(
            {
                "cart_id": [1, 2],
                "person_id": [1, 1],
                "paid_at": [day, day + 9 * shop.DAY],
            }
        ),
        "items": pd.DataFrame(
            {
                "item_id": [1, 2],
                "cart_id": [1, 2],
                "put_at": [day, day + shop.DAY],
            }
        ),
    }
    seed = pd.DataFrame({"entity": [1], "anchor_time": [day + 3 * shop.DAY]})
    with shop.database(frames) as db:
        path = next(p for p in own_paths(db.schema, "people", 2) if len(p.chain) == 2)
        found = latest_rows(db, path, seed, 8, strict=False)
    assert found["item_id"].tolist() == [1]
