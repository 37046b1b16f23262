from __future__ import annotations

import datetime as dt
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml
from tests.relational.shop import SHOP_KEYS, shop_frames

from benthic.errors import InputError
from benthic.relational.database import Database
from benthic.relational.relbench_writing import write_relbench_folder


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    with Database.open(shop_frames(), overrides=SHOP_KEYS) as db:
        write_relbench_folder(db, tmp_path / "rel-shop")
    return tmp_path / "rel-shop"


def read(folder: Path, table: str) -> pd.DataFrame:
    return pd.read_parquet(folder / "db" / f"{table}.parquet")


def test_keys_count_rows_and_times_rise(folder):
    manifest = yaml.safe_load((folder / "manifest.yaml").read_text())
    assert list(manifest["tables"]) == list(shop_frames())
    for name, facts in manifest["tables"].items():
        frame = read(folder, name)
        assert (frame[facts["pkey"]] == np.arange(len(frame))).all()
        if facts["time_col"]:
            known = frame[facts["time_col"]].dropna()
            assert known.is_monotonic_increasing
            assert frame[facts["time_col"]].isna().sum() == len(frame) - len(known)
            assert frame[facts["time_col"]][: len(known)].notna().all()


def test_rows_still_point_at_the_rows_they_pointed_at(folder):
    frames = shop_frames()
    items, orders = frames["order_items"], frames["orders"]
    before = items.merge(orders, on="order_id", how="left")
    written = read(folder, "order_items").merge(
        read(folder, "orders"), on="order_id", how="left"
    )
    columns = ["unit_price", "total", "placed_at"]
    for column in columns:
        wanted = before[column].astype(object).where(before[column].notna(), None)
        got = written[column].astype(object).where(written[column].notna(), None)
        assert list(got) == list(wanted)
    # The order of item 19 is gone.
    assert read(folder, "order_items")["order_id"].isna().tolist().index(True) == 18


def test_what_is_written_opens_with_the_same_keys(folder):
    with (
        Database.open(folder) as db,
        Database.open(shop_frames(), overrides=SHOP_KEYS) as shop,
    ):
        assert db.end_time == shop.end_time
        for name, table in shop.schema.tables.items():
            again = db.schema.tables[name]
            assert again.pkey_col == table.pkey_col
            assert again.fkey_col_to_pkey_table == table.fkey_col_to_pkey_table
            assert again.time_col == table.time_col
            assert again.num_rows == table.num_rows


def test_cut_offs_lie_in_the_span_or_are_those_given(folder, tmp_path):
    manifest = yaml.safe_load((folder / "manifest.yaml").read_text())
    assert "2023-11-03" < manifest["val_timestamp"] < manifest["test_timestamp"]
    assert manifest["test_timestamp"] < "2024-06-14"
    with Database.open(shop_frames(), overrides=SHOP_KEYS) as db:
        write_relbench_folder(db, tmp_path / "b", val_timestamp=dt.datetime(2024, 2, 1))
    manifest = yaml.safe_load((tmp_path / "b" / "manifest.yaml").read_text())
    assert manifest["val_timestamp"] == "2024-02-01 00:00:00"


def test_a_primary_key_that_is_a_foreign_key_stays_one(tmp_path):
    frames = {
        "person": pd.DataFrame({"person_id": [30, 10, 20]}),
        "address": pd.DataFrame({"person_id": [20, 30], "city": ["Gent", "Delft"]}),
    }
    said = {
        "person": {"pkey": "person_id"},
        "address": {"pkey": "person_id", "fkeys": {"person_id": "person"}},
    }
    with Database.open(frames, overrides={"tables": said}) as db:
        write_relbench_folder(db, tmp_path / "out")
    address = read(tmp_path / "out", "address")
    assert address["address_row"].tolist() == [0, 1]
    assert address["person_id"].tolist() == [2, 0]
    manifest = yaml.safe_load((tmp_path / "out" / "manifest.yaml").read_text())
    assert manifest["tables"]["address"]["pkey"] == "address_row"
    assert "val_timestamp" not in manifest


def test_a_folder_with_files_is_left_alone_and_nothing_half_written_stays(tmp_path):
    (tmp_path / "taken").mkdir()
    (tmp_path / "taken" / "mine.txt").write_text("mine")
    with Database.open(shop_frames(), overrides=SHOP_KEYS) as db:
        with pytest.raises(InputError, match="which holds files"):
            write_relbench_folder(db, tmp_path / "taken")
        with pytest.raises(InputError):
            write_relbench_folder(db, tmp_path / "taken" / "mine.txt" / "deeper")
    assert [place.name for place in tmp_path.rglob("*")] == ["taken", "mine.txt"]
