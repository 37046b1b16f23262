"""What goes with every answer."""

from __future__ import annotations

import pytest
from tests.relational.query.asking import asked, customers
from tests.relational.query.schemas import SHOP


def notes(text):
    return asked(text).notes(SHOP)


@pytest.mark.parametrize(
    ("target", "note"),
    [
        ("SUM(orders.total, -1, 30)", "one day of the label is already known"),
        (
            "SUM(orders.total, -40, 30, hours)",
            "40 hours of the label are already known",
        ),
        ("SUM(orders.total, -INF, 30)", "all that lies before the anchor is part of"),
        ("LAST(orders.status, 0, 9)", "multiclass task: orders.status is categorical"),
        ("customers.newsletter", "binary task: customers.newsletter is boolean"),
    ],
)
def test_a_note_says_what_is_known_which_task_it_is_and_when_it_is_judged(target, note):
    assert any(note in line for line in notes(customers(target)))


def test_a_plain_future_has_no_note_but_its_task_type():
    assert (
        len(notes(customers("SUM(orders.total, 5, 30) - SUM(orders.total, -9, 0)")))
        == 1
    )


def test_an_assumption_and_null_are_told():
    assumed = notes(
        customers("COUNT(orders.*, 0, 9)", "ASSUMING COUNT(coupons.*, 0, 9) > 0")
    )
    null = notes(customers("COUNT(orders.*, 0, 9)", "WHERE customers.tier != NULL"))

    assert "no proof that one causes the other" in assumed[-1]
    assert null[-1] == "!= NULL at line 1 is read as IS NOT NULL"
