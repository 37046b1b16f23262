from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.relational.bare_tables import Tables, inferred, stripped, texts

from benthic.errors import InputError
from benthic.relational.declared import Declared, DeclaredKey
from benthic.relational.inference import infer_schema
from benthic.relational.overrides import read_overrides
from benthic.relational.schema import SType

DATABASES = ["rel-f1", "rel-oulad", "rel-bicyclesmeta", "sakila", "chinook"]


@pytest.fixture(scope="module", params=DATABASES)
def public(request):
    tables, truth = stripped(request.param)
    return infer_schema(tables.declared, tables), truth


def test_the_keys_of_public_databases_are_found(public):
    schema, truth = public
    found = {name: schema.tables[name].pkey_col for name in truth}
    assert found == {name: facts["pkey"] for name, facts in truth.items()}


def test_the_links_of_public_databases_are_found_and_no_others(public):
    schema, truth = public
    found = {name: schema.tables[name].fkey_col_to_pkey_table for name in truth}
    assert found == {name: facts["fkeys"] for name, facts in truth.items()}


def test_the_times_of_public_databases_are_found_and_no_others(public):
    schema, truth = public
    known = {name: facts for name, facts in truth.items() if "time_col" in facts}
    found = {name: schema.tables[name].time_col for name in known}
    assert found == {name: facts["time_col"] for name, facts in known.items()}


def test_what_is_not_declared_carries_its_reason(public):
    schema, _ = public
    for table in schema.tables.values():
        assert table.choices["pkey_col"].reason != "declared"
        assert all(0 < key.choice.confidence < 1 for key in table.fkeys)
        assert all(column.choice.reason for column in table.columns.values())


def test_the_bank_is_found(small_bank):
    made = small_bank
    schema = inferred(made.tables)
    for name in made.tables:
        table = schema.tables[name]
        assert table.pkey_col == made.primary_keys[name]
        assert table.fkey_col_to_pkey_table == made.foreign_keys.get(name, {})
        assert table.time_col == made.time_columns.get(name)


@settings(max_examples=10)
@given(data=st.data())
def test_the_order_of_rows_changes_nothing(data):
    rng = np.random.default_rng(data.draw(st.integers(0, 2**32 - 1)))
    num_users, num_orders = data.draw(st.integers(1, 12)), data.draw(st.integers(0, 40))
    days = pd.Timestamp("2021-01-01") + pd.to_timedelta(
        rng.integers(0, 900, num_orders), unit="D"
    )
    frames = {
        "users": pd.DataFrame(
            {"id": range(num_users), "country": rng.choice(["a", "b"], num_users)}
        ),
        "orders": pd.DataFrame(
            {
                "order_id": rng.permutation(num_orders),
                "user_id": rng.integers(0, num_users + 2, num_orders),
                "parent_id": rng.integers(0, num_orders + 1, num_orders),
                "placed": days.astype(str),
                "paid_at": rng.integers(10**9, 2 * 10**9, num_orders),
                "note": rng.choice(["x y", "z", "", "a;b"], num_orders),
                "amount": rng.normal(size=num_orders),
            }
        ),
    }
    shuffled = {
        name: frame.iloc[rng.permutation(len(frame))].reset_index(drop=True)
        for name, frame in frames.items()
    }
    assert inferred(frames) == inferred(shuffled)


def with_keys(tables: Tables, **facts) -> Declared:
    made = dict(tables.declared.tables)
    for name, said in facts.items():
        made[name] = replace(made[name], **said)
    return Declared(made, (("lost", "points into a schema that may not be read"),))


@pytest.fixture
def shop():
    users = pd.DataFrame({"id": [1, 2, 3], "mail": ["a", "b", "c"], "n": [7, 7, 8]})
    orders = pd.DataFrame(
        {"id": range(4), "buyer": [1, 2, 2, 9], "by": ["a", "b", None, "z"]}
    )
    return Tables({"users": users, "orders": orders})


def test_declared_keys_win_and_are_certain(shop):
    link = DeclaredKey(("buyer",), "users", ("id",))
    declared = with_keys(shop, users={"pkey": ("id",)}, orders={"fkeys": (link,)})
    schema = infer_schema(declared, shop)
    (found,) = schema.tables["orders"].fkeys
    assert (found.column, found.table, found.choice.confidence) == ("buyer", "users", 1)
    assert "1 of 4 rows point at no row of users" in texts(schema, "orders", "buyer")


def test_what_the_source_left_out_is_told(shop):
    assert "may not be read" in texts(infer_schema(with_keys(shop), shop), "lost")


def test_a_column_that_a_declared_key_points_at_is_the_key(shop):
    link = DeclaredKey(("by",), "users", ("mail",))
    schema = infer_schema(with_keys(shop, orders={"fkeys": (link,)}), shop)
    assert schema.tables["users"].pkey_col == "mail"
    assert schema.tables["orders"].fkey_col_to_pkey_table == {"by": "users"}


def test_a_declared_key_at_another_column_than_the_key_is_told(shop):
    link = DeclaredKey(("by",), "users", ("mail",))
    declared = with_keys(shop, users={"pkey": ("id",)}, orders={"fkeys": (link,)})
    schema = infer_schema(declared, shop)
    assert schema.tables["orders"].fkeys == ()
    text = texts(schema, "orders", "by")
    assert "points at users.mail, which is not used as users's key" in text


def overridden(tables: Tables, entries):
    declared = tables.declared
    said = read_overrides({"tables": entries}, declared)
    return infer_schema(declared, tables, said)


