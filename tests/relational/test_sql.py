from __future__ import annotations

import datetime as dt
from decimal import Decimal

import duckdb
import pytest
from hypothesis import given
from hypothesis import strategies as st

from benthic.errors import InputError
from benthic.relational.sql import literal, members, quoted

CONNECTION = duckdb.connect(":memory:")
# DuckDB's text holds any character but NUL.
TEXT = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]))


def value_of(sql: str) -> object:
    return CONNECTION.execute(f"SELECT {sql}").fetchall()[0][0]


@given(TEXT.filter(bool))
def test_a_quoted_name_is_read_back_letter_for_letter(name):
    described = CONNECTION.execute(f"DESCRIBE SELECT 1 AS {quoted(name)}").fetchall()
    assert described[0][0] == name


@given(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False)
    | TEXT
    | st.binary()
    | st.datetimes(dt.datetime(1600, 1, 1), dt.datetime(2300, 1, 1))
    | st.dates(dt.date(1600, 1, 1), dt.date(2300, 1, 1))
)
def test_a_literal_is_read_back_as_the_same_value(value):
    assert value_of(literal(value)) == value


def test_numbers_keep_their_type():
    assert value_of(f"typeof({literal(1.0)})") == "DOUBLE"
    assert value_of(f"typeof({literal(True)})") == "BOOLEAN"
    assert value_of(literal(Decimal("1.10"))) == Decimal("1.10")
    assert str(value_of(literal(float("nan")))) == "nan"


def test_lists_nest_and_a_zone_becomes_utc():
    assert value_of(literal(["a'b", None, "c"])) == ["a'b", None, "c"]
    assert value_of(literal([])) == []
    zone = dt.timezone(dt.timedelta(hours=2))
    moment = dt.datetime(2024, 3, 1, 1, 30, tzinfo=zone)
    assert value_of(literal(moment)) == dt.datetime(2024, 2, 29, 23, 30)


def test_a_value_that_is_none_of_these_is_refused():
    with pytest.raises(InputError, match="type object"):
        literal(object())


@pytest.mark.parametrize(
    ("text", "held"),
    [
        ("a|b c|a", ["a", "b c"]),
        ("Trailers,Deleted Scenes", ["Deleted Scenes", "Trailers"]),
        (" x ; y ;", ["x", "y"]),
        ("<c++><c#>", ["c#", "c++"]),
        ('{p,"q r"}', ["p", "q r"]),
        ("['p', 'q']", ["p", "q"]),
        ("rock 'n' roll|o'", ["o'", "rock 'n' roll"]),
        ("one", ["one"]),
        ("", []),
        ("|", []),
        (None, None),
    ],
)
def test_a_text_with_delimiters_is_a_set(text, held):
    with duckdb.connect() as connection:
        sql = f"SELECT list_sort({members(literal(text))})"
        assert connection.execute(sql).fetchone() == (held,)
