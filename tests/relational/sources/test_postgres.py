from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import psycopg
import pytest
from tests.relational.shop import shop_frames
from tests.relational.shop_stores import differences, insert, shop_ddl

from benthic.errors import DatabaseError, InputError
from benthic.relational.database import Database

ODD = (
    "CREATE TYPE mood AS ENUM ('calm', 'rough')",
    "CREATE DOMAIN fathoms AS integer CHECK (value >= 0)",
    'CREATE SCHEMA "Deep Sea"',
    'CREATE TABLE "Ports of Call" ('
    '  "Port Id" serial PRIMARY KEY, "select" text, '
    '  "Parent" int REFERENCES "Ports of Call")',
    'CREATE TABLE "Deep Sea"."Dive" ('
    "  ship uuid, number int, "
    '  home int REFERENCES "Ports of Call", away int REFERENCES "Ports of Call", '
    "  began timestamptz NOT NULL, depth fathoms, cost numeric(10,2), mood mood, "
    "  notes jsonb, tags text[], took interval, price money, raw bytea, "
    "  PRIMARY KEY (ship, number))",
    'CREATE TABLE "Deep Sea".sample (id bigint PRIMARY KEY, ship uuid, number int, '
    '  FOREIGN KEY (ship, number) REFERENCES "Deep Sea"."Dive" (ship, number))',
    "CREATE TABLE journal (line text)",
    'CREATE TABLE twice ("A" int, a text, b int)',
    "INSERT INTO twice VALUES (1, 'x', 2)",
    "CREATE VIEW calm AS SELECT 1 AS one",
    "CREATE TABLE event (id bigint, at timestamp) PARTITION BY RANGE (at)",
    "CREATE TABLE event_2024 PARTITION OF event FOR VALUES FROM ('2024-01-01') "
    "  TO ('2025-01-01')",
    """INSERT INTO "Ports of Call" VALUES (1, 'Rhodes', NULL), (2, 'it''s', 1)""",
    """INSERT INTO "Deep Sea"."Dive" VALUES
       ('00000000-0000-0000-0000-000000000001', 1, 1, 2, '2024-03-31 01:30+01', 40,
        9.50, 'calm', '{"a": 1}', '{x,y}', '01:00', 12.5, '\\x00ff'),
       ('00000000-0000-0000-0000-000000000001', 2, 2, NULL, '2024-03-31 03:30+02', NULL,
        NULL, 'rough', NULL, NULL, NULL, NULL, NULL)""",
    """INSERT INTO "Deep Sea".sample VALUES
       (7, '00000000-0000-0000-0000-000000000001', 2), (8, NULL, 2)""",
    "INSERT INTO journal VALUES ('nothing new'), ('a whale'), (NULL)",
    "INSERT INTO event VALUES (1, '2024-02-02'), (2, '2024-03-03')",
)


@pytest.fixture(scope="module")
def shop_url(postgres: Any) -> str:
    url = postgres.create("shop", *shop_ddl())
    with psycopg.connect(postgres.url("shop", "owner")) as connection:
        cursor = connection.cursor()
        insert(cursor.executemany, "%s")
    return str(url)


@pytest.fixture(scope="module")
def odd_url(postgres: Any) -> str:
    return str(postgres.create("Odd one", *ODD))


def test_a_role_that_may_only_select_sees_all_rows_and_keys(shop_url):
    with Database.open(shop_url) as db:
        assert differences(db, shop_frames(), but=()) == []
        orders = db.schema.tables["orders"]
        assert orders.pkey_col == "order_id"
        assert orders.fkey_col_to_pkey_table == {"customer_id": "customers"}
        assert orders.fkeys[0].choice.reason.startswith("declared")
        assert "only" not in repr(db)
        assert db.title.endswith("/shop")


def test_quoted_names_schemas_and_odd_types_come_through(odd_url):
    with Database.open(odd_url) as db:
        tables = db.schema.tables
        assert set(tables) == {
            *("Ports of Call", "Deep Sea.Dive", "Deep Sea.sample"),
            *("journal", "event", "twice"),
        }
        assert tables["Ports of Call"].fkey_col_to_pkey_table == {
            "Parent": "Ports of Call"
        }
        dive = tables["Deep Sea.Dive"]
        assert dive.pkey_col == "ship+number"
        assert dive.fkey_col_to_pkey_table == {
            "home": "Ports of Call",
            "away": "Ports of Call",
        }
        sample = tables["Deep Sea.sample"]
        assert sample.fkey_col_to_pkey_table == {"ship+number": "Deep Sea.Dive"}
        rows = db.query(
            "SELECT began, depth, cost, mood, notes, tags, price, _time "
            f"FROM {db.relation('Deep Sea.Dive')} ORDER BY _row"
        )
        assert [str(value) for value in rows[0]] == [
            *("2024-03-31 00:30:00", "40", "9.5", "calm", '{"a": 1}', "['x', 'y']"),
            *("12.5", "2024-03-31 00:30:00"),
        ]
        assert str(rows[1][0]) == "2024-03-31 01:30:00"
        joined = db.query(
            f"SELECT s.id, d.number FROM {db.relation('Deep Sea.sample')} s JOIN "
            f'{db.relation("Deep Sea.Dive")} d USING ("ship+number")'
        )
        assert joined == [(7, 2)]
        assert db.query(f"SELECT count(*) FROM {db.relation('event')}") == [(2,)]
        assert db.query(f"SELECT * FROM {db.relation('twice')}") == [(1, 2, None, 0)]


