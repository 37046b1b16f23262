from __future__ import annotations

import pandas as pd
from tests.relational.bare_tables import Tables, infer_schema, inferred, texts

DAYS = pd.date_range("2020-01-01", periods=100)


def test_an_empty_table_is_told():
    assert "has no rows" in texts(inferred({"t": pd.DataFrame({"a": []})}), "t")


def test_columns_that_say_nothing_are_told():
    frame = pd.DataFrame({"a": [1, 1], "b": [None, None], "c": [1, 2], "d": [1, None]})
    schema = inferred({"t": frame})
    assert "the same in every row" in texts(schema, "t", "a")
    assert "NULL in every row" in texts(schema, "t", "b")
    assert texts(schema, "t", "c") == ""
    assert texts(schema, "t", "d") == ""


def times(values):
    tables = Tables({"t": pd.DataFrame({"created": values})})
    schema = infer_schema(tables.declared, tables)
    column = schema.tables["t"].columns["created"]
    sql = column.expression or '"created"'
    left = tables.query(f"SELECT count({sql}) FROM t")[0][0]
    return texts(schema, "t", "created"), left


def test_rows_without_time_are_counted():
    text, left = times([*DAYS, pd.NaT, pd.NaT])
    assert "NULL in 2 of 102 rows; such rows are never visible" in text
    assert left == 100


def test_the_beginning_of_1970_is_unknown_among_modern_times():
    text, left = times([*DAYS, pd.Timestamp(0)])
    assert "1970-01-01 in 1 of 101 rows; their time counts as NULL" in text
    assert left == 100


def test_the_beginning_of_1970_is_a_day_among_old_ones():
    old = pd.date_range("1960-01-01", "1980-01-01", freq="D")
    text, left = times(old)
    assert text == ""
    assert left == len(old)


def test_the_end_of_days_is_unknown():
    text, left = times([*DAYS.astype(str), "9999-12-31"])
    assert "2100 or later in 1 of 101 rows" in text
    assert left == 100


def test_texts_that_are_no_dates_are_counted():
    text, left = times([*DAYS.astype(str), "soon"])
    assert "no time in 1 of 101 rows" in text
    assert left == 100
