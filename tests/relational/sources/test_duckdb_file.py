from __future__ import annotations

import os
import shutil
import subprocess
import sys
import textwrap
from pathlib import Path

import duckdb
import pytest
from tests.relational.shop import shop_frames
from tests.relational.shop_stores import differences, write_duckdb

from benthic.errors import InputError
from benthic.relational.database import Database
from benthic.relational.sql import quoted


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return write_duckdb(tmp_path / "shop.duckdb")


def make(path: Path, *statements: str) -> Path:
    with duckdb.connect(str(path)) as connection:
        for statement in statements:
            connection.execute(statement)
    return path


def test_rows_and_declared_keys_come_as_they_are(file):
    with Database.open(file) as db:
        assert differences(db, shop_frames(), but=()) == []
        reviews = db.schema.tables["reviews"]
        assert reviews.pkey_col == "review_id"
        assert reviews.fkey_col_to_pkey_table == {
            "customer_id": "customers",
            "product_id": "products",
        }
        assert {key.choice.reason for key in reviews.fkeys} == {"declared"}


def test_the_file_is_the_same_to_the_byte_also_with_a_log_beside_it(tmp_path):
    file = tmp_path / "logged.duckdb"
    program = f"""
        import duckdb, os
        connection = duckdb.connect({str(file)!r})
        connection.execute("CREATE TABLE t (id INTEGER PRIMARY KEY, placed TIMESTAMP)")
        connection.execute("INSERT INTO t VALUES (1, '2024-01-01')")
        os._exit(0)
    """
    subprocess.run([sys.executable, "-c", textwrap.dedent(program)], check=True)
    before = {place.name: place.read_bytes() for place in tmp_path.iterdir()}
    assert "logged.duckdb.wal" in before
    with Database.open(file) as db:
        assert db.query(f"SELECT count(*) FROM {db.relation('t')}") == [(1,)]
        str(db.end_time)
    assert {place.name: place.read_bytes() for place in tmp_path.iterdir()} == before


def test_schemas_quoted_names_composite_and_self_references(tmp_path):
    port = quoted('Port "A"')
    file = make(
        tmp_path / "odd.duckdb",
        'CREATE SCHEMA "Deep Sea"',
        f'CREATE TABLE {port} ("Port Id" INT PRIMARY KEY, "select" TEXT, rowid INT,'
        f' "Up" INT REFERENCES {port} ("Port Id"))',
        'CREATE TABLE "Deep Sea"."Dive" (ship TEXT, n INT, PRIMARY KEY (ship, n))',
        'CREATE TABLE "Deep Sea".sample (id INT PRIMARY KEY, ship TEXT, n INT, '
        'FOREIGN KEY (ship, n) REFERENCES "Deep Sea"."Dive" (ship, n))',
        "CREATE TABLE journal (line TEXT, _time TEXT)",
        "CREATE VIEW calm AS SELECT 1 AS one",
        f"INSERT INTO {port} VALUES (1, 'x', 9, NULL)",
        f"INSERT INTO {port} VALUES (2, 'y', 8, 1)",
        "INSERT INTO \"Deep Sea\".\"Dive\" VALUES ('a', 1), ('a', 2)",
        "INSERT INTO \"Deep Sea\".sample VALUES (5, 'a', 2), (6, NULL, 1)",
        "INSERT INTO journal VALUES ('one', 'x'), ('two', 'y')",
    )
    with Database.open(file) as db:
        tables = db.schema.tables
        assert set(tables) == {
            'Port "A"',
            "Deep Sea.Dive",
            "Deep Sea.sample",
            "journal",
        }
        assert tables['Port "A"'].fkey_col_to_pkey_table == {"Up": 'Port "A"'}
        sample = tables["Deep Sea.sample"]
        assert sample.fkey_col_to_pkey_table == {"ship+n": "Deep Sea.Dive"}
        joined = db.query(
            f"SELECT s.id, d.n FROM {db.relation('Deep Sea.sample')} s JOIN "
            f'{db.relation("Deep Sea.Dive")} d USING ("ship+n")'
        )
        assert joined == [(5, 2)]
        rows = db.query(f"SELECT _row, line, _time FROM {db.relation('journal')}")
        assert rows == [(0, "one", None), (1, "two", None)]
        assert any("'_time' is left out" in p.text for p in db.schema.problems)
        port = db.relation('Port "A"')
        numbered = db.query(f"SELECT rowid, _row FROM {port} ORDER BY _row")
        assert numbered == [(9, 0), (8, 1)]