def test_tables_that_the_role_may_not_read_are_left_out_with_a_note(postgres):
    postgres.execute("CREATE DATABASE partly")
    postgres.execute("CREATE ROLE guest LOGIN PASSWORD 'read only'")
    postgres.execute(
        "CREATE TABLE open_to_all (id int PRIMARY KEY)",
        "CREATE TABLE closed (id int PRIMARY KEY)",
        "CREATE TABLE child (id int PRIMARY KEY, closed_id int REFERENCES closed)",
        "GRANT SELECT ON open_to_all, child TO guest",
        database="partly",
    )
    url = postgres.url("partly").replace("reader:", "guest:")
    with Database.open(url) as db:
        assert set(db.schema.tables) == {"open_to_all", "child"}
        assert db.schema.tables["child"].fkeys == ()
        assert any(problem.table == "closed" for problem in db.schema.problems)


def test_infinite_times_are_null(postgres):
    url = postgres.create(
        "endless",
        "CREATE DOMAIN moment AS timestamptz",
        "CREATE TABLE member (member_id int PRIMARY KEY, joined_at timestamptz, "
        "  left_at timestamp, born date, seen moment)",
        "INSERT INTO member SELECT n, "
        "  '2024-01-01 00:00Z'::timestamptz + n * interval '1 day', "
        "  '2025-01-01'::timestamp + n * interval '1 day', '1990-01-01', '2024-05-01' "
        "FROM generate_series(1, 60) n",
        "INSERT INTO member VALUES "
        "  (61, 'infinity', 'infinity', 'infinity', 'infinity'), "
        "  (62, '-infinity', '-infinity', '-infinity', '-infinity')",
    )
    with Database.open(url) as db:
        rows = f"FROM {db.relation('member')} WHERE member_id > 60"
        columns = "joined_at, left_at, born, seen, _time"
        assert db.query(f"SELECT {columns} {rows}") == [(None,) * 5] * 2
        assert str(db.end_time) == "2024-03-01 00:00:00"
        assert db.schema.tables["member"].end_time_col == "left_at"
        told = {problem.column for problem in db.schema.problems}
        assert told == {"joined_at", "seen"}


def test_what_is_written_after_opening_is_not_seen(postgres):
    url = postgres.create(
        "moving",
        "CREATE TABLE t (id int PRIMARY KEY, a int, b text)",
        "INSERT INTO t SELECT n, n % 7, 'x' || n FROM generate_series(1, 60000) n",
    )
    with Database.open(url) as db:
        db.query(f"SELECT count(a) FROM {db.relation('t', ['a'])}")
        postgres.execute(
            "DELETE FROM t WHERE id % 2 = 0",
            "UPDATE t SET b = 'new'",
            database="moving",
        )
        wrong = db.query(
            f"SELECT count(*) FROM {db.relation('t', ['b', 'id'])} "
            "WHERE b <> 'x' || id OR a <> id % 7 OR _row <> id - 1"
        )
        assert wrong == [(0,)]
        count = db.query(f"SELECT count(*) FROM {db.relation('t')}")
        assert count == [(60000,)]


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (("read%20only@", "wrong@"), "password authentication failed"),
        (("/shop", "/nowhere"), 'database "nowhere" does not exist'),
        (("reader:", "nobody:"), "password authentication failed"),
        (("host=", "host=no-such-host.invalid&x="), "no-such-host.invalid"),
    ],
)
def test_a_server_that_lets_nobody_in_is_one_clear_line(shop_url, change, says):
    with pytest.raises(InputError) as caught:
        Database.open(shop_url.replace(*change))
    message = str(caught.value)
    assert says in message
    assert "\n" not in message
    assert "wrong" not in message
    assert "only@" not in message


def test_no_server_at_all_is_one_clear_line():
    with pytest.raises(InputError, match="refused") as caught:
        Database.open("postgresql://ada:secret@127.0.0.1:1/shop")
    assert "secret" not in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_server_that_goes_in_the_middle_of_a_read_is_a_database_error(
    start_postgres: Callable[[], Any],
):
    server = start_postgres()
    url = server.create(
        "big",
        "CREATE TABLE t (id int PRIMARY KEY, wide text, at timestamp)",
        "INSERT INTO t SELECT n, repeat('x', 1500), '2024-01-01'::timestamp "
        "FROM generate_series(1, 60000) n",
    )
    db = Database.open(url)
    copied = db._source._copied
    read = copied._read

    def dying(*arguments: Any) -> Any:
        for place, batch in enumerate(read(*arguments)):
            if place == 1:
                server.kill()
            yield batch

    copied._read = dying
    with pytest.raises(DatabaseError) as caught:
        db.relation("t", ["wide"])
    assert "\n" not in str(caught.value)
    assert str(caught.value).startswith("postgresql://reader@/big: reading failed")
    with pytest.raises(DatabaseError):
        db.relation("t", ["wide"])
    db.close()


def test_without_the_extra_the_remedy_names_it(monkeypatch):
    name = "benthic.relational.sources.postgres"
    monkeypatch.setitem(sys.modules, "adbc_driver_postgresql", None)
    monkeypatch.delitem(sys.modules, name, raising=False)
    import importlib

    import duckdb

    module = importlib.import_module(name)
    with pytest.raises(InputError, match=r'pip install "benthic\[postgres\]"'):
        module.Postgres(duckdb.connect(), "postgresql://ada@localhost/shop")
