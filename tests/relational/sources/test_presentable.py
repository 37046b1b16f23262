from __future__ import annotations

from benthic.relational.declared import Declared, DeclaredKey, DeclaredTable
from benthic.relational.sources.presentable import presentable


def test_what_is_fine_stays_as_it_is():
    key = DeclaredKey(("up",), "t", ("id",))
    table = DeclaredTable("t", {"id": "BIGINT", "up": "BIGINT"}, ("id",), (key,))
    declared = Declared({"t": table})
    assert presentable(declared) == declared


def test_of_names_that_differ_only_by_case_the_first_stays():
    tables = {
        "Orders": DeclaredTable("Orders", {"id": "BIGINT", "ID": "TEXT"}, ("ID",)),
        "orders": DeclaredTable("orders", {"id": "BIGINT"}),
        "child": DeclaredTable(
            "child",
            {"a": "BIGINT", "b": "BIGINT"},
            fkeys=(
                DeclaredKey(("a",), "Orders", ("id",)),
                DeclaredKey(("b",), "Orders", ("ID",)),
                DeclaredKey(("a",), "orders", ("id",)),
            ),
        ),
    }
    kept = presentable(Declared(tables))
    assert list(kept.tables) == ["Orders", "child"]
    assert list(kept.tables["Orders"].columns) == ["id"]
    assert kept.tables["Orders"].pkey == ()
    assert kept.tables["child"].fkeys == (DeclaredKey(("a",), "Orders", ("id",)),)
    assert [name for name, _ in kept.notes] == ["orders", "Orders"]


def test_names_of_our_own_columns_are_left_out_in_any_case():
    table = DeclaredTable("t", {"_TIME": "DATE", "_row": "BIGINT", "a": "BIGINT"})
    kept = presentable(Declared({"t": table}, (("t", "seen"),)))
    assert list(kept.tables["t"].columns) == ["a"]
    assert len(kept.notes) == 3
