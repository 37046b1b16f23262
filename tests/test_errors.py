"""The exception tree and its one-line messages."""

from __future__ import annotations

import inspect
import json
import pickle

import pytest

from benthic import errors
from benthic.errors import BenthicError, InputError, ModelError, QueryError, nearest


def test_a_wrong_request_names_the_argument_what_was_found_and_the_remedy():
    error = InputError("num_layers", "0", "give a depth of 1 or more")

    assert str(error) == "num_layers: found 0; give a depth of 1 or more"
    assert (error.argument, error.found) == ("num_layers", "0")
    assert error.remedy == "give a depth of 1 or more"


def test_one_except_clause_catches_everything_raised_on_purpose():
    raised = [
        value
        for value in vars(errors).values()
        if inspect.isclass(value) and issubclass(value, Exception)
    ]

    assert len(raised) > 1
    assert all(issubclass(error, BenthicError) for error in raised)


@pytest.mark.parametrize(
    ("error", "builtin"), [(InputError, ValueError), (ModelError, RuntimeError)]
)
def test_an_error_is_also_the_builtin_that_a_caller_may_already_catch(error, builtin):
    assert issubclass(error, builtin)


def test_a_wrong_request_survives_the_way_back_from_a_worker_process():
    error = pickle.loads(pickle.dumps(InputError("x", "NaN in 3 rows", "clean it")))

    assert str(error) == "x: found NaN in 3 rows; clean it"
    assert error.argument == "x"


def test_the_tree_drawn_at_the_top_shows_every_error():
    for name, value in vars(errors).items():
        if inspect.isclass(value) and value.__module__ == errors.__name__:
            assert name in (errors.__doc__ or "")


TEXT = "PREDICT\tSUM(orders.totl, 0, 30, days)\nFOR EACH orders.order_id"
TOTL = QueryError(
    "unknown name",
    "table orders has no column totl",
    1,
    13,
    11,
    "a column of orders: total",
    "did you mean orders.total?",
    TEXT,
)


def test_an_error_of_a_query_shows_its_place_what_to_expect_and_what_to_write():
    assert str(TOTL).splitlines() == [
        "unknown name at line 1, column 13: table orders has no column totl",
        "  PREDICT SUM(orders.totl, 0, 30, days)",
        "              ^~~~~~~~~~~",
        "expected: a column of orders: total",
        "did you mean orders.total?",
    ]


def test_several_errors_of_a_query_come_as_one_and_survive_a_worker_process():
    both = QueryError("type", "second", 2, 1, 3, query=TEXT)
    first = QueryError("data", "first", query=TEXT, others=(TOTL, both))

    again = pickle.loads(pickle.dumps(first))

    assert str(again) == str(first)
    assert str(first).split("\n\n")[1:] == [str(TOTL), str(both)]
    assert str(both).endswith("  FOR EACH orders.order_id\n  ^~~")
    assert json.loads(first.to_json())["others"][0] == json.loads(TOTL.to_json())


def test_the_fields_of_an_error_of_a_query_are_json():
    assert json.loads(TOTL.to_json()) == {
        "kind": "unknown name",
        "message": "table orders has no column totl",
        "line": 1,
        "column": 13,
        "length": 11,
        "expected": "a column of orders: total",
        "suggestion": "did you mean orders.total?",
        "query": TEXT,
    }


@pytest.mark.parametrize("column", [1, 60, 500, 999, 1001])
def test_a_long_line_is_shown_around_the_place(column):
    line = "x" * (column - 1) + "y" + "x" * (1_000 - column)

    shown, caret = str(QueryError("type", "m", 1, column, 9, query=line)).splitlines()[
        1:
    ]

    assert len(shown) < 130
    assert caret.strip("~").endswith("^")
    if column <= 1_000:
        assert shown[caret.index("^")] == "y"


@pytest.mark.parametrize(
    "known", [["texas", "cora", "actor"], ("cora", "actor", "texas")]
)
def test_an_unknown_name_is_answered_by_near_ones_or_by_all_in_order(known):
    assert nearest("coro", known) == "did you mean cora, actor"
    assert nearest("nosuch", known) == "choose one of actor, cora, texas"
