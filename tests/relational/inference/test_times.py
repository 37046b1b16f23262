from __future__ import annotations

import datetime as dt

import pandas as pd
import pytest
from tests.relational.bare_tables import Tables, inferred, texts

from benthic.relational.inference.profile import profile
from benthic.relational.inference.times import (
    Reading,
    read_times,
    without_sentinels,
)

NOON = dt.datetime(2021, 3, 4, 12)


def read(sql_or_values, name: str = "at") -> list[dt.datetime | None] | None:
    """A column's values as its reading gives them; None if it is no time."""
    source = (
        f'(SELECT {sql_or_values} AS "{name}")'
        if isinstance(sql_or_values, str)
        else pd.DataFrame({name: sql_or_values})
    )
    tables = Tables({"t": source})
    table = tables.declared.tables["t"]
    found, _ = read_times(table, profile(table, tables), tables)
    if name not in found:
        return None
    return [row[0] for row in tables.query(f"SELECT {found[name].sql(name)} FROM t")]


@pytest.mark.parametrize(
    "sql",
    [
        "TIMESTAMP '2021-03-04 12:00'",
        "TIMESTAMP_NS '2021-03-04 12:00:00'",
        "TIMESTAMP_S '2021-03-04 12:00:00'",
        "TIMESTAMPTZ '2021-03-04 14:00+02'",
        "'2021-03-04 12:00:00'",
        "' 2021-03-04T12:00:00Z '",
        "'2021-03-04T14:00:00+02:00'",
        "'04.03.2021 12:00'",
        "'2021/03/04 12:00:00'",
        "'Mar 4, 2021 12:00'",
        "'04.03.21 12:00'",
        "'04-MAR-21 12:00:00'",
        "'Thu, 04 Mar 2021 12:00:00 GMT'",
        "'Thu, 4 Mar 2021 14:00:00 +0200'",
        "'1614859200'",
        "'1614859200000'",
        "1614859200",
        "1614859200.0",
        "1614859200000",
        "1614859200000000",
        "1614859200000000000",
    ],
)
def test_a_time_is_read_whatever_it_is_stored_as(sql):
    assert read(sql) == [NOON]


@pytest.mark.parametrize("sql", ["DATE '2021-03-04'", "20210304", "'20210304'"])
def test_a_date_is_the_beginning_of_its_day(sql):
    assert read(sql, "order_date") == [NOON.replace(hour=0)]


@pytest.mark.parametrize(
    "sql", ["TIME '12:00'", "'12:00:00'", "2021", "12", "'abc'", "'1-2'", "1.5"]
)
def test_what_is_no_time_is_not_read_as_one(sql):
    assert read(sql) is None


def test_a_number_needs_a_name_that_says_time():
    assert read("1614859200", "balance") is None
    assert read("1614859200", "starttime") == [NOON]


def test_a_number_beyond_all_times_is_null():
    tables = Tables({"t": "(SELECT unnest([1614859200, 0, 1614859201]) AS at)"})
    table = tables.declared.tables["t"]
    found, _ = read_times(table, profile(table, tables), tables)
    tables.query("CREATE OR REPLACE TABLE t AS SELECT 9e300 AS at")
    assert tables.query(f"SELECT {found['at'].sql('at')} FROM t") == [(None,)]


@pytest.mark.parametrize("kind", ["TIMESTAMP", "TIMESTAMPTZ", "DATE", "TIMESTAMP_NS"])
def test_an_infinite_time_is_null_also_where_no_sample_shows_it(kind):
    tables = Tables(
        {
            "t": f"(SELECT CASE WHEN i = 7 THEN '-infinity' WHEN i = 9 THEN 'infinity' "
            f"ELSE '2021-03-04' END::TIMESTAMP::{kind} AS at FROM range(50000) t(i))"
        }
    )
    table = tables.declared.tables["t"]
    seen = profile(table, tables)
    assert seen["at"].share("finite") == 1
    time = read_times(table, seen, tables)[0]["at"].sql("at")
    wrong = f"SELECT count({time}), count(*) FILTER (isinf({time})) FROM t"
    assert tables.query(wrong) == [(49_998, 0)]


def test_a_date_later_than_all_timestamps_is_null():
    assert read("DATE '400000-01-01'") == [None]


def test_what_mostly_says_times_is_one_and_the_rest_is_null():
    values = ["2021-03-04 12:00"] * 6
    assert (
        read([*values, "0000-00-00 00:00:00", "n/a", "24-12-31", ""])[6:] == [None] * 4
    )
    assert read([*values, *["soon"] * 6]) is None
    assert read([1614859200, 1614859200, -1, None])[2:] == [None, None]


def test_a_version_is_no_day_of_a_year_of_two_digits():
    assert read(["1.10.12", "2.11.14"], "version") is None


def told(values, name="created_at", **others):
    """What is said about a column that is named like a time."""
    schema = inferred({"t": pd.DataFrame({name: values, **others})})
    return schema.tables["t"], texts(schema, "t", name)


@pytest.mark.parametrize(
    "values", [[45291.5, 45292.25], ["2021-03", "2021-04"], [2021, 2022]]
)
def test_a_column_named_like_a_time_that_cannot_be_read_is_always_told(values):
    table, text = told(values)
    assert "named like a time, but 0 of 2 values are read as one" in text
    assert table.choices["time_col"].reason == "static: created_at cannot be read"


def test_a_time_of_the_day_is_none_that_cannot_be_read():
    assert told(["12:00:00", "13:30:00"], "time")[1] == ""


def test_what_is_null_beside_times_is_told_also_where_they_are_not_the_rows_own():
    days = ["2021-03-04", "2021-03-05", "2021-03-06"]
    _, text = told([*days, "soon"], "updated_at", created_at=[*days, "2021-03-07"])
    assert "no time in 1 of 4 sampled values; they count as NULL" in text


def test_blank_texts_are_no_times():
    assert read(["2021-03-04 12:00", "", " "]) == [NOON, None, None]


def test_day_and_month_that_cannot_be_told_apart_are_asked_for():
    frame = pd.DataFrame({"id": [1, 2], "date": ["01/02/2021", "03/04/2021"]})
    schema = inferred({"t": frame})
    assert schema.tables["t"].time_col is None
    assert "fit %d/%m/%Y and %m/%d/%Y alike" in texts(schema, "t", "date")
    assert read(["01/02/2021", "25/04/2021"])[1] == dt.datetime(2021, 4, 25)


def test_infinite_times_are_null():
    values = "unnest([TIMESTAMP 'infinity', TIMESTAMP '2021-03-04 12:00'])"
    assert read(values) == [None, NOON]


def test_sentinels_are_null_where_they_mean_unknown():
    tables = Tables(
        {"t": "(SELECT unnest([TIMESTAMP '1970-01-01', '9999-12-31', '2020-01-01']) t)"}
    )
    for unknown, kept in ((["1970-01-01"], 1), ([], 2)):
        reading = without_sentinels("t", Reading("", ""), unknown)
        assert tables.query(f"SELECT count({reading.sql('t')}) FROM t") == [(kept,)]


def test_a_word_for_null_is_no_time_that_cannot_be_read():
    days = ["2021-03-04", "2021-03-05", "2021-03-06"]
    _, text = told([*days, "NULL"], "updated_at", created_at=[*days, "2021-03-07"])
    assert text == ""