def test_what_the_user_says_wins(shop):
    schema = overridden(
        shop,
        {
            "users": {"pkey": "mail", "stypes": {"n": "categorical"}},
            "orders": {"pkey": None, "fkeys": {"by": "users"}, "ignore": ["buyer"]},
        },
    )
    users, orders = schema.tables["users"], schema.tables["orders"]
    assert users.pkey_col == "mail"
    assert users.choices["pkey_col"].reason == "given in overrides"
    assert users.columns["n"].stype is SType.categorical
    assert orders.pkey_col is None
    assert orders.fkey_col_to_pkey_table == {"by": "users"}
    assert "buyer" not in orders.columns


def test_an_ignored_table_takes_its_links_along(shop):
    link = DeclaredKey(("buyer",), "users", ("id",))
    declared = with_keys(shop, orders={"fkeys": (link,)})
    said = read_overrides({"tables": {"users": {"ignore": True}}}, declared)
    schema = infer_schema(declared, shop, said)
    assert list(schema.tables) == ["orders"]
    assert schema.tables["orders"].fkeys == ()


def test_a_link_can_be_removed():
    frames = {
        "users": pd.DataFrame({"id": [1, 2]}),
        "orders": pd.DataFrame({"id": [5, 6], "user_id": [1, 2]}),
    }
    schema = overridden(Tables(frames), {"orders": {"fkeys": {"user_id": None}}})
    assert schema.tables["orders"].fkeys == ()


def test_times_can_be_given_and_removed():
    days = pd.date_range("2020-01-01", periods=3)
    tables = Tables({"t": pd.DataFrame({"created": days, "done": days, "end": days})})
    given_ = overridden(tables, {"t": {"time": "done", "end_time": None}}).tables["t"]
    assert (given_.time_col, given_.end_time_col) == ("done", None)
    none = overridden(tables, {"t": {"time": None}}).tables["t"]
    assert (none.time_col, none.choices["time_col"].confidence) == (None, 1)


def test_a_number_that_the_user_calls_a_time_needs_no_name():
    tables = Tables({"t": pd.DataFrame({"x": [1614859200, 1614859300]})})
    assert (
        inferred({"t": pd.DataFrame({"x": [1614859200]})}).tables["t"].time_col is None
    )
    found = overridden(tables, {"t": {"time": "x"}}).tables["t"]
    assert found.time_col == "x"
    assert found.columns["x"].dtype == "TIMESTAMP"


@pytest.mark.parametrize(
    ("entries", "words"),
    [
        ({"users": {"pkey": "n"}}, "tables.users.pkey: .*1 of 3 rows repeat a value"),
        ({"users": {"time": "n"}}, "n, which holds no times"),
        ({"users": {"stypes": {"mail": "timestamp"}}}, "mail, which holds no times"),
        (
            {"users": {"pkey": None}, "orders": {"fkeys": {"by": "users"}}},
            "tables.orders.fkeys.by: found users, which has no primary key",
        ),
    ],
)
def test_what_the_data_cannot_bear_is_refused(shop, entries, words):
    with pytest.raises(InputError, match=words):
        overridden(shop, entries)


def test_a_time_that_the_user_names_is_one_where_any_value_is_read():
    values = ["2021-03-04 12:00", *["unknown"] * 3]
    tables = Tables({"t": pd.DataFrame({"id": range(4), "note": values})})
    assert infer_schema(tables.declared, tables).tables["t"].time_col is None
    said = read_overrides({"tables": {"t": {"time": "note"}}}, tables.declared)
    schema = infer_schema(tables.declared, tables, said)
    assert schema.tables["t"].time_col == "note"
    assert "no time in 3 of 4 rows; such rows are never visible" in texts(schema, "t")


def test_a_time_that_the_user_names_and_two_orders_fit_is_refused_with_both():
    tables = Tables({"t": pd.DataFrame({"id": [1, 2], "on": ["01/02/21", "03/04/21"]})})
    said = read_overrides({"tables": {"t": {"time": "on"}}}, tables.declared)
    with pytest.raises(InputError, match="fit %d/%m/%y and %m/%d/%y alike"):
        infer_schema(tables.declared, tables, said)


def test_who_says_that_a_table_has_no_time_is_told_of_none_that_cannot_be_read():
    tables = Tables({"t": pd.DataFrame({"id": [1, 2], "day": [3, 4]})})
    assert "named like a time" in texts(infer_schema(tables.declared, tables), "t")
    said = read_overrides({"tables": {"t": {"time": None}}}, tables.declared)
    assert "time" not in texts(infer_schema(tables.declared, tables, said), "t")


def test_the_order_in_which_a_catalogue_lists_keys_is_not_seen():
    frames = {
        "a": pd.DataFrame({"a_id": range(9)}),
        "b": pd.DataFrame({"b_id": range(9)}),
        "c": pd.DataFrame({"c_id": range(9), "a_id": range(9), "b_id": range(9)}),
    }
    tables = Tables(frames)
    inferred_keys = infer_schema(tables.declared, tables).tables["c"].fkeys
    listed = tuple(DeclaredKey((f"{p}_id",), p, (f"{p}_id",)) for p in "ba")
    known = {
        name: replace(table, pkey=(f"{name}_id",), fkeys=listed if name == "c" else ())
        for name, table in tables.declared.tables.items()
    }
    keys = infer_schema(Declared(known), tables).tables["c"].fkeys
    assert [key.column for key in inferred_keys] == ["a_id", "b_id"]
    assert [key.column for key in keys] == ["a_id", "b_id"]
