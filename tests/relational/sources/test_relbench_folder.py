from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import yaml
from tests.relational.shop import SHOP_KEYS, shop_frames
from tests.relational.shop_stores import keys_of, shop_keys

from benthic.errors import InputError
from benthic.relational.database import Database
from benthic.relational.relbench_writing import write_relbench_folder


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    with Database.open(shop_frames(), overrides=SHOP_KEYS) as db:
        write_relbench_folder(db, tmp_path / "rel-shop")
    return tmp_path / "rel-shop"


def change(folder: Path, **entries: Any) -> None:
    file = folder / "manifest.yaml"
    manifest = yaml.safe_load(file.read_text())
    manifest["tables"].update(entries)
    file.write_text(yaml.safe_dump(manifest))


def test_keys_and_times_are_those_of_the_manifest(folder):
    with Database.open(folder) as db:
        assert keys_of(db) == shop_keys()
        reasons = {
            key.choice.reason
            for table in db.schema.tables.values()
            for key in table.fkeys
        }
        assert reasons == {"declared"}
        for name, table in db.schema.tables.items():
            frame = pd.read_parquet(folder / "db" / f"{name}.parquet")
            assert list(table.columns) == list(frame)
            rows = db.frame(f"SELECT * FROM {db.relation(name)} ORDER BY _row")
            for column in set(frame) - {"tags"}:
                assert rows[column].isna().equals(frame[column].isna())
                assert list(rows[column].dropna()) == list(frame[column].dropna())


def test_a_table_without_time_is_static_even_if_a_column_looks_like_one(folder):
    change(folder, orders={"pkey": "order_id", "time_col": None, "fkeys": {}})
    with Database.open(folder) as db:
        assert db.schema.tables["orders"].time_col is None


def test_reading_leaves_every_byte(folder):
    def checksums() -> dict[str, str]:
        return {
            str(file): hashlib.sha256(file.read_bytes()).hexdigest()
            for file in folder.rglob("*")
            if file.is_file()
        }

    before = checksums()
    with Database.open(folder) as db:
        db.query(f"SELECT count(*) FROM {db.relation('orders')}")
    assert checksums() == before


@pytest.mark.parametrize(
    ("entries", "says"),
    [
        ({"ghosts": {"pkey": None}}, "table ghosts without its file"),
        ({"orders": {"pkey": "nope"}}, "table orders without its column 'nope'"),
        (
            {"orders": {"pkey": "order_id", "time_col": "when"}},
            "without its column 'when'",
        ),
        (
            {"orders": {"pkey": "order_id", "fkeys": {"customer_id": "people"}}},
            "a key to 'people'",
        ),
        ({"regions": {"pkey": None}}, "a key to 'regions'"),
    ],
)
def test_a_manifest_that_does_not_fit_is_one_clear_line(folder, entries, says):
    change(folder, **entries)
    with pytest.raises(InputError, match=says):
        Database.open(folder)


@pytest.mark.parametrize("text", ["tables: [", "just text", "tables: {}", ""])
def test_a_manifest_that_names_no_tables_is_one_clear_line(folder, text):
    (folder / "manifest.yaml").write_text(text)
    with pytest.raises(InputError, match=r"manifest\.yaml") as caught:
        Database.open(folder)
    assert "\n" not in str(caught.value)
