from __future__ import annotations

import duckdb
import pytest

from benthic.relational.missing import MISSING_SPELLINGS, is_missing, without_nan

CONNECTION = duckdb.connect()


@pytest.mark.parametrize("word", [*MISSING_SPELLINGS, " null ", "nULL", "  "])
def test_every_spelling_of_nothing_is_missing(word):
    sql = f"SELECT {is_missing('t')} FROM (SELECT ?::VARCHAR AS t)"
    assert CONNECTION.execute(sql, [word]).fetchone() == (True,)


@pytest.mark.parametrize("word", ["0", "-1", "no", "nonesuch", "N", "\\", "unknown"])
def test_what_says_something_is_not_missing(word):
    sql = f"SELECT {is_missing('t')} FROM (SELECT ?::VARCHAR AS t)"
    assert CONNECTION.execute(sql, [word]).fetchone() == (False,)


def test_nan_is_null_and_every_other_value_stays():
    sql = (
        f"SELECT {without_nan('x', 'DOUBLE')}, {without_nan('f', 'FLOAT')}, "
        f"{without_nan('t', 'VARCHAR')} FROM (VALUES ('nan'::DOUBLE, 'nan'::FLOAT, "
        "'nan'), ('inf'::DOUBLE, 2::FLOAT, 'x')) v(x, f, t)"
    )
    assert CONNECTION.execute(sql).fetchall() == [
        (None, None, "nan"),
        (float("inf"), 2.0, "x"),
    ]
