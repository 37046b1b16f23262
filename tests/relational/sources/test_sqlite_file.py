from __future__ import annotations

import os
import sqlite3
from pathlib import Path

import pytest
from tests.relational.shop import shop_frames
from tests.relational.shop_stores import differences, write_sqlite

from benthic.errors import DatabaseError, InputError
from benthic.relational.database import Database

NUMBERS = (
    "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 60000)"
)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return write_sqlite(tmp_path / "shop.sqlite")


def make(path: Path, *statements: str) -> Path:
    connection = sqlite3.connect(path)
    for statement in statements:
        connection.execute(statement)
    connection.commit()
    connection.close()
    return path


def contents(folder: Path) -> dict[str, bytes]:
    return {place.name: place.read_bytes() for place in folder.iterdir()}


def test_rows_and_declared_keys_come_as_they_are(file):
    with Database.open(file) as db:
        assert differences(db, shop_frames()) == []
        orders = db.schema.tables["orders"]
        assert orders.columns["placed_at"].dtype == "TIMESTAMP"
        assert orders.time_col == "placed_at"
        assert orders.fkey_col_to_pkey_table == {"customer_id": "customers"}
        assert orders.fkeys[0].choice.reason == "declared"


@pytest.mark.parametrize("mode", ["delete", "wal"])
def test_the_file_is_the_same_to_the_byte_and_nothing_is_left_beside_it(file, mode):
    make(file, f"PRAGMA journal_mode = {mode}")
    before = contents(file.parent)
    with Database.open(file) as db:
        for table in db.schema.tables:
            db.query(f"SELECT count(*) FROM {db.relation(table)}")
        str(db.end_time)
        assert contents(file.parent) == before
    assert contents(file.parent) == before


def test_a_log_in_a_folder_that_may_not_be_written_is_read(file):
    make(file, "PRAGMA journal_mode = wal")
    file.chmod(0o444)
    file.parent.chmod(0o555)
    try:
        with Database.open(file) as db:
            assert differences(db, shop_frames()) == []
    finally:
        file.parent.chmod(0o755)


def test_rows_that_another_program_has_in_its_log_are_seen(file):
    writer = sqlite3.connect(file)
    writer.execute("PRAGMA journal_mode = wal")
    writer.execute("INSERT INTO regions VALUES (4, 'FR', 1)")
    writer.commit()
    before = contents(file.parent)
    assert "shop.sqlite-wal" in before
    with Database.open(file) as db:
        rows = db.query(f"SELECT count(*) FROM {db.relation('regions')}")
        assert rows == [(4,)]
    after = contents(file.parent)
    assert {name: after[name] for name in after if not name.endswith("-shm")} == {
        name: before[name] for name in before if not name.endswith("-shm")
    }
    writer.close()


def test_a_file_that_is_written_to_while_it_is_read_as_immutable_is_noticed(tmp_path):
    file = make(
        tmp_path / "t.sqlite",
        "PRAGMA journal_mode = wal",
        "CREATE TABLE t (id INTEGER PRIMARY KEY, a INT, b INT)",
        f"{NUMBERS} INSERT INTO t SELECT i, i, i FROM n",
    )
    with Database.open(file) as db:
        db.relation("t", ["a"])
        make(file, "DELETE FROM t WHERE id = 1")
        with pytest.raises(DatabaseError, match="open it again"):
            db.relation("t", ["b"])


def test_a_table_that_changed_between_two_reads_is_read_anew(tmp_path):
    file = make(
        tmp_path / "t.sqlite",
        "CREATE TABLE t (id INTEGER PRIMARY KEY, a INT, b INT)",
        f"{NUMBERS} INSERT INTO t SELECT i, i, i FROM n",
    )
    with Database.open(file) as db:
        db.query(f"SELECT sum(a) FROM {db.relation('t', ['a'])}")
        make(file, "DELETE FROM t WHERE id = 1", "INSERT INTO t VALUES (99999, 7, 7)")
        sql = f"SELECT count(*) FROM {db.relation('t', ['a', 'b'])} WHERE a = b"
        assert db.query(sql) == [(60000,)]


def test_large_tables_are_copied_column_by_column_in_the_same_order(tmp_path):
    file = make(
        tmp_path / "t.sqlite",
        "CREATE TABLE t (id INTEGER PRIMARY KEY, a INT, b TEXT, c REAL)",
        "CREATE INDEX by_a ON t (a)",
        f"{NUMBERS} INSERT INTO t SELECT i, -i, 'x' || i, i / 2.0 FROM n",
    )
    with Database.open(file) as db:
        for wanted in (["a"], ["b"], ["c", "a"], ["id"]):
            relation = db.relation("t", wanted)
        wrong = db.query(
            f"SELECT count(*) FROM {relation} "
            "WHERE a <> -id OR b <> 'x' || id OR c <> id / 2.0 OR _row <> id - 1"
        )
        assert wrong == [(0,)]


