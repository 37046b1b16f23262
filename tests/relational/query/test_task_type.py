"""The task type follows from the target alone."""

from __future__ import annotations

import pytest
from tests.relational.query.asking import asked, customers
from tests.relational.query.schemas import SHOP

from benthic.relational.query import TaskType
from benthic.relational.query.task_type import reason


@pytest.mark.parametrize(
    ("target", "task", "why"),
    [
        ("SUM(orders.total, 0, 9) FORECAST 2 TIMEFRAMES", "forecast",
         "asked for by FORECAST"),
        ("customers.tier IN ('x')", "binary", "the target is a condition"),
        ("NOT customers.newsletter", "binary", "the target is a condition"),
        ("customers.newsletter", "binary", "customers.newsletter is boolean"),
        ("LIST_DISTINCT(orders.status, 0, 9) RANK TOP 2", "ranking",
         "asked for by RANK"),
        ("LIST_DISTINCT(orders.status, 0, 9) CLASSIFY TOP 2", "multilabel",
         "asked for by CLASSIFY"),
        ("LIST_DISTINCT(orders.status, 0, 9) CONTAINS 'x'", "binary",
         "the target is a condition"),
        ("customers.tier", "multiclass", "customers.tier is categorical"),
        ("FIRST(orders.status, 0, 9)", "multiclass", "orders.status is categorical"),
        ("LAST(orders.total, 0, 9)", "regression", "orders.total is numerical"),
        ("-COUNT_DISTINCT(orders.status, 0, 9)", "regression",
         "the target is a number"),
    ],
)  # fmt: skip
def test_a_target_has_its_task_type_and_a_reason(target, task, why):
    query = asked(customers(target))

    assert query.task_type(SHOP) is TaskType(task)
    assert reason(query.clauses, SHOP) == why
    assert str(TaskType(task)) == task
