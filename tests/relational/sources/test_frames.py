from __future__ import annotations

import datetime as dt
import uuid
from decimal import Decimal

import numpy as np
import pandas as pd
import pytest
from tests.relational.shop import BANK_KEYS, SHOP_KEYS, bank_frames, shop_frames
from tests.relational.shop_stores import differences, keys_of, shop_keys

from benthic.datasets import Bank, bank
from benthic.errors import InputError
from benthic.relational.database import Database


def test_rows_come_as_they_are_and_keys_as_the_user_says():
    with Database.open(shop_frames(), overrides=SHOP_KEYS) as db:
        assert differences(db, shop_frames(), but=()) == []
        assert keys_of(db) == shop_keys()
    with Database.open(bank_frames(), overrides=BANK_KEYS) as db:
        assert differences(db, bank_frames()) == []


def test_without_a_word_from_the_user_the_shops_keys_are_inferred():
    with Database.open(shop_frames()) as db:
        assert keys_of(db) == shop_keys()


def test_frames_are_left_as_they_came():
    frames, copies = shop_frames(), shop_frames()
    with Database.open(frames) as db:
        db.query(f"SELECT count(*) FROM {db.relation('orders')}")
    for name, frame in frames.items():
        pd.testing.assert_frame_equal(frame, copies[name])


def test_columns_of_every_pandas_kind_are_read():
    zone = pd.Timestamp("2024-03-31 03:30", tz="Europe/Berlin")
    frame = pd.DataFrame(
        {
            "kind": pd.Categorical(["a", None, "b"]),
            "zone": [zone, None, zone],
            "money": [Decimal("1.5"), None, Decimal("2")],
            "day": [dt.date(2024, 1, 1), None, dt.date(2024, 1, 3)],
            "nano": pd.to_datetime(["2024-01-01", None, "2024-01-03"]).astype("M8[ns]"),
            "maybe": pd.array([1, None, 3], dtype="Int8"),
            "float": [1.5, np.nan, 2.0],
            3: ["x", "y", "z"],
        },
        index=[7, 7, 7],
    )
    with Database.open({"t": frame}) as db:
        relation = db.relation("t")
        rows = db.query(f'SELECT kind, zone, day, nano, "3" FROM {relation}')
        utc = dt.datetime(2024, 3, 31, 1, 30)
        assert rows[0][:2] == ("a", utc)
        assert [str(value)[:10] for value in rows[0][2:4]] == ["2024-01-01"] * 2
        assert rows[1] == (None, None, None, None, "y")
        missing = db.query(f"SELECT count(maybe), count(float) FROM {relation}")
        assert missing == [(2, 2)]


@pytest.mark.parametrize(
    ("frames", "says"),
    [
        ({}, "database: found no tables"),
        ({"t": pd.DataFrame()}, "table t: found no columns"),
        ({"T": pd.DataFrame([1]), "t": pd.DataFrame([1])}, "two tables 'T' and 't'"),
        ({"t": pd.DataFrame([[1, 2]], columns=["a", "a"])}, "two columns 'a' and 'a'"),
        ({"t": pd.DataFrame({"a": [1, "x", uuid.uuid4()]})}, "table t, column 'a'"),
    ],
)
def test_what_is_no_table_is_one_clear_line(frames, says):
    with pytest.raises(InputError, match=says) as caught:
        Database.open(frames)
    assert "\n" not in str(caught.value)


def test_a_column_named_as_one_of_ours_is_left_out_with_a_note():
    frame = pd.DataFrame({"a": [1, 2], "_row": [5, 6]})
    with Database.open({"t": frame}) as db:
        assert list(db.schema.tables["t"].columns) == ["a"]
        assert db.query(f"SELECT a, _row FROM {db.relation('t')}") == [(1, 0), (2, 1)]
        assert len([p for p in db.schema.problems if "left out" in p.text]) == 1


def test_the_bank_brings_its_keys_and_times():
    small = bank(100, 400, 4_000)
    with Database.open(small) as db:
        assert db.title == "bank"
        assert differences(db, small.tables) == []
        for name, table in db.schema.tables.items():
            assert table.pkey_col == Bank.primary_keys[name]
            assert table.fkey_col_to_pkey_table == Bank.foreign_keys.get(name, {})
            assert table.time_col == Bank.time_columns.get(name)