def test_values_decide_the_type_of_a_column(tmp_path):
    file = make(
        tmp_path / "odd.sqlite",
        "CREATE TABLE t (id INTEGER PRIMARY KEY, mixed INTEGER, money NUMERIC(10,2), "
        "flag BOOLEAN, empty REAL, raw BLOB, plain, bad TEXT)",
        "INSERT INTO t VALUES (1, 5, 10, 1, NULL, x'00ff', 1, CAST(x'41ff' AS TEXT)),"
        " (2, 'many', 2.5, 0, NULL, NULL, 2.5, 'é')",
    )
    with Database.open(file) as db:
        relation = db.relation("t")
        kinds = db.query(f"SELECT column_name, column_type FROM (DESCRIBE {relation})")
        assert dict(kinds) == {
            "id": "BIGINT",
            "mixed": "VARCHAR",
            "money": "DOUBLE",
            "flag": "BOOLEAN",
            "empty": "DOUBLE",
            "raw": "BLOB",
            "plain": "DOUBLE",
            "bad": "VARCHAR",
            "_time": "TIMESTAMP",
            "_row": "BIGINT",
        }
        values = db.query(f"SELECT mixed, bad, raw FROM {relation} ORDER BY _row")
        assert values == [
            ("5", "A\N{REPLACEMENT CHARACTER}", b"\x00\xff"),
            ("many", "é", None),
        ]


def test_keys_are_found_whatever_their_case_and_form(tmp_path):
    file = make(
        tmp_path / "keys.sqlite",
        'CREATE TABLE "Parent" ("Id" INTEGER PRIMARY KEY, note TEXT)',
        "CREATE TABLE pair (a INT, b TEXT, PRIMARY KEY (b, a)) WITHOUT ROWID",
        "CREATE TABLE child (id INTEGER PRIMARY KEY, up INT REFERENCES child, "
        "parent_id INT REFERENCES PARENT, x TEXT, y INT, "
        "gone INT REFERENCES nowhere(id), FOREIGN KEY (x, y) REFERENCES pair)",
        "CREATE VIEW seen AS SELECT 1 AS one",
        "INSERT INTO Parent VALUES (1, 'a')",
        "INSERT INTO pair VALUES (1, 'p'), (2, 'p')",
        "INSERT INTO child VALUES (1, NULL, 1, 'p', 2, 3), (2, 1, NULL, 'p', NULL, 3)",
    )
    with Database.open(file) as db:
        assert set(db.schema.tables) == {"Parent", "pair", "child"}
        child = db.schema.tables["child"]
        assert child.fkey_col_to_pkey_table == {
            "up": "child",
            "parent_id": "Parent",
            "x+y": "pair",
        }
        joined = db.query(
            f"SELECT c.id, p.a FROM {db.relation('child')} c "
            f'JOIN {db.relation("pair")} p ON c."x+y" = p."b+a"'
        )
        assert joined == [(1, 2)]


def test_virtual_tables_and_their_shadows_are_no_tables(tmp_path):
    file = make(tmp_path / "t.sqlite", "CREATE TABLE t (id INTEGER PRIMARY KEY)")
    try:
        make(file, "CREATE VIRTUAL TABLE found USING fts5(body)")
    except sqlite3.OperationalError:
        pytest.skip("SQLite without full-text search")
    with Database.open(file) as db:
        assert set(db.schema.tables) == {"t"}


def test_a_damaged_file_is_one_clear_line(file, tmp_path):
    damaged = tmp_path / "damaged.sqlite"
    content = bytearray(file.read_bytes())
    content[100:] = os.urandom(len(content) - 100)
    damaged.write_bytes(bytes(content))
    with pytest.raises(InputError, match="SQLite cannot read") as caught:
        Database.open(damaged)
    assert "\n" not in str(caught.value)


def test_an_unfinished_transaction_is_named(file):
    holder = sqlite3.connect(file)
    holder.execute("BEGIN EXCLUSIVE")
    try:
        with pytest.raises(InputError, match="locked"):
            Database.open(file)
    finally:
        holder.rollback()
        holder.close()


def test_a_word_for_null_among_numbers_is_null_and_a_kind_elsewhere(tmp_path):
    file = make(
        tmp_path / "words.sqlite",
        "CREATE TABLE t (id INTEGER PRIMARY KEY, number INT, money REAL, kind TEXT)",
        r"INSERT INTO t VALUES (1, 5, 2.5, 'NA'), (2, '\N', 'n/a', 'EU'), "
        "(3, '', 'NULL', 'None')",
    )
    with Database.open(file) as db:
        facts = db.schema.tables["t"].columns
        dtypes = [column.dtype for column in facts.values()]
        assert dtypes == ["BIGINT", "BIGINT", "DOUBLE", "VARCHAR"]
        rows = db.query(f"SELECT * EXCLUDE (_time, _row) FROM {db.relation('t')}")
        assert rows == [
            (1, 5, 2.5, "NA"),
            (2, None, None, "EU"),
            (3, None, None, "None"),
        ]
