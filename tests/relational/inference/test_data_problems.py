from __future__ import annotations

import pandas as pd
import pytest
from tests.relational.bare_tables import Tables, infer_schema, inferred, texts

from benthic.relational.overrides import read_overrides

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


@pytest.mark.parametrize(
    "day", ["0001-01-01", "0024-05-06", "1753-01-01", "1900-01-01"]
)
def test_a_placeholder_is_unknown_among_modern_times(day):
    later = "TIMESTAMP '2020-01-01' + i * INTERVAL 1 DAY"
    sql = f"(SELECT CASE WHEN i = 7 THEN TIMESTAMP '{day}' ELSE {later} END AS created"
    tables = Tables({"t": f"{sql} FROM range(100) t(i))"})
    schema = infer_schema(tables.declared, tables)
    shown = schema.tables["t"].columns["created"].expression
    assert "in 1 of 100 rows; their time counts as NULL" in texts(
        schema, "t", "created"
    )
    assert tables.query(f"SELECT min(i) FROM (SELECT year({shown}) AS i FROM t)") == [
        (2020,)
    ]


def test_the_end_of_days_is_unknown():
    text, left = times([*DAYS.astype(str), "9999-12-31"])
    assert "2100 or later in 1 of 101 rows" in text
    assert left == 100


def test_texts_that_are_no_dates_are_counted():
    text, left = times([*DAYS.astype(str), "soon"])
    assert "no time in 1 of 101 rows" in text
    assert left == 100


def ends(values, **entries):
    days = pd.Series(DAYS[: len(values)])
    tables = Tables({"t": pd.DataFrame({"created": days, "ended": values})})
    said = read_overrides({"tables": {"t": entries}}, tables.declared)
    schema = infer_schema(tables.declared, tables, said)
    return schema.tables["t"].end_time_col, texts(schema, "t")


def test_a_row_that_has_not_ended_is_no_problem():
    months = list(DAYS[:50] + pd.Timedelta("60D"))
    assert ends([*months, *[pd.NaT] * 50]) == ("ended", "")
    assert ends([*months, *[pd.Timestamp("2199-01-01")] * 50]) == ("ended", "")


def test_an_infinite_end_is_no_problem():
    sql = (
        "(SELECT TIMESTAMP '2020-01-01' + i * INTERVAL 1 DAY AS created, CASE WHEN "
        "i % 2 = 0 THEN 'infinity'::TIMESTAMP ELSE created + INTERVAL 60 DAY END "
        "AS ended FROM range(100) t(i))"
    )
    schema = inferred({"t": sql})
    assert schema.tables["t"].end_time_col == "ended"
    assert schema.problems == ()


def test_an_end_that_cannot_be_read_is_told():
    months = [str(day) for day in DAYS[:99] + pd.Timedelta("60D")]
    found = ends([*months, "soon"])
    assert found == ("ended", "no time in 1 of 100 rows; such rows count as not ended")
    zero = ends(pd.Series([*DAYS[:99] + pd.Timedelta("60D"), pd.Timestamp(0)]))
    assert "1970-01-01 in 1 of 100 rows; such rows count as not ended" in zero[1]


def test_a_time_that_the_user_says_is_no_end_is_told_to_come_later():
    months = list(DAYS + pd.Timedelta("60D"))
    end, text = ends(months, end_time=None)
    assert end is None
    assert "more than a day after created in 100 of 100" in text
