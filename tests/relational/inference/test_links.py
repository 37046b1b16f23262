from __future__ import annotations

import pandas as pd
import pytest
from tests.relational.bare_tables import Tables, inferred, texts

from benthic.relational.database import Database
from benthic.relational.inference.composite import key_column
from benthic.relational.inference.links import containment


def links(child: str, column: str, values, **parents):
    """Where a column of a child points, beside parents with the keys 1..100 each."""
    frames = {
        name: pd.DataFrame({key: range(1, 101), "label": "x"})
        for name, key in parents.items()
    }
    own = pd.DataFrame({"id": range(len(values)), column: values})
    schema = inferred({**frames, child: own})
    return schema.tables[child].fkey_col_to_pkey_table.get(column)


SOME = [3, 7, 7, 50, 98] * 8 + list(range(1, 60))


@pytest.mark.parametrize(
    ("column", "parents", "expected"),
    [
        ("customer_id", {"customers": "customer_id"}, "customers"),
        ("customer_id", {"customers": "id"}, "customers"),
        ("CustomerId", {"customer": "Id"}, "customer"),
        ("customerid", {"customers": "id"}, "customers"),
        ("id_customer", {"customers": "id"}, "customers"),
        ("customer", {"customers": "id"}, "customers"),
        ("home_team_id", {"teams": "team_id", "games": "game_id"}, "teams"),
        ("from_account", {"accounts": "account_id"}, "accounts"),
        ("cust_id", {"customers": "id"}, "customers"),
        ("dept_id", {"departments": "id"}, "departments"),
        ("item_id", {"order_items": "id"}, "order_items"),
        ("created_by", {"users": "id"}, "users"),
        ("SupportRepId", {"Employee": "EmployeeId"}, "Employee"),
        ("status_id", {"customers": "id"}, None),
        ("customer_type_id", {"customers": "id"}, None),
        ("position", {"positions_held": "id"}, None),
        ("amount", {"customers": "id"}, None),
        ("order_id", {"order_items": "order_item_id"}, None),
    ],
)
def test_a_name_points_where_it_says(column, parents, expected):
    assert links("events", column, SOME, **parents) == expected


def test_several_columns_may_point_at_one_table():
    teams = pd.DataFrame({"team_id": range(20)})
    games = pd.DataFrame(
        {"game_id": range(40), "home_team_id": [1, 2] * 20, "away_team_id": [3, 4] * 20}
    )
    schema = inferred({"teams": teams, "games": games})
    assert schema.tables["games"].fkey_col_to_pkey_table == {
        "home_team_id": "teams",
        "away_team_id": "teams",
    }


@pytest.mark.parametrize("column", ["manager_id", "parent_id", "ReportsTo", "parent"])
def test_a_role_points_at_the_table_itself(column):
    values = [None, *list(range(1, 31)), 1, 2]
    frame = pd.DataFrame({"id": range(1, 34), column: values})
    found = inferred({"employees": frame}).tables["employees"]
    assert found.fkey_col_to_pkey_table == {column: "employees"}


def test_small_numbers_are_no_keys_of_a_larger_table():
    # 1..5 is contained in 1..100, and the name of the table is in that of the column
    assert links("events", "rating", [1, 2, 3, 4, 5] * 9, ratings="id") is None
    assert links("events", "fastest_lap", [1, 2, 3] * 9, laps="id") is None


def test_orphans_are_counted_and_the_link_stays():
    values = [*range(1, 100), 777, 777]
    own = pd.DataFrame({"id": range(101), "customer_id": values})
    schema = inferred({"customers": pd.DataFrame({"id": range(1, 101)}), "o": own})
    assert schema.tables["o"].fkey_col_to_pkey_table == {"customer_id": "customers"}
    text = texts(schema, "o", "customer_id")
    assert "2 of 101 rows point at no row of customers (1 values)" in text


def test_a_name_that_the_data_deny_is_told_and_not_linked():
    own = pd.DataFrame({"id": range(3), "customer_id": [500, 501, 502]})
    schema = inferred({"customers": pd.DataFrame({"id": [1, 2, 3]}), "o": own})
    assert schema.tables["o"].fkeys == ()
    text = texts(schema, "o", "customer_id")
    assert "3 of 3 values are no keys of customers; not linked" in text


def test_two_parents_alike_are_both_told_and_none_is_chosen():
    keys = pd.DataFrame({"id": range(1, 40)})
    own = pd.DataFrame({"id": range(39), "owner_id": range(1, 40)})
    schema = inferred({"users": keys, "employees": keys, "pets": own})
    assert schema.tables["pets"].fkeys == ()
    text = texts(schema, "pets", "owner_id")
    assert "could point at employees and users alike" in text


