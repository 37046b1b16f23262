"""A column may have any name: what is computed stays the same."""

from __future__ import annotations

import functools

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.relational import named_shop as shop
from tests.relational.late_rows import inputs, same

from benthic.relational.engines import Options, Target
from benthic.relational.engines.design import Design
from benthic.relational.learning import learn, numbered, with_frames
from benthic.relational.task import make_task

pytestmark = pytest.mark.usefixtures("few_rounds")

QUERIES = {
    "number": "PREDICT SUM(orders.total WHERE orders.channel != 'z' AND orders.tags"
    " CONTAINS 'r', 0, 30) > 5 FOR EACH customers.customer"
    " WHERE COUNT(items.quantity, -90, 0) >= 0 AND customers.balance < 9",
    "column": "PREDICT orders.paid FOR EACH orders.order",
    "set": "PREDICT orders.tags CLASSIFY FOR EACH orders.order",
    "list": "PREDICT LIST_DISTINCT(orders.channel, 0, 30) RANK TOP 2"
    " FOR EACH customers.customer",
    "forecast": "PREDICT AVG(items.quantity * orders.total, 0, 14)"
    " FORECAST 2 TIMEFRAMES FOR EACH customers.customer",
}
FRAMES = shop.tables()
OURS = shop.our_names()
WIDTH = len(FRAMES["orders"].columns)
CLASHED = ["d", "key", "time", "benthic_key", "benthic_at", "entity", "label", "part"]
"""Names that once were taken, and some that look as if they were."""


def read(names, kind):
    """Labels and features under some names, without a model."""
    with shop.opened(names, FRAMES) as db:
        task = make_task(db, shop.query(QUERIES[kind], names))
        train = numbered(task.train(), task)
        how = {"num_hops": 2, "strict": False, "has_lag": False}
        design = Design.fit(db, Target.of(task), train, **how)
        return train, pd.DataFrame(design.matrix(train))


def learned(names, kind):
    """Labels, features and predictions under some names."""
    with shop.opened(names, FRAMES) as db:
        task = make_task(db, shop.query(QUERIES[kind], names))
        examples = [numbered(p, task) for p in (task.train(), task.validation())]
        engine = learn(task, *examples, Options(num_models=1, num_lags=1)).engine
        now = with_frames(task.now(), task.num_frames)
        return *examples, inputs(engine, now), engine.predict(now)


@functools.cache
def plain(how, kind):
    return how(shop.plain(), kind)


def unmoved(how, words, kind):
    for one, other in zip(how(shop.named(words), kind), plain(how, kind), strict=True):
        same(one, other)


@pytest.mark.parametrize("turn", range(len(CLASHED)))
def test_no_column_meets_a_name_of_ours_in_any_place(turn):
    words = (*CLASHED[turn:], *CLASHED[:turn], "another", "time of day")
    unmoved(read, words, "number")


@pytest.mark.parametrize("kind", QUERIES)
def test_nor_in_another_kind_of_question(kind):
    unmoved(learned, np.random.default_rng(0).permutation(OURS).tolist(), kind)


@pytest.mark.slow
@pytest.mark.parametrize("start", range(0, len(OURS), WIDTH))
def test_nor_any_name_that_our_code_gives(start):
    unmoved(read, [*OURS[start:], *OURS][:WIDTH], "number")


@pytest.mark.slow
@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.permutations(OURS), st.sampled_from(sorted(QUERIES)), st.booleans())
def test_nor_in_any_order_and_in_capital_letters(words, kind, is_upper):
    unmoved(learned, [w.upper() if is_upper else w for w in words], kind)
