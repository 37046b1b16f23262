"""Times that Python wrote are read back, and nothing is read as the first century."""

from __future__ import annotations

import datetime as dt
from email.utils import format_datetime

import duckdb
import pytest
from hypothesis import given
from hypothesis import strategies as st

from benthic.relational.inference.time_notation import NAMED_TEXTS, NUMBERS, TEXTS

CONNECTION = duckdb.connect()
CONNECTION.execute("SET TimeZone = 'UTC'")
BY_NAME = {how.name: how for how in (*NAMED_TEXTS, *NUMBERS)}
FORMATS = [name for name in BY_NAME if name.startswith("%")]
UNITS = {"seconds": 1, "milliseconds": 10**3, "microseconds": 10**6}

moments = st.datetimes(dt.datetime(1991, 1, 1), dt.datetime(2068, 1, 1)).map(
    lambda moment: moment.replace(microsecond=0)
)


def read(how, value, kind="VARCHAR"):
    sql = f"SELECT {how.sql('t')} FROM (SELECT CAST(? AS {kind}) AS t)"
    return CONNECTION.execute(sql, [value]).fetchone()[0]


@pytest.mark.parametrize("name", FORMATS)
@given(moment=moments)
def test_a_text_in_a_format_is_the_time_that_it_was_written_from(name, moment):
    assert read(BY_NAME[name], moment.strftime(f"{name} %H:%M:%S")) == moment
    assert read(BY_NAME[name], moment.strftime(f"{name} %I:%M:%S %p")) == moment
    day = dt.datetime.combine(moment.date(), dt.time())
    assert read(BY_NAME[name], moment.strftime(f" {name} ")) == day


@given(moments, st.integers(-12, 14))
def test_an_offset_is_taken_off_in_iso_and_in_e_mail(moment, hours):
    zoned = moment.replace(tzinfo=dt.timezone(dt.timedelta(hours=hours)))
    utc = zoned.astimezone(dt.timezone.utc).replace(tzinfo=None)
    assert read(BY_NAME["dates"], zoned.isoformat()) == utc
    assert read(BY_NAME["dates as in e-mail"], format_datetime(zoned)) == utc


@pytest.mark.parametrize("unit", UNITS)
@given(moment=moments)
def test_an_epoch_is_read_as_number_and_as_text(unit, moment):
    since = moment.replace(tzinfo=dt.timezone.utc).timestamp() * UNITS[unit]
    name = f"{unit} since 1970"
    number = next(how for how in NUMBERS if how.name == name)
    assert read(number, since, "DOUBLE") == moment
    text = next(how for how in NAMED_TEXTS if how.name == name)
    assert read(text, f"{since:.0f}") == moment


@given(moments)
def test_a_number_of_eight_digits_is_a_day(moment):
    day = dt.datetime.combine(moment.date(), dt.time())
    assert read(BY_NAME["yyyymmdd"], int(f"{day:%Y%m%d}"), "BIGINT") == day


@pytest.mark.parametrize("text", ["31.12.24", "24-12-31", "12/31/24", "31-Dec-24"])
def test_two_digits_are_no_year_of_the_first_century(text):
    found = {read(how, text) for how in NAMED_TEXTS} - {None}
    assert all(time.year > 1900 for time in found)
    assert dt.datetime(2024, 12, 31) in found


@pytest.mark.parametrize("text", ["", "n/a", "0000-00-00", "soon", "1.2.3", "-"])
def test_what_says_no_time_is_null_in_every_notation(text):
    assert {read(how, text) for how in TEXTS} == {None}
