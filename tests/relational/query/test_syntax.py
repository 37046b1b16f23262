"""A text that is no query is told so in the user's words."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from tests.relational.query.asking import EACH, customers, error_of, filtered, place_of
from tests.relational.query.trees import spoiled

from benthic.relational.query import PredictiveQuery, QueryError

COUNT = "COUNT(orders.*, 0, 30, days)"


@pytest.mark.parametrize(
    ("text", "place", "message", "hint"),
    [
        ("SELECT 1", "SELECT", "a query starts with PREDICT",
         "a query says PREDICT what FOR EACH whom"),
        ("PERDICT orders.x", "PERDICT", "a query starts with PREDICT",
         "did you mean PREDICT?"),
        (filtered("customers.tier = 'gold"), "'gold", "this text has no end", None),
        (customers(COUNT, "/* why"), "/* why", "this comment has no end", None),
        ('PREDICT "orders.total', '"orders.total', "this name has no end", None),
        (f"PREDICT {COUNT}, {COUNT} {EACH}", ",", "a query has one target",
         "write one query each"),
        (f"PREDICT {COUNT} FRO EACH customers.customer_id", "FRO", "unexpected FRO",
         "did you mean FOR?"),
        (f"PREDICT {COUNT} FOR EAHC customers.customer_id", "EAHC",
         "a column is written table.column", "did you mean EACH?"),
        (f"PREDICT {COUNT} FOR EACH customers", "customers",
         "a column is written table.column", "did you mean customers.customer_id?"),
        (f"PREDICT {COUNT} FOR EACH customer_id", "customer_id",
         "a column is written table.column", "did you mean customers.customer_id?"),
        (f"PREDICT COUNT(orders, 0, 30) {EACH}", "orders",
         "a column is written table.column", "did you mean orders.*?"),
        (f"PREDICT COUNT(*, 0, 30) {EACH}", "*",
         "* needs its table: whose rows are counted?", None),
        (f"PREDICT {COUNT} FOR customers.customer_id", "", "the query ends too early",
         "for all of them: FOR EACH customers.customer_id"),
        (f"PREDICT {COUNT} {EACH} = 3", "=", "unexpected =: EACH asks for every entity",
         "leave EACH out to name entities"),
        (f"PREDICT {COUNT} WHERE 1 = 1 {EACH}", "WHERE", "WHERE comes after FOR", None),
        (customers(COUNT, "WHERE 1 = 1 WHERE 2 = 2"), "WHERE", "a query has one WHERE",
         "join the conditions by AND"),
        (customers(COUNT, "ASSUMING 1 = 1 WHERE 2 = 2"), "WHERE",
         "WHERE comes before ASSUMING", None),
        (filtered("1 < regions.population < 3"), "<",
         "unexpected <: tests do not chain", "join two tests by AND"),
        (customers("COUNT(orders.*, 30, days)"), "days", "unexpected days",
         "did you mean 0, 30, days?"),
        (customers("COUNT(orders.*, 0, 30 days)"), "days", "unexpected days",
         "did you mean 30, days?"),
        (customers("COUNT(orders.*, 0, 30days)"), "30days", "unexpected 30days",
         "did you mean 30, days?"),
        (customers("COUNT(orders.*, 0, 1.5)"), "1.5", "unexpected 1.5", None),
        (customers("sales.orders.total"), ".", "a column has one table: table.column",
         'a name that holds a dot stands in double quotes: "schema.table".column'),
        (f"{customers(COUNT)}; PREDICT", "PREDICT", "a text holds one query",
         "write one query each"),
        (filtered('customers.tier IN ("x")'), '"x"',
         "double quotes name a column or a table", "did you mean 'x'?"),
        (filtered('customers.tier LIKE "x%"'), '"x%"',
         "double quotes name a column or a table", "did you mean 'x%'?"),
        (customers(f"{COUNT} > 1\u200b"), "\u200b", "unexpected U+200B", None),
    ],
)  # fmt: skip
def test_a_known_slip_is_explained(text, place, message, hint):
    error = error_of(text)

    assert error.kind == "syntax"
    assert (error.message, error.suggestion) == (message, hint)
    assert place_of(error) == place


def test_without_a_schema_there_are_no_guesses_of_names():
    assert error_of("PREDICT SUM(total, 0, 30) FOR EACH a.id", None).suggestion is None
    assert error_of(f"PREDICT {COUNT}", None).suggestion is None


@settings(max_examples=60)
@given(text=spoiled())
def test_no_message_names_a_rule_or_a_token_of_the_grammar(text):
    try:
        PredictiveQuery.parse(text)
    except QueryError as error:
        own = {"all_of", "any_of", "is_null", "is_in", "text_test", "signed", "negated"}
        own |= {"LPAR", "RPAR", "RELOP", "QUOTED", "DECIMAL", "SEMICOLON", "SLASH"}
        own |= {"PLUS", "MINUS", "SPACE", "COMMENT", "$END"}
        words = set(re.findall(r"[\w$]+", f"{error.message} {error.expected}"))
        assert not words & own - set(re.findall(r"[\w$]+", text))
