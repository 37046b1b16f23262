from __future__ import annotations

import duckdb
import pytest
from tests.relational.shop import shop_frames
from tests.relational.shop_stores import write_csv, write_duckdb, write_sqlite

from benthic.errors import InputError
from benthic.relational.database import Database
from benthic.relational.sources import open_source


def test_a_file_is_known_by_its_content_not_by_its_name(tmp_path):
    duck = write_duckdb(tmp_path / "shop.sqlite")
    lite = write_sqlite(tmp_path / "shop.duckdb")
    for file in (duck, lite, str(duck)):
        with Database.open(file) as db:
            assert set(db.schema.tables) == set(shop_frames())


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("text.duckdb", b"hello, I am no database\n", "neither a DuckDB nor an SQLite"),
        ("empty.sqlite", b"", "which is empty"),
        ("table.xlsx", b"PK\x03\x04", "neither a DuckDB nor an SQLite"),
    ],
)
def test_a_file_that_is_no_database_is_one_clear_line(tmp_path, name, content, says):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(InputError, match=says) as caught:
        Database.open(tmp_path / name)
    assert str(tmp_path / name) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_what_is_not_there_is_one_clear_line(tmp_path):
    with pytest.raises(InputError, match=r"no .*nowhere\.duckdb; check the path"):
        Database.open(tmp_path / "nowhere.duckdb")
    with pytest.raises(InputError, match="not a directory"):
        Database.open(write_csv(tmp_path / "csv") / "orders.csv" / "x")


@pytest.mark.parametrize("source", ["", 42, None, b"shop.duckdb", ["a", "b"]])
def test_what_names_no_database_is_one_clear_line(source, tmp_path, monkeypatch):
    write_csv(tmp_path)
    monkeypatch.chdir(tmp_path)
    says = r"^database: found (''|a value of type \w+); open a DuckDB or"
    with pytest.raises(InputError, match=says):
        open_source(source, duckdb.connect())


def test_another_kind_of_server_is_refused_without_repeating_its_password():
    with pytest.raises(InputError, match="'mysql://'") as caught:
        Database.open("mysql://ada:secret@localhost/shop")
    assert "secret" not in str(caught.value)


def test_a_folder_called_bank_is_opened_before_the_bank(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_csv(tmp_path / "bank")
    with Database.open("bank") as db:
        assert "orders" in db.schema.tables
