from __future__ import annotations

import datetime as dt
import gc
import os
import threading
from pathlib import Path

import duckdb
import numpy as np
import pandas as pd
import pytest
from tests.relational.shop import SHOP_KEYS, shop_frames
from tests.relational.shop_stores import write_csv, write_duckdb, write_sqlite

from benthic.errors import DatabaseError, InputError
from benthic.relational.database import Database


@pytest.fixture
def scratch(tmp_path: Path) -> Path:
    folder = tmp_path / "scratch"
    folder.mkdir()
    return folder


def test_it_says_in_one_line_what_it_is(tmp_path):
    with Database.open(write_duckdb(tmp_path / "shop.duckdb")) as db:
        assert repr(db) == "Database('shop.duckdb', 8 tables, 80 rows)"


def test_the_end_is_the_latest_time_of_any_table():
    with Database.open(shop_frames(), overrides=SHOP_KEYS) as db:
        assert db.end_time == dt.datetime(2024, 6, 14, 22)
    with Database.open({"t": pd.DataFrame({"id": [1, 2]})}) as db:
        with pytest.raises(InputError, match="no time in any table"):
            db.end_time  # noqa: B018


def test_a_table_spans_from_its_first_row_to_its_last():
    times = pd.to_datetime(["2024-03-02", None, "2024-01-05"])
    tables = {"t": pd.DataFrame({"id": [1, 2, 3], "at": times})}
    tables["never"] = pd.DataFrame({"id": [1, 2]})
    with Database.open(tables, overrides={"tables": {"t": {"time": "at"}}}) as db:
        assert db.time_span("t") == (dt.datetime(2024, 1, 5), dt.datetime(2024, 3, 2))
        assert db.time_span("never") is None
        less = db.altered("t", hidden_rows=[0])
        assert less.time_span("t") == (dt.datetime(2024, 1, 5),) * 2


def test_what_is_hidden_is_not_read_and_changes_come_on_top_of_one_another(tmp_path):
    path = tmp_path / "books.duckdb"
    with duckdb.connect(str(path)) as made:
        made.execute(
            "CREATE TABLE shelf (hall TEXT, place INT, width INT,"
            " PRIMARY KEY (hall, place));"
            "CREATE TABLE books (book_id INT PRIMARY KEY, hall TEXT, place INT,"
            " FOREIGN KEY (hall, place) REFERENCES shelf (hall, place));"
            "INSERT INTO shelf VALUES ('a', 1, 3), ('b', 1, 4);"
            "INSERT INTO books VALUES (1, 'a', 1), (2, 'b', 1), (3, 'b', 1);"
        )
    with Database.open(path) as db:
        assert list(db.schema.tables["books"].fkey_col_to_pkey_table) == ["hall+place"]
        less = db.without("books", ["hall"])
        facts = less.schema.tables["books"]
        assert list(facts.columns) == ["book_id", "place"]
        assert facts.fkeys == ()
        rows = less.frame(f"SELECT * FROM {less.relation('books', ['place'])}")
        assert not {"hall", "hall+place"} & set(rows)
        with pytest.raises(InputError, match="hall"):
            less.relation("books", ["hall"])
        assert "hall" in db.frame(f"SELECT * FROM {db.relation('books')}")
        assert less.without("books", ["hall"]) is less
        changed = less.altered("books", values={"place": 7})
        fewer = changed.altered("books", hidden_rows=[0])
        found = fewer.frame(f"SELECT * FROM {fewer.relation('books')}")
        assert found["place"].tolist() == [7, 7]
        assert "hall" not in found


def test_a_relation_grows_with_what_is_asked_for_and_keeps_its_name(tmp_path):
    with Database.open(write_sqlite(tmp_path / "shop.sqlite")) as db:
        few = db.relation("orders", ["total"])
        assert db.query(f"SELECT sum(total) FROM {few}")
        more = db.relation("orders", ["channel"])
        assert few == more
        rows = db.frame(f"SELECT total, channel, _time, _row FROM {more}")
        assert len(rows) == 20
        everything = db.frame(f"SELECT * FROM {db.relation('orders')}")
        assert list(everything) == [*shop_frames()["orders"], "_time", "_row"]


def test_unknown_tables_and_columns_are_named_with_the_nearest():
    with Database.open(shop_frames(), overrides=SHOP_KEYS) as db:
        with pytest.raises(InputError, match="'order'; choose orders"):
            db.relation("order")
        with pytest.raises(InputError, match="column of orders: found 'totl'"):
            db.relation("orders", ["totl"])


def test_a_query_that_fails_is_one_clear_line():
    with Database.open(shop_frames()) as db:
        for ask in (db.query, db.frame):
            with pytest.raises(DatabaseError, match="frames: reading failed") as caught:
                ask("SELECT nonsense FROM nowhere")
            assert "\n" not in str(caught.value)


