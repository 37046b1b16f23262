from __future__ import annotations

import pandas as pd
from tests.relational.task.asking import answers
from tests.relational.task.databases import moments, open_shop

from benthic.relational.database import Database

SHOP = open_shop()


def test_employees_belong_to_their_manager() -> None:
    frame = pd.DataFrame(
        {
            "employee_id": [1, 2, 3, 4],
            "manager_id": pd.array([None, 1, 1, 2], dtype="Int64"),
            "hired_at": pd.to_datetime(
                ["2024-01-01", "2024-01-05", "2024-01-06", "2024-01-07"]
            ),
        }
    )
    keys = {
        "pkey": "employee_id",
        "time": "hired_at",
        "fkeys": {"manager_id": "employees"},
    }
    overrides = {"tables": {"employees": keys}}
    with Database.open({"employees": frame}, overrides=overrides) as db:
        found = answers(
            db,
            "PREDICT COUNT(employees.*, 0, 10, days) FOR EACH employees.employee_id",
            moments("2024-01-02"),
        )
    assert found["label"].tolist() == [2.0, 1.0, 0.0, 0.0]


def test_a_table_without_time_takes_it_from_the_nearest_ancestor_even_the_entity() -> (
    None
):
    text = "PREDICT COUNT(order_items.*, 0, 1, days) FOR EACH orders.order_id"
    found = answers(SHOP, text, moments("2024-02-20"))
    assert set(found[found["label"] == 1]["entity"]) == {1007, 1008}


def test_keys_and_categories_may_be_stored_as_text_or_numbers() -> None:
    frames = {
        "people": pd.DataFrame({"id": ["a1", "7"], "grade": [3, 5]}),
        "visits": pd.DataFrame(
            {
                "visit_id": [1, 2, 3],
                "person": ["a1", "a1", "7"],
                "code": ["10", "20", "10"],
                "at": pd.to_datetime(["2024-01-02", "2024-01-03", "2024-01-04"]),
            }
        ),
    }
    overrides = {
        "tables": {
            "people": {"pkey": "id", "stypes": {"grade": "categorical"}},
            "visits": {
                "pkey": "visit_id",
                "time": "at",
                "fkeys": {"person": "people"},
                "stypes": {"code": "categorical"},
            },
        }
    }
    text = (
        "PREDICT COUNT(visits.* WHERE visits.code = '10', 0, 9) FOR EACH people.id"
        " WHERE people.grade = 3"
    )
    with Database.open(frames, overrides=overrides) as db:
        found = answers(db, text, moments("2024-01-01")).sort_values("entity")
    assert found["label"].tolist() == [1.0, 1.0]
    assert found["matches_where"].tolist() == [False, True]
