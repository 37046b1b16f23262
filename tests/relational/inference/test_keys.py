from __future__ import annotations

from dataclasses import replace

import pandas as pd
import pytest
from tests.relational.bare_tables import Tables, inferred, texts

from benthic.relational.declared import Declared, DeclaredKey
from benthic.relational.inference import infer_schema
from benthic.relational.inference.keys import duplicates


def key_of(table: str, **columns):
    return inferred({table: pd.DataFrame(columns)}).tables[table].pkey_col


@pytest.mark.parametrize(
    ("table", "column"),
    [
        ("customers", "id"),
        ("customers", "customer_id"),
        ("Customer", "CustomerID"),
        ("customers", "customerid"),
        ("order_items", "item_id"),
        ("order_items", "order_item_id"),
        ("qualifying", "qualifyId"),
        ("people", "person_key"),
        ("sales.dim_product", "product_sk"),
        ("users", "uuid"),
        ("student", "id_student"),
        ("accounts", "account_no"),
        ("currencies", "code"),
    ],
)
def test_a_unique_column_named_like_the_key_is_the_key(table, column):
    # "sk" and "no" say key less clearly than "id": being first decides
    assert key_of(table, **{column: ["a", "b", "c"], "amount": [3, 1, 2]}) == column


def test_the_reason_says_name_and_data():
    frame = pd.DataFrame({"customer_id": range(412)})
    choice = inferred({"customers": frame}).tables["customers"].choices["pkey_col"]
    assert "named like the key of customers" in choice.reason
    assert "412 of 412 values are unique" in choice.reason
    assert 0.9 < choice.confidence < 1


def test_a_unique_amount_is_no_key():
    assert key_of("races", amount=[3, 1, 2], milliseconds=[30, 10, 20]) is None


def test_a_unique_column_named_after_another_table_points_there():
    films = pd.DataFrame({"film_id": [1, 2, 3]})
    kinds = pd.DataFrame({"film_id": [1, 2, 3], "category": ["a", "b", "a"]})
    schema = inferred({"film": films, "film_category": kinds})
    assert schema.tables["film_category"].pkey_col is None
    assert schema.tables["film_category"].fkey_col_to_pkey_table == {"film_id": "film"}


def test_a_key_that_repeats_is_told_and_not_used():
    schema = inferred({"users": pd.DataFrame({"id": [1, 1, 2, None]})})
    assert schema.tables["users"].pkey_col is None


def test_repeats_and_nulls_are_counted():
    schema = inferred({"users": pd.DataFrame({"id": ["a", "a", "b", None]})})
    text = texts(schema, "users", "id")
    assert "1 of 4 rows repeat a value and 1 are NULL" in text
    assert "not used as a key" in text


def test_two_keys_alike_are_both_told_and_none_is_chosen():
    frame = pd.DataFrame({"n": [1, 2], "uuid": ["x", "y"], "guid": ["p", "q"]})
    schema = inferred({"users": frame})
    assert schema.tables["users"].pkey_col is None
    assert "guid and uuid could each be the primary key" in texts(schema, "users")


def test_id_wins_over_uuid():
    assert key_of("users", uuid=["x", "y"], id=[1, 2]) == "id"


def test_long_texts_are_no_keys():
    assert key_of("notes", key=["x" * 70 + str(i) for i in range(5)]) is None


def test_an_empty_table_has_its_key_by_name():
    frame = pd.DataFrame({"user_id": pd.Series([], dtype="int64")})
    table = inferred({"users": frame}).tables["users"]
    assert table.pkey_col == "user_id"
    assert table.choices["pkey_col"].confidence == 0.5


def declared(frame, pkey):
    tables = Tables({"users": frame})
    facts = tables.declared.tables["users"]
    tables.declared = replace(
        tables.declared, tables={"users": replace(facts, pkey=pkey)}
    )
    return infer_schema(tables.declared, tables)


def test_a_declared_key_is_taken_as_it_is():
    table = declared(pd.DataFrame({"id": [1, 2], "x": [5, 6]}), ("x",)).tables["users"]
    assert table.pkey_col == "x"
    assert table.choices["pkey_col"].reason == "declared"
    assert table.choices["pkey_col"].confidence == 1


def test_a_declared_key_that_repeats_is_not_used():
    schema = declared(pd.DataFrame({"id": [1, 2], "x": [5, 5]}), ("x",))
    assert schema.tables["users"].pkey_col is None
    assert "declared as primary key, but 1 of 2 rows" in texts(schema, "users", "x")


def test_a_declared_key_with_nulls_is_kept_and_told():
    schema = declared(pd.DataFrame({"x": ["a", None]}), ("x",))
    assert schema.tables["users"].pkey_col == "x"
    assert "1 of 2 rows have no primary key" in texts(schema, "users", "x")


def test_a_declared_key_of_two_columns_becomes_one():
    frame = pd.DataFrame({"a": [1, 1], "b": ["x", "y"]})
    schema = declared(frame, ("a", "b"))
    table = schema.tables["users"]
    assert table.pkey_col == "a+b"
    assert table.columns["a+b"].sources == ("a", "b")


@pytest.mark.parametrize(
    ("columns", "rows", "key"),
    [(("oid", "line"), 0, None), (("oid", "line"), 2, None), (("oid",), 0, None)],
)
def test_a_part_of_a_declared_foreign_key_is_no_key(columns, rows, key):
    frame = pd.DataFrame({"oid": [1, 2], "line": [1, 2]})[:rows]
    tables = Tables({"lines": pd.DataFrame({"oid": [1], "line": [1]}), "note": frame})
    facts = tables.declared.tables
    link = DeclaredKey(columns, "lines", columns)
    note = replace(facts["note"], fkeys=(link,))
    declared = Declared({"lines": replace(facts["lines"], pkey=columns), "note": note})
    assert infer_schema(declared, tables).tables["note"].pkey_col == key


def test_duplicates_agree_with_pandas():
    frame = pd.DataFrame({"a": [1, 1, 1, None, 2], "b": [1, 1, 2, 2, None]})
    tables = Tables({"t": frame})
    found = duplicates(tables.declared.tables["t"], ("a", "b"), tables)
    filled = frame.dropna()
    assert found.nulls == len(frame) - len(filled)
    assert found.distinct == len(filled.drop_duplicates())
    assert found.repeated == filled.duplicated().sum()