def test_dates_as_text_and_seconds_and_zones_become_times_in_utc():
    seconds = [1_704_067_200 + 3600 * hour for hour in range(40)]
    text = [f"2024-01-{1 + hour // 24:02d} {hour % 24:02d}:00:00" for hour in range(40)]
    frame = pd.DataFrame(
        {
            "id": range(40),
            "created_at": text,
            "seen_ts": seconds,
            "updated_at": pd.to_datetime(text).tz_localize("Europe/Berlin"),
        }
    )
    with Database.open({"visits": frame}) as db:
        columns = db.schema.tables["visits"].columns
        assert {columns[name].dtype for name in list(frame)[1:]} == {"TIMESTAMP"}
        rows = db.query(f"SELECT * FROM {db.relation('visits')} WHERE _row = 30")
        created = dt.datetime(2024, 1, 2, 6)
        assert rows == [
            (30, created, created, created - dt.timedelta(hours=1), created, 30)
        ]


def test_overrides_beside_the_database_are_found(tmp_path):
    file = write_duckdb(tmp_path / "shop.duckdb")
    text = "tables: {orders: {time: null}, reviews: {ignore: true}}"
    (tmp_path / "shop.schema.yaml").write_text(text)
    with Database.open(file) as db:
        assert db.schema.tables["orders"].time_col is None
        assert "reviews" not in db.schema.tables
    with Database.open(file, overrides={}) as db:
        assert db.schema.tables["orders"].time_col == "placed_at"


def test_wrong_overrides_leave_nothing_open(tmp_path, scratch):
    file = write_duckdb(tmp_path / "shop.duckdb")
    wrong = {"tables": {"order": {}}}
    with pytest.raises(InputError, match="orders"):
        Database.open(file, overrides=wrong, temp_directory=scratch)
    assert list(scratch.iterdir()) == []
    file.unlink()


@pytest.mark.parametrize("end", ["close", "forget", "error"])
def test_temporary_files_leave_however_it_ends(tmp_path, scratch, end):
    folder = write_csv(tmp_path / "shop")
    if end == "error":
        (folder / "orders.csv").unlink()
        (folder / "orders.parquet").write_bytes(b"no")
        with pytest.raises(InputError):
            Database.open(folder, temp_directory=scratch)
    else:
        db = Database.open(folder, temp_directory=scratch)
        assert len(list(scratch.iterdir())) == 1
        if end == "close":
            db.close()
            db.close()
        else:
            del db
            gc.collect()
    assert list(scratch.iterdir()) == []


def test_memory_is_bounded_and_a_full_disk_is_one_clear_line(scratch):
    frame = pd.DataFrame(
        {"id": np.arange(1_000_000), "x": np.random.default_rng(0).random(1_000_000)}
    )
    with Database.open({"t": frame}, memory_limit="60MB", temp_directory=scratch) as db:
        wide = ", ".join(f"hash(x + {place}) AS x{place}" for place in range(12))
        sql = f"CREATE TABLE big AS SELECT {wide} FROM {db.relation('t')} ORDER BY x"
        db.query(sql)
        (own,) = scratch.iterdir()
        assert any(own.iterdir())
        db.query("DROP TABLE big")
        db.query("SET max_temp_directory_size = '5MB'")
        with pytest.raises(DatabaseError, match="no room left") as caught:
            db.query(sql)
        assert "\n" not in str(caught.value)
    assert list(scratch.iterdir()) == []


@pytest.mark.parametrize(
    ("argument", "value"),
    [("memory_limit", "plenty"), ("temp_directory", "/dev/null/nowhere")],
)
def test_wrong_settings_are_named(argument, value):
    with pytest.raises(InputError, match=f"^{argument}: found") as caught:
        Database.open(shop_frames(), **{argument: value})
    assert "\n" not in str(caught.value)


def test_a_hundred_tables_open(tmp_path):
    frames = {}
    for number in range(100):
        above = {} if number == 0 else {f"t{number - 1}_id": [0, 1]}
        frames[f"t{number}"] = pd.DataFrame({f"t{number}_id": [0, 1], **above})
    with Database.open(frames) as db:
        assert len(db.schema.tables) == 100
        assert sum(len(table.fkeys) for table in db.schema.tables.values()) == 99
        assert db.query(f"SELECT count(_time) FROM {db.relation('t99')}") == [(0,)]


def test_relations_may_be_asked_for_from_several_threads(tmp_path):
    with Database.open(write_sqlite(tmp_path / "shop.sqlite")) as db:
        failures = []

        def ask(table: str) -> None:
            try:
                for column in db.schema.tables[table].columns:
                    db.relation(table, [column])
            except Exception as error:
                failures.append(error)

        threads = [
            threading.Thread(target=ask, args=[name]) for name in db.schema.tables
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert failures == []
        cursor = db.connection.cursor()
        found = cursor.execute(
            f"SELECT count(*) FROM {db.relation('orders')}"
        ).fetchall()
        assert found == [(20,)]


def test_nothing_is_downloaded_and_times_are_in_utc():
    with Database.open(shop_frames()) as db:
        settings = dict(
            db.query(
                "SELECT name, value FROM duckdb_settings() WHERE name IN "
                "('TimeZone', 'autoinstall_known_extensions', 'memory_limit')"
            )
        )
    assert settings["TimeZone"] == "UTC"
    assert settings["autoinstall_known_extensions"] == "false"
    assert settings["memory_limit"] == "3.7 GiB"
    assert not os.environ.get("PGPASSWORD")
