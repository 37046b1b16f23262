from __future__ import annotations

import gzip
import hashlib
from pathlib import Path

import pandas as pd
import pytest
from tests.relational.bare_tables import relational_folder
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
from benthic.relational.schema import SType


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


def write_orders(folder: Path, missing: str) -> Path:
    """Keys, amounts and days with gaps, and kinds of which one is NA."""
    folder.mkdir()
    rows = range(400)
    orders = pd.DataFrame(
        {
            "order_id": rows,
            "customer_id": pd.array([row % 40 for row in rows], dtype="Int64"),
            "total": [row / 4 for row in rows],
            "paid": pd.array([row % 3 == 0 for row in rows], dtype="boolean"),
            "placed_at": pd.date_range("2025-01-01", periods=len(rows)),
        }
    )
    orders.iloc[::7, 1:] = None
    orders["region"] = [("EU", "NA", "None")[row % 3] for row in rows]
    orders["code"] = ["007", "NA"] * 200
    orders.to_csv(folder / "orders.csv", index=False, na_rep=missing)
    customers = pd.DataFrame({"customer_id": range(40), "name": "x"})
    customers.to_csv(folder / "customers.csv", index=False)
    return folder


@pytest.mark.parametrize(
    "missing", [r"\N", "NULL", "NA", "n/a", "#N/A", "NaN", "nan", "None", "-", "?"]
)
def test_a_word_for_null_says_what_an_empty_cell_says(missing, tmp_path):
    folders = [write_orders(tmp_path / str(n), w) for n, w in enumerate(["", missing])]
    seen = []
    for folder in folders:
        with Database.open(folder) as db:
            orders = db.schema.tables["orders"]
            assert orders.fkey_col_to_pkey_table == {"customer_id": "customers"}
            assert (
                orders.columns["total"].choice.reason == "fractions, from 0.25 to 99.5"
            )
            asked = (
                "sum(total), count(customer_id), count(*) FILTER (paid), count(paid)"
            )
            relation = db.relation("orders")
            counted = db.query(f"SELECT {asked}, count(placed_at) FROM {relation}")
            texts = db.query(f"SELECT region, code FROM {relation} ORDER BY _row")
            stypes = {c.name: c.stype for c in orders.columns.values()}
            problems = [p.column for p in db.schema.problems]
            seen.append((counted, texts, stypes, problems))
    assert seen[0] == seen[1]
    assert seen[0][1][:3] == [("EU", "007"), ("NA", "NA"), ("None", "007")]


def test_results_of_races_are_read_as_pandas_reads_them_without_their_words():
    folder = relational_folder() / "rel-f1" / "raw"
    if not folder.is_dir():
        pytest.skip("rel-f1 without its files")
    results = pd.read_csv(folder / "results.csv", na_values=r"\N")
    with Database.open(folder) as db:
        columns = db.schema.tables["results"].columns
        numbers = ["milliseconds", "fastestLapSpeed", "position", "rank", "points"]
        assert {columns[name].stype for name in numbers} == {SType.numerical}
        for name in numbers:
            sql = f"SELECT count({name}), sum({name}) FROM {db.relation('results')}"
            assert db.query(sql)[0] == pytest.approx(
                (results[name].count(), results[name].sum())
            )
        fault = "named like a time, but 0 of 3,692 values are read as one"
        assert [p.text.split(";")[0] for p in db.schema.problems][:1] == [fault]
