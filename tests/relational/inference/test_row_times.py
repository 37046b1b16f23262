from __future__ import annotations

from dataclasses import replace

import pandas as pd
from tests.relational.bare_tables import Tables, inferred, texts

from benthic.relational.declared import Declared
from benthic.relational.inference import infer_schema

DAYS = pd.date_range("2020-01-01", periods=100)


def table(frame, name="orders"):
    return inferred({name: pd.DataFrame(frame)}).tables[name]


def test_the_creation_wins_over_the_update():
    found = table({"created_at": DAYS, "updated_at": DAYS + pd.Timedelta("9D")})
    assert found.time_col == "created_at"
    assert "came to be" in found.choices["time_col"].reason


def test_a_birth_date_leaves_a_person_without_time():
    found = table({"id": range(100), "dob": DAYS}, "drivers")
    assert found.time_col is None
    assert "belongs to a person's life" in found.choices["time_col"].reason


def test_a_table_without_times_says_nothing_about_them():
    assert "time_col" not in table({"id": [1, 2]}).choices


def test_a_time_that_most_rows_lack_is_not_theirs():
    found = table({"id": range(100), "seen_at": [*DAYS[:30], *[pd.NaT] * 70]})
    assert found.time_col is None
    assert "NULL in 70 of 100" in found.choices["time_col"].reason


def test_of_two_like_names_the_one_that_comes_first_is_taken():
    later = DAYS + pd.Timedelta("1h")
    found = table({"packed_on": DAYS, "weighed_on": later})
    assert found.time_col == "packed_on"
    assert found.choices["time_col"].confidence < 0.8


def test_two_times_in_no_order_are_both_told_and_none_is_chosen():
    frame = pd.DataFrame({"packed_on": DAYS, "weighed_on": DAYS[::-1]})
    schema = inferred({"orders": frame})
    assert schema.tables["orders"].time_col is None
    text = "packed_on and weighed_on could each be when a row came to be"
    assert text in texts(schema, "orders")


def courses(start):
    """Enrolments that mostly precede the start of their course."""
    course = pd.DataFrame({"course_id": range(100), "start_date": start})
    enrolled = pd.DataFrame({"course_id": range(100), "enrolled_at": DAYS})
    return inferred({"courses": course, "enrolments": enrolled})


def test_what_the_children_precede_is_not_when_the_parent_came_to_be():
    schema = courses(DAYS + pd.Timedelta("30D"))
    assert schema.tables["courses"].time_col is None
    reason = schema.tables["courses"].choices["time_col"].reason
    assert "later than enrolments.enrolled_at in 100 of 100 rows" in reason


def test_what_precedes_the_children_may_be():
    assert courses(DAYS).tables["courses"].time_col == "start_date"


def test_a_date_decades_before_the_children_is_an_attribute():
    schema = courses(DAYS - pd.Timedelta("9000D"))
    assert schema.tables["courses"].time_col is None


def test_a_creation_after_most_children_is_refused_and_told():
    users = pd.DataFrame({"id": range(100), "created": DAYS + pd.Timedelta("900D")})
    orders = pd.DataFrame({"user_id": range(100), "placed": DAYS})
    schema = inferred({"users": users, "orders": orders})
    assert schema.tables["users"].time_col is None
    assert "not taken as its time" in texts(schema, "users")


def test_an_end_is_taken_only_after_the_beginning():
    frame = {"signup_date": DAYS, "end_date": DAYS + pd.Timedelta("5D")}
    assert table(frame).end_time_col == "end_date"
    frame["end_date"] = DAYS - pd.Timedelta("5D")
    assert table(frame).end_time_col is None


def test_a_time_set_later_is_told():
    frame = pd.DataFrame({"placed": DAYS, "shipped": DAYS + pd.Timedelta("3D")})
    schema = inferred({"orders": frame})
    text = texts(schema, "orders", "shipped")
    assert "more than a day after placed in 100 of 100" in text


def test_tables_in_a_circle_all_get_their_time():
    a = pd.DataFrame({"a_id": range(100), "b_id": range(100), "created": DAYS})
    b = pd.DataFrame({"b_id": range(100), "a_id": range(100), "created": DAYS})
    schema = inferred({"a": a, "b": b})
    assert [schema.tables[name].time_col for name in "ab"] == ["created", "created"]


def declared(frame, **facts):
    tables = Tables({"t": pd.DataFrame(frame)})
    table = replace(tables.declared.tables["t"], **facts)
    return infer_schema(Declared({"t": table}), tables)


def test_a_declared_time_is_taken_as_it_is():
    found = declared({"created": DAYS, "b": DAYS}, time_col="b").tables["t"]
    assert found.time_col == "b"
    assert found.choices["time_col"].reason == "declared"


def test_a_table_declared_static_stays_so():
    assert declared({"created": DAYS}, static=True).tables["t"].time_col is None


def test_a_declared_time_that_holds_none_is_told_and_not_used():
    schema = declared({"n": [1, 2, 3]}, time_col="n")
    assert schema.tables["t"].time_col is None
    assert "declared as a time, but holds none" in texts(schema, "t", "n")
