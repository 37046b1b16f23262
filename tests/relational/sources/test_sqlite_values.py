from __future__ import annotations

import pytest

from benthic.relational.sources.sqlite_values import column_kind, column_type


@pytest.mark.parametrize(
    ("declaration", "held", "kind"),
    [
        ("INTEGER", "integer", "BIGINT"),
        ("INTEGER", "integer,null", "BIGINT"),
        ("", "real,integer", "DOUBLE"),
        ("DECIMAL(10,2)", "integer", "DOUBLE"),
        ("BOOLEAN", "integer", "BOOLEAN"),
        ("BOOLEAN", "text", "VARCHAR"),
        ("DATETIME", "text", "VARCHAR"),
        ("DATETIME", "integer", "BIGINT"),
        ("BLOB", "blob", "BLOB"),
        ("BLOB", "blob,text", "VARCHAR"),
        ("INT", "null", "BIGINT"),
        ("DOUBLE", "", "DOUBLE"),
        ("NVARCHAR(10)", "null", "VARCHAR"),
    ],
)
def test_the_values_decide_and_the_declaration_where_there_are_none(
    declaration, held, kind
):
    assert column_type(declaration, held) == kind


def test_values_of_another_class_are_converted_and_null_stays():
    assert column_kind("VARCHAR").array([1, None, 2.5, b"x\xff"]).to_pylist() == [
        *("1", None, "2.5", "x\N{REPLACEMENT CHARACTER}"),
    ]
    assert column_kind("DOUBLE").array([1, None]).to_pylist() == [1.0, None]
    assert column_kind("BOOLEAN").array([0, 1, None]).to_pylist() == [False, True, None]
    assert column_kind("BLOB").array([b"a"]).to_pylist() == [b"a"]
    assert column_kind("BIGINT").array([2**63 - 1]).to_pylist() == [2**63 - 1]
