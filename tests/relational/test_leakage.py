"""On databases made at random nothing later than the seed time moves an answer."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.relational.features import stores
from tests.relational.late_rows import ATTACKS, Attack, inputs, opened, read, same
from tests.relational.market import CHANNEL, CHURN, NEXT, SPEND, market_frames

from benthic.relational.database import Database
from benthic.relational.engines import Options, Target, make_features_engine
from benthic.relational.predictor import Predictor

pytestmark = pytest.mark.usefixtures("few_rounds")

QUERIES = {
    "binary": CHURN,
    "regression": SPEND,
    "multiclass": CHANNEL,
    "ranking": NEXT,
    "multilabel": NEXT.replace("RANK TOP 3", "CLASSIFY"),
    "forecast": SPEND.replace(" FOR EACH", " FORECAST 2 TIMEFRAMES FOR EACH"),
}
AT = pd.Timestamp("2025-10-15 12:00")
QUICK = Options(num_models=1, num_hops=2, num_lags=1)


def shops(seed, *, strict=False):
    """A market of its own, of which nothing is inferred after an attack."""
    frames = market_frames(num_customers=15, num_orders=900)
    rng = np.random.default_rng(seed)
    orders = frames["orders"]
    frames["orders"] = orders.assign(
        customer_id=rng.permutation(orders["customer_id"]),
        product_id=rng.permutation(orders["product_id"]),
        total=rng.permutation(orders["total"]),
    )
    if strict:  # there is a row to be hidden
        next_row = int(np.searchsorted(orders["placed_at"], AT))
        frames["orders"].loc[next_row, "placed_at"] = AT
    with Database.open(frames) as db:
        return read(db), db.schema


def answers(tables, schema, query, strict):
    with opened(tables, schema) as db:
        p = Predictor(db, replace(QUICK, strict=strict))
        p.fit(query, anchor_time=AT)
        found = p.predict(query, anchor_time=AT)
        return found, p.explain(query, 3, anchor_time=AT)


def unmoved(seed, task_type, how, strict):
    tables, schema = shops(seed, strict=strict)
    later = Attack(schema, AT, how, strict, seed)(tables)
    query = QUERIES[task_type]
    if how == "invent":  # newcomers are in a table without times: always visible
        later["customers"] = tables["customers"]
    (one, why), (two, other) = (
        answers(frames, schema, query, strict) for frames in (tables, later)
    )
    same(one, two)
    assert why == other


@pytest.mark.parametrize(
    ("task_type", "how"), [*zip(QUERIES, [*ATTACKS, *ATTACKS[::-1]], strict=True)]
)
def test_no_later_row_moves_labels_fit_prediction_or_reasons(task_type, how):
    unmoved(1, task_type, how, strict=task_type in {"regression", "ranking"})


@pytest.mark.slow
@settings(max_examples=24, suppress_health_check=list(HealthCheck))
@given(
    st.integers(0, 10_000),
    st.sampled_from(list(QUERIES)),
    st.sampled_from(ATTACKS),
    st.booleans(),
)
def test_no_later_row_of_any_shop_moves_anything(seed, task_type, how, strict):
    unmoved(seed, task_type, how, strict)


@pytest.mark.parametrize("query", [SPEND, NEXT])
def test_an_evaluation_differs_in_its_labels_only(query):
    tables, schema = shops(2)
    start = AT - pd.Timedelta(14, "D")  # of the window that is judged
    later = Attack(schema, start, "perturb")(tables)
    found = []
    for frames in (tables, later):
        with opened(frames, schema) as db:
            told = (
                Predictor(db, QUICK)
                .evaluate(query, anchor_time=AT, num_resamples=2)
                .predictions
            )
            found.append(told.set_index(["entity", "anchor_time"]))
    one, two = found
    assert set(one.index.get_level_values(1)) == {start}
    both = one.index.intersection(two.index)
    assert len(both) > 5
    assert any(
        a != b for a, b in zip(one["label"][both], two["label"][both], strict=True)
    )
    same(one.drop(columns="label").loc[both], two.drop(columns="label").loc[both])


@settings(max_examples=2, suppress_health_check=list(HealthCheck))
@given(
    st.integers(0, 10_000),
    st.sampled_from(ATTACKS),
    st.booleans(),
    st.sampled_from(["binary", "ranking"]),
)
def test_whatever_becomes_of_later_rows_the_inputs_stay(seed, how, strict, task_type):
    with stores.opened(stores.frames(seed)) as db:
        tables, schema = read(db), db.schema
    day = int(np.random.default_rng(seed).integers(60, 160))
    moment = stores.START + pd.Timedelta(days=day)  # visits have whole days
    asked = stores.seeds(tables, [day]).drop(columns="label")
    past = stores.seeds(tables, [15, 25, 35, 45, 55])
    target = Target("people", "person_id", task_type, pd.Timedelta(days=10))
    if task_type == "ranking":
        target = replace(target, k=2, value_table="shops", value_col="shop_id")
        past["label"] = [[i % 3] for i in range(len(past))]
    options = Options(num_models=1, strict=strict)
    found = []
    for frames in (tables, Attack(schema, moment, how, strict, seed)(tables)):
        with opened(frames, schema) as db:
            engine = make_features_engine(db, target, options)
            engine.fit(
                past[past["anchor_time"] < past["anchor_time"].max()], past.tail(6)
            )
            found.append((inputs(engine, asked), engine.predict(asked)))
    for one, other in zip(*found, strict=True):
        same(one, other)
