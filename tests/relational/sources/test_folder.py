from __future__ import annotations

import gzip
import hashlib
from pathlib import Path

import pandas as pd
import pytest
from tests.relational.shop import SHOP_KEYS, shop_frames
from tests.relational.shop_stores import (
    differences,
    keys_of,
    shop_keys,
    write_csv,
    write_parquet,
)

from benthic.errors import InputError
from benthic.relational.database import Database


def checksums(folder: Path) -> dict[str, str]:
    return {
        file.name: hashlib.sha256(file.read_bytes()).hexdigest()
        for file in folder.iterdir()
    }


@pytest.mark.parametrize("write", [write_parquet, write_csv])
def test_rows_come_as_they_are_and_files_stay_as_they_were(write, tmp_path):
    folder = write(tmp_path / "shop")
    before = checksums(folder)
    lists = () if write is write_parquet else ("tags",)
    with Database.open(folder, overrides=SHOP_KEYS) as db:
        assert differences(db, shop_frames(), but=lists) == []
        assert keys_of(db) == shop_keys()
    assert checksums(folder) == before


def test_csv_types_are_known_only_after_the_last_line(tmp_path):
    rows = [f"{number},2024-01-01,{number}" for number in range(60_000)]
    rows.append("60000,2024-01-02,many")
    with gzip.open(tmp_path / "t.csv.gz", "wt") as file:
        file.write("\n".join(["id,day,value", *rows]))
    (tmp_path / "u.tsv").write_text("id\tname\n1\tx\n")
    (tmp_path / "notes.txt").write_text("not a table")
    with Database.open(tmp_path) as db:
        assert set(db.schema.tables) == {"t", "u"}
        assert db.schema.tables["t"].num_rows == 60_001
        assert db.schema.tables["t"].columns["value"].dtype == "VARCHAR"
        last = db.query(f"SELECT id, value FROM {db.relation('t')} WHERE _row = 60000")
        assert last == [(60_000, "many")]


def test_only_the_columns_that_a_query_names_are_read(tmp_path):
    pd.DataFrame({"id": [1], "a": ["x"], "b": ["y"]}).to_parquet(tmp_path / "t.parquet")
    with Database.open(tmp_path) as db:
        plan = db.query(f"EXPLAIN SELECT sum(id) FROM {db.relation('t')}")[0][1]
        scan = plan[plan.index("PARQUET") :]
        assert "id" in scan
        assert "Projections: a" not in scan
        assert "\n│             b" not in scan


def test_a_file_that_cannot_be_read_is_one_clear_line(tmp_path):
    folder = write_parquet(tmp_path / "shop")
    file = folder / "orders.parquet"
    file.write_bytes(b"\x00\x01\xff\xfe" * 50)
    with pytest.raises(InputError, match=file.name) as caught:
        Database.open(folder)
    assert "\n" not in str(caught.value)


def test_a_folder_without_tables_or_with_two_of_a_name_is_refused(tmp_path):
    with pytest.raises(InputError, match="no Parquet or CSV file"):
        Database.open(tmp_path)
    (tmp_path / "t.csv").write_text("a\n1\n")
    pd.DataFrame({"a": [1]}).to_parquet(tmp_path / "t.parquet")
    with pytest.raises(InputError, match=r"both t\.csv and t\.parquet"):
        Database.open(tmp_path)
