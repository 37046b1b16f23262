"""Short ways to ask the shop and the bank."""

from __future__ import annotations

import pytest
from tests.relational.query.schemas import SHOP

from benthic.relational.query import PredictiveQuery, QueryError
from benthic.relational.schema import Schema

EACH = "FOR EACH customers.customer_id"


def customers(target: str, rest: str = "") -> str:
    return f"PREDICT {target} {EACH} {rest}".rstrip()


def filtered(condition: str) -> str:
    return customers("COUNT(orders.*, 0, 30)", f"WHERE {condition}")


def asked(text: str, schema: Schema | None = SHOP) -> PredictiveQuery:
    return PredictiveQuery.parse(text, schema)


def error_of(text: str, schema: Schema | None = SHOP) -> QueryError:
    with pytest.raises(QueryError) as caught:
        PredictiveQuery.parse(text, schema)
    return caught.value


def place_of(error: QueryError) -> str:
    """The characters under the caret."""
    line = error.query.split("\n")[error.line - 1]
    return line[error.column - 1 : error.column - 1 + error.length]
