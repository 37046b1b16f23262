from __future__ import annotations

import psycopg
import pytest

from benthic.errors import InputError
from benthic.relational.sources.postgres_catalog import (
    conninfo,
    read_catalog,
    read_url,
    title_of,
)


def test_a_url_keeps_its_password_for_the_server_and_shows_it_to_nobody():
    address = read_url("postgresql+psycopg://ada:p%40ss%20word@db.example:5433/shop")
    assert title_of(address) == "postgresql://ada@db.example:5433/shop"
    parts = psycopg.conninfo.conninfo_to_dict(conninfo(address))
    assert parts["password"] == "p@ss word"
    assert parts["host"] == "db.example"
    assert parts["dbname"] == "shop"
    assert parts["connect_timeout"] == "10"


def test_a_socket_folder_and_options_of_the_url_are_kept():
    address = read_url("postgres:///shop?host=/run/pg&connect_timeout=3")
    parts = psycopg.conninfo.conninfo_to_dict(conninfo(address))
    assert parts == {"host": "/run/pg", "dbname": "shop", "connect_timeout": "3"}


def test_a_url_that_cannot_be_read_is_not_repeated():
    with pytest.raises(InputError, match="cannot be read") as caught:
        read_url("postgresql://ada:secret@host:port/shop")
    assert "secret" not in str(caught.value)


def test_keys_of_all_schemas_come_for_a_role_that_owns_nothing(postgres):
    url = postgres.create(
        "keys",
        "CREATE SCHEMA b",
        "CREATE TABLE parent (x int, y int, PRIMARY KEY (y, x))",
        "CREATE TABLE b.parent (id int PRIMARY KEY)",
        "CREATE TABLE b.child (id int, one int REFERENCES b.parent, x int, y int, "
        "  price money, FOREIGN KEY (y, x) REFERENCES parent (y, x))",
    )
    catalog = read_catalog(read_url(url))
    assert list(catalog) == ["parent", "b.child", "b.parent"]
    assert catalog["parent"].pkey == ("y", "x")
    child = catalog["b.child"]
    assert child.pkey == ()
    keys = {key.columns: (key.table, key.parent_columns) for key in child.fkeys}
    assert keys == {("one",): ("b.parent", ("id",)), ("y", "x"): ("parent", ("y", "x"))}
    assert child.reads["x"] == '"x"'
    assert child.reads["price"] == '"price"::numeric::double precision'


def test_a_dot_in_a_name_and_a_schema_are_two_tables(postgres):
    url = postgres.create(
        "dots",
        "CREATE SCHEMA a",
        'CREATE TABLE "a.b" (id int PRIMARY KEY)',
        "CREATE TABLE a.b (id int PRIMARY KEY)",
        "CREATE TABLE a.c (id int PRIMARY KEY, b_id int REFERENCES a.b)",
    )
    catalog = read_catalog(read_url(url))
    assert list(catalog) == ['"public"."a.b"', '"a"."b"', "a.c"]
    assert catalog["a.c"].fkeys[0].table == '"a"."b"'
