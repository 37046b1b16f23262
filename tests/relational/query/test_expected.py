"""What could stand at a place is said in the user's words."""

from __future__ import annotations

import pytest
from tests.relational.query.asking import error_of

HEAD = "PREDICT COUNT(orders.*, 0, 30, days)"
FOR = "FOR EACH table.key, FOR table.key = value, or FOR table.key IN (...)"
REST = "AND, OR, FORECAST, RANK, CLASSIFY or FOR"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("PREDICT", "table.column, an aggregate or a value"),
        ("PREDICT orders.", "a column of orders: channel, customer_id, note, order_id, "
         "placed_at, status, total"),
        ("PREDICT COUNT(orders.", "a column of orders: channel, customer_id, note, "
         "order_id, placed_at, status, total or *"),
        ("PREDICT nothing.", "a column of nothing"),
        ("PREDICT COUNT(orders.*, ", "a whole number"),
        ("PREDICT COUNT(orders.*, 0", "a comma"),
        ("PREDICT COUNT(orders.*, 0, 30, ",
         "seconds, minutes, hours, days, weeks, months or years"),
        ("PREDICT COUNT(orders.*, 0, 30 days",
         "a comma or ) to close COUNT( at line 1, column 9"),
        ("PREDICT\n (3 days", "an operator, a comparison, AND, OR or ) to close ( at "
         "line 2, column 2"),
        (f"{HEAD} 5", f"an operator, a comparison, {REST}"),
        (f"{HEAD} > 5 5", f"an operator, {REST}"),
        (f"{HEAD} = ", "table.column, an aggregate or a value"),
        (f"{HEAD} LIKE 5", "text in single quotes"),
        (f"{HEAD} NOT 5", "IN, LIKE, CONTAINS, STARTS or ENDS"),
        (f"{HEAD} FORECAST", "a whole number"),
        (f"{HEAD} FORECAST 5", "TIMEFRAMES"),
        (f"{HEAD} RANK 5", "TOP"),
        (HEAD, FOR),
        (f"{HEAD} WHERE 1 = 1", FOR),
        (f"{HEAD} FOR", "table.column or EACH"),
        (f"{HEAD} FOR a.b", "= value or IN (...)"),
        (f"{HEAD} FOR a.b IN 5", "("),
        (f"{HEAD} FOR a.b IN (", "a value"),
        (f"{HEAD} FOR EACH a.b 5", "WHERE, ASSUMING or the end of the query"),
        (f"{HEAD} FOR EACH a.b; 5", "the end of the query"),
    ],
)  # fmt: skip
def test_a_place_is_described_by_what_could_stand_there(text, expected):
    error = error_of(text)

    assert error.kind == "syntax"
    assert error.expected == expected