def test_two_may_read_one_file_and_a_writer_is_named(file):
    with Database.open(file) as one, Database.open(file) as two:
        assert repr(one) == repr(two)
    with duckdb.connect(str(file)), pytest.raises(InputError, match="read_only=True"):
        Database.open(file)
    with Database.open(file) as db:
        assert len(db.schema.tables) == 8


def test_a_file_that_another_program_writes_to_is_one_clear_line(file):
    program = f"""
        import duckdb, sys
        connection = duckdb.connect({str(file)!r})
        print("open", flush=True)
        sys.stdin.readline()
    """
    with subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(program)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as writer:
        assert writer.stdout is not None
        assert writer.stdin is not None
        writer.stdout.readline()
        with pytest.raises(InputError, match="a program is writing to it") as caught:
            Database.open(file)
        writer.stdin.write("\n")
    assert "\n" not in str(caught.value)


def test_damaged_and_foreign_files_are_one_clear_line(file, tmp_path):
    content = file.read_bytes()
    newer = tmp_path / "newer.duckdb"
    newer.write_bytes(content[:12] + b"\xff\x0f" + content[14:])
    cut = tmp_path / "cut.duckdb"
    cut.write_bytes(content[:100])
    for damaged in (newer, cut):
        with pytest.raises(InputError) as caught:
            Database.open(damaged)
        assert str(caught.value).startswith(f"database: found {damaged}")
        assert "\n" not in str(caught.value)


def test_an_encrypted_file_is_refused(tmp_path):
    file = tmp_path / "secret.duckdb"
    connection = duckdb.connect()
    try:
        connection.execute("SET force_mbedtls_unsafe = 'true'")
        connection.execute(f"ATTACH '{file}' AS s (ENCRYPTION_KEY 'deep')")
    except duckdb.Error as error:  # a DuckDB without this
        pytest.skip(str(error))
    connection.execute("CREATE TABLE s.t (a INT)")
    connection.close()
    with pytest.raises(InputError, match="encrypted"):
        Database.open(file)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may become somebody else")
def test_a_file_that_may_not_be_read_is_one_clear_line(file, tmp_path):
    closed = tmp_path / "closed.duckdb"
    shutil.copy(file, closed)
    closed.chmod(0)
    program = f"""
        import os, sys
        from benthic.errors import InputError
        from benthic.relational.database import Database
        os.setuid(65534)
        try:
            Database.open({str(closed)!r})
        except InputError as error:
            print(error)
    """
    for folder in (tmp_path, *tmp_path.parents[:3]):
        folder.chmod(folder.stat().st_mode | 0o055)
    run = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program)],
        capture_output=True,
        text=True,
        check=True,
    )
    assert "permission denied" in run.stdout
    assert run.stdout.count("\n") == 1


def test_a_database_without_tables_is_one_clear_line(tmp_path):
    file = make(tmp_path / "empty.duckdb", "SELECT 1")
    with pytest.raises(InputError, match=r"no table in empty\.duckdb"):
        Database.open(file)


def test_a_dot_in_a_name_and_a_schema_are_two_tables(tmp_path):
    file = make(
        tmp_path / "dots.duckdb",
        "CREATE SCHEMA a",
        'CREATE TABLE "a.b" (id INT PRIMARY KEY, x INT)',
        "CREATE TABLE a.b (id INT PRIMARY KEY, y INT)",
        "CREATE TABLE a.c (id INT PRIMARY KEY, b_id INT REFERENCES a.b (id))",
        'INSERT INTO "a.b" VALUES (1, 10)',
        "INSERT INTO a.b VALUES (1, 20), (2, 30)",
        "INSERT INTO a.c VALUES (7, 2)",
    )
    with Database.open(file) as db:
        tables = db.schema.tables
        assert list(tables) == ['"main"."a.b"', '"a"."b"', "a.c"]
        assert tables["a.c"].fkey_col_to_pkey_table == {"b_id": '"a"."b"'}
        for name, total in (('"main"."a.b"', (10,)), ('"a"."b"', (50,))):
            column = "x" if total == (10,) else "y"
            sql = f"SELECT sum({column}) FROM {db.relation(name)}"
            assert db.query(sql) == [total]