def test_keys_of_another_kind_are_not_compared():
    own = pd.DataFrame({"id": range(3), "country": ["DE", "FR", "DE"]})
    schema = inferred({"country": pd.DataFrame({"country_id": [1, 2]}), "o": own})
    assert schema.tables["o"].fkeys == ()


def test_texts_point_at_texts():
    countries = pd.DataFrame({"code": ["DE", "FR", "IT"], "name": ["a", "b", "c"]})
    own = pd.DataFrame({"id": range(3), "country_code": ["DE", "FR", "DE"]})
    schema = inferred({"countries": countries, "o": own})
    assert schema.tables["o"].fkey_col_to_pkey_table == {"country_code": "countries"}


def test_whole_numbers_with_nulls_point_at_integers():
    own = pd.DataFrame({"id": range(3), "user_id": [1.0, None, 2.0]})
    schema = inferred({"users": pd.DataFrame({"id": [1, 2, 3]}), "o": own})
    assert schema.tables["o"].fkey_col_to_pkey_table == {"user_id": "users"}


def test_a_column_without_values_is_linked_by_a_clear_name_only():
    own = pd.DataFrame(
        {"id": range(3), "user_id": pd.Series([None] * 3, dtype="Int64")}
    )
    own["reply_to"] = pd.Series([None] * 3, dtype="Int64")
    schema = inferred({"users": pd.DataFrame({"id": [1, 2, 3]}), "o": own})
    (link,) = schema.tables["o"].fkeys
    assert link.column == "user_id"
    assert link.choice.confidence < 0.8


def test_containment_agrees_with_sets():
    child = pd.DataFrame({"v": [1, 1, 2, 9, None, 8, 8]})
    parent = pd.DataFrame({"k": [1, 2, 3, 4]})
    tables = Tables({"child": child, "parent": parent})
    one, other = tables.declared.tables["child"], tables.declared.tables["parent"]
    found = containment(
        one, key_column(one, ("v",)), other, key_column(other, ("k",)), tables
    )
    assert (found.values, found.orphan_values) == (4, 2)
    assert (found.rows, found.orphan_rows) == (6, 3)
    assert found.share == 0.5
    assert found.coverage == 0.5


def test_a_link_that_was_not_made_says_how_to_make_it(tmp_path):
    frames = {
        "customers": pd.DataFrame({"customer_id": range(10)}),
        "orders": pd.DataFrame({"order_id": range(20), "customer_id": range(20)}),
    }
    with Database.open(frames) as db:
        (problem,) = db.schema.problems
        assert problem.could_point_at == ("customers",)
        assert "10 of 20 values are no keys of customers; not linked" in problem.text
        file = tmp_path / "said.yaml"
        file.write_text(problem.text.partition("in Python): ")[2])
    with Database.open(frames, overrides=file) as db:
        (link,) = db.schema.tables["orders"].fkeys
        assert (link.column, link.table) == ("customer_id", "customers")


def test_two_links_that_fit_alike_are_both_remembered():
    frames = {
        "users": pd.DataFrame({"user_id": [1, 2]}),
        "app_users": pd.DataFrame({"user_id": [1, 2]}),
        "log": pd.DataFrame({"log_id": [1, 2], "user_id": [1, 2]}),
    }
    (problem,) = [p for p in inferred(frames).problems if p.table == "log"]
    assert set(problem.could_point_at) == {"users", "app_users"}
    assert (
        "say which in --overrides FILE (overrides= in Python): {tables:" in problem.text
    )


def test_a_key_of_another_kind_is_told():
    customers = pd.DataFrame({"customer_id": [f"{i:05d}" for i in range(9)]})
    orders = pd.DataFrame({"customer_id": [1.0, 5.0, None, 5.0]})
    schema = inferred({"customers": customers, "orders": orders})
    assert schema.tables["orders"].fkeys == ()
    said = "holds integer where customers.customer_id is text; not linked"
    assert said in texts(schema, "orders", "customer_id")


def test_nan_in_a_key_points_nowhere_and_is_no_orphan():
    days = (
        "(SELECT CASE WHEN i % 5 = 0 THEN 'nan'::DOUBLE ELSE i % 40 END AS customer_id"
    )
    tables = {
        "customers": pd.DataFrame({"customer_id": range(40)}),
        "orders": f"{days}, i AS order_id FROM range(400) t(i))",
    }
    schema = inferred(tables)
    orders = schema.tables["orders"]
    assert orders.fkey_col_to_pkey_table == {"customer_id": "customers"}
    assert texts(schema, "orders") == ""
