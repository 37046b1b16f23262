from __future__ import annotations

import pytest

from benthic.errors import InputError
from benthic.relational.declared import Declared, DeclaredKey, DeclaredTable
from benthic.relational.overrides import overrides_beside, read_overrides
from benthic.relational.schema import SType

USERS = DeclaredTable(
    "users", {"id": "BIGINT", "since": "DATE", "zip": "BIGINT"}, ("id",)
)
ORDERS = DeclaredTable(
    "orders",
    {"order_id": "BIGINT", "buyer": "BIGINT", "placed": "DATE", "closed": "DATE"},
    fkeys=(DeclaredKey(("buyer",), "users", ("id",)),),
)
DECLARED = Declared({"users": USERS, "orders": ORDERS})

YAML = """
tables:
  users: {stypes: {zip: categorical}, time: null}
  orders:
    pkey: order_id
    time: placed
    end_time: closed
    fkeys: {buyer: users}
"""
TOML = """
[tables.users]
stypes = { zip = "categorical" }
time = "since"
[tables.orders]
pkey = "order_id"
fkeys = { buyer = "users" }
"""


def test_a_yaml_file_is_read(tmp_path):
    path = tmp_path / "shop.schema.yaml"
    path.write_text(YAML)
    said = read_overrides(path, DECLARED)
    assert said.source == str(path)
    assert said.table("users").stypes == {"zip": SType.categorical}
    assert said.table("users").given == {"time"}
    assert said.table("orders").pkey == ("order_id",)
    assert said.table("orders").fkeys == {"buyer": "users"}


def test_a_toml_file_is_read(tmp_path):
    pytest.importorskip("tomllib")
    path = tmp_path / "shop.schema.toml"
    path.write_text(TOML)
    said = read_overrides(str(path), DECLARED)
    assert said.table("users").time == "since"
    assert said.table("orders").fkeys == {"buyer": "users"}


def test_an_empty_file_says_nothing(tmp_path):
    path = tmp_path / "schema.yaml"
    path.write_text("")
    assert read_overrides(path, DECLARED).amended(DECLARED) == DECLARED


def test_the_declared_facts_are_amended():
    said = read_overrides(
        {
            "tables": {
                "users": {"pkey": None, "time": None},
                "orders": {"fkeys": {"buyer": None}, "ignore": ["closed"]},
            }
        },
        DECLARED,
    )
    amended = said.amended(DECLARED)
    assert amended.tables["users"].pkey == ()
    assert amended.tables["users"].static
    assert amended.tables["orders"].fkeys == ()
    assert list(amended.tables["orders"].columns) == ["order_id", "buyer", "placed"]


def test_a_composite_key_is_a_list():
    entries = {"tables": {"orders": {"pkey": ["order_id", "buyer"]}}}
    assert read_overrides(entries, DECLARED).table("orders").pkey == (
        "order_id",
        "buyer",
    )


@pytest.mark.parametrize(
    ("entries", "words"),
    [
        ({"table": {}}, "overrides: table: found 'table'.*did you mean tables"),
        ({"tables": {"user": {}}}, "tables.user: .*did you mean users"),
        ({"tables": {"USERS": {}}}, "did you mean users"),
        ({"tables": {"xyz": {}}}, "name a table of: users, orders"),
        ({"tables": {"users": {"pk": "id"}}}, "tables.users.pk: .*did you mean pkey"),
        ({"tables": {"users": {"pkey": "idd"}}}, "users.pkey: .*did you mean id"),
        ({"tables": {"users": {"pkey": 3}}}, "found 3, which is not a column"),
        ({"tables": {"users": {"pkey": []}}}, "an empty list"),
        ({"tables": {"users": {"time": ["since"]}}}, "is not a column"),
        ({"tables": {"orders": {"fkeys": {"buyer": "user"}}}}, "did you mean users"),
        ({"tables": {"orders": {"fkeys": ["buyer"]}}}, "write entries as NAME: VALUE"),
        ({"tables": {"users": {"stypes": {"zip": "categoric"}}}}, "categorical?"),
        ({"tables": {"users": {"ignore": "zip"}}}, "list columns, or write true"),
        ({"tables": {"users": {"ignore": ["zipp"]}}}, "did you mean zip"),
        ({"tables": {"users": {"ignore": ["id"], "pkey": "id"}}}, "needs"),
        (
            {
                "tables": {
                    "users": {"ignore": True},
                    "orders": {"fkeys": {"buyer": "users"}},
                }
            },
            "users, which is ignored",
        ),
        ({"tables": ["users"]}, "NAME: VALUE"),
        ([], "NAME: VALUE"),
    ],
)
def test_a_wrong_entry_is_named_with_the_nearest_right_one(tmp_path, entries, words):
    if isinstance(entries, list):
        path = tmp_path / "schema.yaml"
        path.write_text("- a\n- b\n")
        entries = path
    with pytest.raises(InputError, match=words) as caught:
        read_overrides(entries, DECLARED)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["a.yaml", "a.toml"])
def test_a_file_that_cannot_be_parsed_is_named(tmp_path, name):
    path = tmp_path / name
    path.write_text("tables: [}\n=")
    with pytest.raises(InputError, match=f"{name}, which is no") as caught:
        read_overrides(path, DECLARED)
    assert "\n" not in str(caught.value)


def test_a_file_that_is_not_there_is_named(tmp_path):
    with pytest.raises(InputError, match=r"gone\.yaml: No such file"):
        read_overrides(tmp_path / "gone.yaml", DECLARED)


def test_a_file_that_is_no_text_is_named(tmp_path):
    path = tmp_path / "a.yaml"
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(InputError, match="no UTF-8 text"):
        read_overrides(path, DECLARED)


def test_overrides_lie_in_the_folder_or_beside_the_file(tmp_path):
    database = tmp_path / "shop.duckdb"
    database.write_text("")
    assert overrides_beside(database) is None
    beside = tmp_path / "shop.schema.yml"
    beside.write_text("")
    assert overrides_beside(database) == beside
    inside = tmp_path / "schema.yaml"
    inside.write_text("")
    assert overrides_beside(tmp_path) == inside
