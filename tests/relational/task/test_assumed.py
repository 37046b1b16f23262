"""A category of which there is no row cannot be assumed."""

from __future__ import annotations

import pandas as pd
import pytest
from tests.relational.shop import shop_frames
from tests.relational.task.databases import open_shop

from benthic.errors import QueryError
from benthic.relational.query import PredictiveQuery
from benthic.relational.task.assumed import check_assumed

SPEND = "PREDICT COUNT(orders.*, 0, 30) FOR EACH customers.customer_id"


@pytest.fixture(scope="module")
def db():
    frames = shop_frames()
    tiers = pd.Series(["gold", "silver", "silver"])
    customers = frames["customers"]
    customers["tier"] = tiers[customers.index % 3].to_numpy()
    customers["level"] = customers.index % 3
    more = {"customers": {"stypes": {"tier": "categorical", "level": "categorical"}}}
    with open_shop(frames, more) as db:
        yield db


def asked(db, assumption):
    return PredictiveQuery.parse(f"{SPEND} ASSUMING {assumption}", db.schema)


@pytest.mark.parametrize(
    "assumption",
    [
        "customers.tier = 'gold'",
        "customers.level = 2 AND customers.tier = 'silver'",
        "customers.name = 'nobody of that name'",
        "COUNT(coupons.*, 0, 7) >= 2",
    ],
)
def test_a_value_that_rows_have_may_be_assumed(db, assumption):
    check_assumed(db, asked(db, assumption))


@pytest.mark.parametrize(
    ("assumption", "message", "expected", "suggestion"),
    [
        ("customers.tier = 'zzz'", "tier 'zzz'", "silver or gold", None),
        (
            "COUNT(coupons.*, 0, 7) > 0 AND customers.tier = 'Gold'",
            "tier 'Gold'",
            "silver or gold",
            "did you mean gold?",
        ),
        ("customers.level = 7", "level 7", None, None),
    ],
)
def test_one_that_none_has_is_refused_with_those_there_are(
    db, assumption, message, expected, suggestion
):
    query = asked(db, assumption)
    with pytest.raises(QueryError) as raised:
        check_assumed(db, query)

    error = raised.value
    assert error.message == f"no row of customers has {message}"
    assert query.text[error.column - 1 :].startswith("customers.")
    assert expected in (None, error.expected)
    assert error.suggestion == suggestion
