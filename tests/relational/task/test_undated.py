from __future__ import annotations

import pandas as pd
import pytest

from benthic.relational.database import Database
from benthic.relational.task import make_task
from benthic.relational.task.undated import undated

IDS = range(8)
DAYS = pd.date_range("2026-01-01", periods=80)


@pytest.fixture(scope="module")
def shop():
    orders = {"order_id": range(80), "customer_id": [*IDS] * 10, "at": DAYS}
    return Database.open(
        {
            "customers": pd.DataFrame({"customer_id": IDS}),
            "orders": pd.DataFrame(orders),
            "refunds": pd.DataFrame({"order_id": [3, 5], "reason": ["a", "b"]}),
            "bills": pd.DataFrame(
                {"customer_id": [*IDS], "created": ["01/02/2026"] * 8}
            ),
            "weather": pd.DataFrame({"wind": [1.5, 2.5]}),
        }
    )


def test_tables_that_no_time_dates_are_named_with_the_way_to_leave_them_out(shop):
    always, lent = undated(shop.schema, "customers")
    assert "always visible" in always
    assert "{tables: {bills: {ignore: true}}}" in always
    assert "visible with the rows they point at" in lent
    assert "refunds (as orders)" in lent


def test_a_time_that_cannot_be_read_is_the_reason(shop):
    always, _ = undated(shop.schema, "customers")
    assert "bills (created cannot be read)" in always


def test_nobody_is_told_of_who_is_asked_about_nor_of_what_no_key_connects(shop):
    text = " ".join(undated(shop.schema, "customers"))
    assert "customers" not in text
    assert "weather" not in text
    assert "customers" in " ".join(undated(shop.schema, "orders"))


def test_the_notes_go_with_the_task(shop):
    query = "PREDICT COUNT(orders.*, 0, 7, days) FOR EACH customers.customer_id"
    notes = make_task(shop, query).notes
    assert set(undated(shop.schema, "customers")) <= set(notes)
