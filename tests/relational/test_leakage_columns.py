"""The value that is asked for is no input of the row it belongs to, by no path."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sklearn.metrics import roc_auc_score
from tests.relational.late_rows import inputs, same
from tests.relational.own_values import MIXED, QUERIES, drawn, opened, tables

from benthic.relational.engines import Options, Target, load_engine
from benthic.relational.features.paths import Path
from benthic.relational.learning import learn, numbered
from benthic.relational.predictor import Predictor
from benthic.relational.query import PredictiveQuery
from benthic.relational.row_effects import latest_rows
from benthic.relational.schema import Chain
from benthic.relational.task import make_task

pytestmark = pytest.mark.usefixtures("few_rounds")

QUICK = Options(num_models=1, num_lags=1)


def judged(db, query, **how):
    return Predictor(db, QUICK).evaluate(query, num_resamples=2, **how)


def asked_for(kind):
    return PredictiveQuery.parse(QUERIES[kind]).asked_columns


def other_values(frames, kind, entities, seed):
    """The same tables, but that some orders hold other values where they are asked."""
    orders = frames["orders"].copy()
    where = orders["order_id"].isin(entities).to_numpy()
    values = drawn(np.random.default_rng(seed), len(orders))
    for name in asked_for(kind):
        orders[name] = pd.Series(values[name]).where(where, orders[name])
    return {**frames, "orders": orders}


def unmoved(seed, kind, *, timed=True, anchor_time="auto", regime="rolling"):
    """Other values of the orders that are judged move nothing that is said of them."""
    frames, found = tables(seed), []
    how = {"anchor_time": anchor_time, "regime": regime}
    with opened(frames, timed=timed) as db:
        one = judged(db, QUERIES[kind], **how)
    changed = other_values(frames, kind, one.predictions["entity"], seed + 1)
    with opened(changed, timed=timed) as db:
        two = judged(db, QUERIES[kind], **how)
    for each in (one, two):
        rows = each.predictions.set_index("entity").sort_index()
        found.append(rows.drop(columns="label"))
    assert list(one.predictions["label"]) != list(two.predictions["label"])
    same(*found)


@pytest.mark.parametrize(
    "kind", ["category", "conditions", "arithmetic", "text", "set"]
)
def test_the_asked_values_of_judged_events_move_no_prediction(kind):
    unmoved(0, kind)


def test_nor_where_all_stand_at_one_time_or_at_none():
    unmoved(1, "category", timed=False)
    unmoved(2, "set", anchor_time=None)


def test_nor_in_a_frozen_database():
    unmoved(3, "boolean", regime="frozen")


@pytest.mark.slow
@settings(max_examples=30, suppress_health_check=list(HealthCheck))
@given(
    st.integers(0, 10_000),
    st.sampled_from(sorted(QUERIES)),
    st.sampled_from([(True, "auto"), (True, None), (False, "auto")]),
    st.sampled_from(["rolling", "frozen"]),
)
def test_nor_in_any_shop(seed, kind, when, regime):
    timed, anchor_time = when
    unmoved(seed, kind, timed=timed, anchor_time=anchor_time, regime=regime)


def fitted(db, query, *, anchor_time="auto", num_hops=2):
    task = make_task(db, query, anchor_time=anchor_time)
    options = replace(QUICK, num_hops=num_hops)
    parts = (numbered(part, task) for part in (task.train(), task.validation()))
    return learn(task, *parts, options).engine, task.test().drop(columns="label")


@pytest.mark.parametrize("kind", ["category", "arithmetic", "text", "list"])
def test_a_value_that_is_missing_gives_nothing_away(kind):
    frames = tables(4)
    with opened(frames) as db:
        engine, asked = fitted(db, QUERIES[kind], num_hops=3)
        known = inputs(engine, asked), engine.predict(asked)
        missing = frames["orders"].copy()
        where = missing["order_id"].isin(asked["entity"])
        for name in asked_for(kind):
            missing[name] = missing[name].astype(object).mask(where)
        with opened({**frames, "orders": missing}) as without:
            there = engine.on(without)
            found = inputs(there, asked), there.predict(asked)
    for one, other in zip(known, found, strict=True):
        same(one, other)


def auroc_bound(truth):
    """Four standard deviations of the AUROC of a guess (Hanley and McNeil)."""
    true = int(truth.sum())
    false = len(truth) - true
    return 4 * ((true + false + 1) / (12 * true * false)) ** 0.5


@pytest.mark.parametrize("timed", [True, False])
@pytest.mark.parametrize("kind", ["boolean", "condition"])
def test_values_drawn_at_random_are_not_known(kind, timed):
    with opened(tables(5, 1000), timed=timed) as db:
        found = judged(db, QUERIES[kind])
    bound = auroc_bound(found.predictions["label"])
    assert abs(found.metrics["auroc"].value - 0.5) < bound < 0.25


@pytest.mark.parametrize("timed", [True, False])
def test_nor_is_a_class_or_a_number(timed):
    with opened(tables(6, 1000), timed=timed) as db:
        classes = judged(db, QUERIES["category"])
        number = judged(db, QUERIES["number"])
        sums = judged(db, QUERIES["arithmetic"])
    size = len(classes.predictions)
    assert classes.metrics["accuracy"].value < 1 / 3 + 4 * (2 / 9 / size) ** 0.5
    for each in (number, sums):
        least = each.baselines["global_median"]["mae"]
        assert each.metrics["mae"].value > 0.9 * least


def test_nor_is_what_a_set_holds():
    with opened(tables(7, 1000), timed=False) as db:
        held = judged(db, QUERIES["set"])
        some = judged(db, QUERIES["list"])
    assert abs(held.metrics["macro_auroc"].value - 0.5) < 0.15
    assert some.metrics["map"].value < 0.75


def test_what_others_were_before_is_known():
    frames = tables(7, 1000)
    orders = frames["orders"]
    orders["paid"] = (orders["customer_id"] + orders["paid"]) % 9 < 5
    with opened(frames) as db:
        found = judged(db, QUERIES["boolean"])
        why = Predictor(db, QUICK).explain(QUERIES["boolean"])
    assert found.metrics["auroc"].value > 0.85
    assert any("label history by orders.customer_id" == p.path for p in why.paths)


def test_what_others_were_is_known_only_to_those_after_them():
    """Orders come in pairs at one time: the pair of an order tells nothing of it."""
    frames = tables(8, 1000)
    orders = frames["orders"]
    orders["customer_id"] = orders.index // 2  # a pair for itself
    orders["paid"] = np.repeat(np.arange(500) % 2 == 0, 2)
    order = np.random.default_rng(0).permutation(500)
    orders["paid"] = orders["paid"].to_numpy()[np.repeat(2 * order, 2)]
    frames["customers"] = pd.DataFrame({"customer_id": range(500), "tier": "x"})
    with opened(frames) as db:
        found = judged(db, QUERIES["boolean"])
    bound = 2**0.5 * auroc_bound(found.predictions["label"])  # half as many draws
    assert abs(found.metrics["auroc"].value - 0.5) < bound


def test_beside_a_window_a_column_is_known_and_the_future_is_not(monkeypatch):
    monkeypatch.setattr("benthic.relational.engines.search._MOST_ROUNDS", 30)
    with opened(tables(5, 1000)) as db:
        assert Target.of(make_task(db, MIXED)).hidden == ()
        found = judged(db, MIXED)
        paid = dict(db.query(f"SELECT order_id, paid FROM {db.relation('orders')}"))
    rows = found.predictions.set_index("entity")
    is_paid = rows.index.map(paid).to_numpy(bool)
    assert found.metrics["auroc"].value > found.baselines["entity_mean"]["auroc"]
    assert rows["probability"][~is_paid].max() < 0.01
    known = rows[is_paid]
    label = known["label"].astype(bool)
    chance = roc_auc_score(label, known["probability"])
    assert abs(chance - 0.5) < auroc_bound(label) < 0.25


@pytest.mark.parametrize("kind", ["conditions", "text", "set"])
def test_reasons_do_not_name_what_is_asked_for(kind):
    with opened(tables(9)) as db:
        p = Predictor(db, QUICK)
        p.fit(QUERIES[kind])
        hidden = set(asked_for(kind))
        engine = p._chosen(None).engine
        named = {(each.table, each.column) for each in engine._design.columns}
        assert not named & {("orders", name) for name in hidden}
        why = p.explain(QUERIES[kind], 200)
        assert all(not hidden & set(row.row) for row in why.rows)
        follows = Path(Chain(("orders", "orders"), ("follows",)))
        seed = pd.DataFrame({"entity": [200], "anchor_time": [why.anchor_time]})
        rows = latest_rows(engine.db, follows, seed, 9, strict=False)
        assert "total" in rows
        assert not hidden & set(rows)


def test_a_saved_model_keeps_the_rule(tmp_path):
    frames = tables(10)
    with opened(frames) as db:
        engine, asked = fitted(db, QUERIES["category"])
        engine.save(tmp_path / "model")
        known = engine.predict(asked)
    changed = other_values(frames, "category", frames["orders"]["order_id"], 11)
    with opened(changed) as db:
        same(known, load_engine(tmp_path / "model", db).predict(asked))


def test_an_order_that_is_asked_late_still_does_not_see_its_own_value():
    frames = tables(12)
    with opened(frames) as db:
        engine, _ = fitted(db, QUERIES["boolean"])
        known = engine._design.features._history
        for key, observed in zip(known.keys, known.observed, strict=True):
            moments = type(known.moments())(
                np.array([key]), np.array([observed]) + 10, np.array([observed]) + 10
            )
            assert known.shown_to(moments).until < observed
