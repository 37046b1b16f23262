from __future__ import annotations

import duckdb
import pytest
from hypothesis import given
from hypothesis import strategies as st

from benthic.relational.inference.number_notation import NOTATIONS, number_measures

POINT, COMMA = NOTATIONS
CONNECTION = duckdb.connect()


def read(how, text):
    sql = f"SELECT {how.sql('t')} FROM (SELECT ?::VARCHAR AS t)"
    return CONNECTION.execute(sql, [text]).fetchone()[0]


@pytest.mark.parametrize(
    ("text", "point", "comma"),
    [
        ("12.50", 12.5, None),
        ("12,50", None, 12.5),
        ("1,234.5", 1234.5, None),
        ("1.234,5", None, 1234.5),
        ("1 234.5", 1234.5, None),
        ("1,234", 1234.0, 1.234),
        (" -7 ", -7.0, -7.0),
        ("+1.5e3", 1500.0, None),
        ("0.125", 0.125, 125.0),
        ("1.2.3", None, None),
        ("12,50,70", None, None),
        ("soon", None, None),
        ("", None, None),
    ],
)
def test_a_text_is_a_number_in_its_notation_and_null_in_the_other(text, point, comma):
    assert read(POINT, text) == point
    assert read(COMMA, text) == comma


@given(st.integers(-(10**9), 10**9), st.integers(0, 99))
def test_a_number_written_with_groups_comes_back(whole, cents):
    text = f"{whole:,}.{cents:02d}"
    number = float(text.replace(",", ""))
    assert read(POINT, text) == number
    assert read(COMMA, text.translate(str.maketrans(",.", ".,"))) == number


@pytest.mark.parametrize(
    ("text", "fractions"),
    [
        ("12.5", (1, 0)),
        ("12,5", (0, 1)),
        ("0.125", (1, 0)),
        ("1234,567", (0, 1)),
        ("1,234", (0, 0)),
        ("12", (0, 0)),
        ("1,234.50", (1, 0)),
    ],
)
def test_what_can_be_read_in_one_notation_alone_is_counted(text, fractions):
    measures = number_measures()
    asked = [measures[f"fraction_{how.name}"].format(c="t") for how in NOTATIONS]
    sql = f"SELECT {', '.join(asked)} FROM (SELECT ?::VARCHAR AS t)"
    assert CONNECTION.execute(sql, [text]).fetchone() == fractions
