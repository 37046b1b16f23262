from __future__ import annotations

import pytest

from benthic.relational.inference.time_names import is_end, rank


@pytest.mark.parametrize(
    ("table", "better", "worse"),
    [
        ("orders", "created_at", "shipped_at"),
        ("orders", "order_date", "due_date"),
        ("orders", "placed_on", "date"),
        ("customers", "created_at", "customer_updated_at"),
        ("returns", "return_date", "date"),
        ("events", "timestamp", "start_time"),
        ("posts", "CreationDate", "LastEditDate"),
        ("cancellations", "cancelled_at", "expected_at"),
        ("rental", "rentaldate", "lastupdate"),
        ("orders", "createdat", "duedate"),
        ("posts", "creationdate", "enddate"),
    ],
)
def test_a_name_that_says_coming_to_be_ranks_higher(table, better, worse):
    assert rank(table, better).score > rank(table, worse).score


@pytest.mark.parametrize(
    "column",
    [
        *["dob", "birth_date", "BirthDate", "birthday", "date_of_birth", "deathdate"],
        *["updated_at", "last_login", "modified", "LastEditDate", "last_update"],
        *["end_date", "expires_at", "closed_on", "valid_until", "due_date"],
        *["returned_at", "delivery_date", "expected_on", "next_visit"],
    ],
)
def test_some_names_are_never_the_time_of_a_row(column):
    found = rank("things", column)
    assert found.score == 0
    assert column in found.clause


def test_an_end_is_named_like_one():
    assert is_end("end_date")
    assert is_end("ValidTo")
    assert not is_end("sent_to_customer")
    assert not is_end("order_date")
