from __future__ import annotations

from dataclasses import replace

import pandas as pd
import pytest
from tests.relational.bare_tables import Tables, texts

from benthic.relational.declared import Declared, DeclaredKey, DeclaredTable
from benthic.relational.inference import infer_schema
from benthic.relational.inference.composite import key_column, pointing_column


@pytest.fixture
def tables():
    """Lines of orders; shipments point at them with the columns the other way round."""
    lines = pd.DataFrame({"order": [1, 1, 2], "line": ["a", "b", "a"], "n": [1, 2, 3]})
    ships = pd.DataFrame(
        {"l": ["a", "b", None, "z"], "o": ["1", "1", "2", "2"], "at": [1, 2, 3, 4]}
    )
    bare = Tables({"lines": lines, "ships": ships})
    key = DeclaredKey(("l", "o"), "lines", ("line", "order"))
    made = {
        "lines": replace(bare.declared.tables["lines"], pkey=("order", "line")),
        "ships": replace(bare.declared.tables["ships"], fkeys=(key,)),
    }
    bare.declared = Declared(made)
    return bare


def test_child_and_parent_meet_in_one_column_each(tables):
    schema = infer_schema(tables.declared, tables)
    parent = schema.tables["lines"].columns["order+line"]
    child = schema.tables["ships"].columns["o+l"]
    assert schema.tables["ships"].fkey_col_to_pkey_table == {"o+l": "lines"}
    pairs = tables.query(
        f'SELECT "at", n FROM (SELECT *, {child.expression} AS k FROM ships) '
        f'JOIN (SELECT *, {parent.expression} AS k FROM lines) USING (k) ORDER BY "at"'
    )
    assert pairs == [(1, 1), (2, 2)]
    assert "1 of 3 rows point at no row of lines" in texts(schema, "ships", "o+l")


def test_the_parts_keep_their_own_meaning(tables):
    schema = infer_schema(tables.declared, tables)
    assert list(schema.tables["lines"].columns) == ["order", "line", "n", "order+line"]


def test_a_key_of_one_column_is_that_column():
    table = DeclaredTable("t", {"a": "BIGINT"})
    assert key_column(table, ("a",)).expression == ""


def test_a_column_of_that_name_makes_way():
    table = DeclaredTable("t", {"a": "BIGINT", "b": "BIGINT", "a+b": "BIGINT"})
    assert key_column(table, ("a", "b")).name == "a+b+"


def test_text_that_points_at_a_number_is_read_as_one():
    parent = DeclaredTable("p", {"id": "BIGINT"})
    child = DeclaredTable("c", {"p": "VARCHAR", "q": "DOUBLE"})
    key = key_column(parent, ("id",))
    assert pointing_column(child, ("p",), parent, key).dtype == "BIGINT"
    assert 'TRY_CAST("p" AS BIGINT)' in pointing_column(child, ("p",), parent, key).sql
    assert pointing_column(child, ("q",), parent, key).expression == ""
