from __future__ import annotations

import pandas as pd
import pytest
from tests.relational.bare_tables import texts

from benthic.relational.database import Database
from benthic.relational.schema import SType


def opened(values, **entries):
    frame = pd.DataFrame({"order_id": range(len(values)), "total": values})
    said = {"tables": {"orders": entries}}
    return Database.open({"orders": frame}, overrides=said)


@pytest.mark.parametrize("values", [["12,50", "3,5", "7"], ["12.50", "3.5", "7"]])
def test_numbers_as_text_are_read_as_numbers(values):
    with opened(values * 50) as db:
        column = db.schema.tables["orders"].columns["total"]
        assert (column.stype, column.dtype) == (SType.numerical, "DOUBLE")
        total = db.query(f"SELECT sum(total) FROM {db.relation('orders', ['total'])}")
        assert total == [(23.0 * 50,)]
        assert db.schema.problems == ()


def test_texts_that_are_no_numbers_are_counted():
    with opened([*["12,50"] * 299, "many"]) as db:
        text = "no number in 1 of 300 texts; they count as NULL"
        assert texts(db.schema, "orders", "total") == text
        assert db.query(f"SELECT count(total) FROM {db.relation('orders')}") == [(299,)]


def test_a_text_that_the_user_calls_a_number_is_read_as_one():
    with opened(["007", "12", "x"] * 9, stypes={"total": "numerical"}) as db:
        assert "no number in 9 of 27 texts" in texts(db.schema, "orders", "total")
        total = db.query(f"SELECT sum(total) FROM {db.relation('orders')}")
        assert total == [(19.0 * 9,)]


def test_a_text_that_the_user_calls_a_truth_value_is_read_as_one():
    with opened(["yes", "no", "no idea"] * 9, stypes={"total": "boolean"}) as db:
        total = db.query(f"SELECT count(*) FILTER (total) FROM {db.relation('orders')}")
        assert total == [(9,)]


def test_a_key_of_words_stays_text():
    said = {"tables": {"t": {"pkey": "code"}}}
    frame = pd.DataFrame({"code": ["yes", "no"], "n": [1, 2]})
    with Database.open({"t": frame}, overrides=said) as db:
        column = db.schema.tables["t"].columns["code"]
        assert (column.dtype, column.expression) == ("VARCHAR", "")


@pytest.mark.parametrize("word", ["n/a", "NULL", "-", r"\N", ""])
def test_a_word_for_null_is_no_text_that_is_no_number(word):
    with opened([*["12,50"] * 100, *[word] * 50]) as db:
        column = db.schema.tables["orders"].columns["total"]
        assert (column.stype, column.dtype) == (SType.numerical, "DOUBLE")
        assert db.query(f"SELECT count(total) FROM {db.relation('orders')}") == [(100,)]
        assert db.schema.problems == ()


def test_texts_that_are_mostly_numbers_are_told_with_the_line_that_reads_them():
    values = [*map(str, range(95)), *[f"about {n}" for n in range(5)]]
    said = "{tables: {orders: {stypes: {total: numerical}}}}"
    with opened(values) as db:
        (problem,) = db.schema.problems
        assert problem.could_be_number
        assert problem.text == (
            "numbers in 95 of 100 texts; to read it as a number, write in --overrides "
            f"FILE (overrides= in Python): {said}"
        )
    with opened(values, stypes={"total": "numerical"}) as db:
        total = db.query(f"SELECT sum(total) FROM {db.relation('orders')}")
        assert total == [(sum(range(95)),)]
    with opened(values, stypes={"total": "text"}) as db:
        assert db.schema.problems == ()


@pytest.mark.parametrize(
    "values",
    [
        [f"{n:05}" for n in range(100)],
        [*map(str, range(60)), *[f"C{n}" for n in range(40)]],
        ["NULL"] * 100,
    ],
    ids=["codes", "numbers-and-letters", "nothing"],
)
def test_texts_that_are_no_numbers_or_numbers_throughout_are_not_told(values):
    with opened(values) as db:
        assert not any(problem.could_be_number for problem in db.schema.problems)
