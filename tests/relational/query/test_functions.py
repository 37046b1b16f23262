"""Each function takes the columns it is for."""

from __future__ import annotations

from dataclasses import replace

import pytest
from tests.relational.query.asking import asked, customers, error_of, place_of
from tests.relational.query.schemas import SHOP

from benthic.relational.schema import Problem

COLUMNS = {
    "orders.total": "number",
    "orders.status": "category",
    "orders.note": "text",
    "orders.placed_at": "time",
    "orders.customer_id": "foreign key",
    "orders.order_id": "primary key",
    "orders.*": "rows",
}
TAKES = {
    "COUNT": set(COLUMNS.values()),
    "SUM": {"number"},
    "AVG": {"number"},
    "MIN": {"number"},
    "MAX": {"number"},
    "COUNT_DISTINCT": {"number", "category", "text", "foreign key", "primary key"},
    "FIRST": {"number", "category"},
    "LAST": {"number", "category"},
    "LIST_DISTINCT": {"category", "foreign key"},
}


@pytest.mark.parametrize("function", TAKES)
@pytest.mark.parametrize("column", COLUMNS)
def test_a_function_takes_what_it_is_for_and_nothing_else(function, column):
    modifier = "CLASSIFY" if function == "LIST_DISTINCT" else ""
    text = customers(f"{function}({column}, 0, 30) {modifier}")

    if COLUMNS[column] in TAKES[function]:
        assert asked(text)
    else:
        error = error_of(text)
        assert error.kind == "type"
        assert place_of(error) == column
        assert error.message.startswith(function)


@pytest.mark.parametrize(
    ("target", "hint"),
    [
        ("SUM(orders.*, 0, 9)", "to count rows: COUNT(orders.*, 0, 9, days)"),
        ("AVG(orders.customer_id, 0, 9)",
         "to count different ones: COUNT_DISTINCT(orders.customer_id, 0, 9, days)"),
        ("LAST(orders.customer_id, 0, 9)", "for the rows it points to: "
         "LIST_DISTINCT(orders.customer_id, 0, 9, days) RANK TOP 10"),
    ],
)  # fmt: skip
def test_the_hint_says_what_to_ask_instead(target, hint):
    assert error_of(customers(target)).suggestion == hint


@pytest.mark.parametrize(
    ("target", "message"),
    [
        ("COUNT(orders.total + 1, 0, 9)", "COUNT needs a column"),
        ("LAST(5, 0, 9)", "LAST needs a column"),
        ("SUM(5, 0, 9)", "SUM needs a column: this names no table"),
        ("SUM(1 + 1, 0, 9)", "SUM needs a column: this names no table"),
    ],
)
def test_arithmetic_is_for_functions_of_numbers_and_names_a_column(target, message):
    assert error_of(customers(target)).message == message


def test_the_error_on_texts_says_how_to_read_them_as_numbers():
    said = "{tables: {orders: {stypes: {note: numerical}}}}"
    error = error_of(customers("SUM(orders.note, 0, 9)"))
    assert error.suggestion == (
        "if it holds numbers, write in --overrides FILE (overrides= in Python): " + said
    )


def test_the_error_on_texts_that_are_mostly_numbers_says_so():
    text = "numbers in 95 of 100 texts"
    problems = (
        Problem("orders", "total", text, could_be_number=True),
        Problem("orders", "status", "says nothing"),
        Problem("orders", "status", text, could_be_number=True),
    )
    schema = replace(SHOP, problems=problems)
    error = error_of(customers("AVG(orders.status, 0, 9)"), schema)
    assert error.suggestion == text
