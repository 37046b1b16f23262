from __future__ import annotations

import datetime as dt
from typing import Any

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.relational.shop import SHOP_KEYS, shop_frames

from benthic.relational.database import Database

DAY = dt.datetime(2024, 1, 1)


def times(db: Database, table: str) -> list[Any]:
    rows = db.query(f"SELECT _time FROM {db.relation(table, [])} ORDER BY _row")
    return [row[0] for row in rows]


def opened(frames: dict[str, pd.DataFrame], **tables: dict[str, Any]) -> Database:
    plain = {"pkey": None, "time": None, "fkeys": {}}
    said = {name: {**plain, **tables.get(name, {})} for name in frames}
    for name, frame in frames.items():
        links = {column: None for column in frame if column.endswith("_id")}
        said[name]["fkeys"] = {**links, **said[name]["fkeys"]}
    return Database.open(frames, overrides={"tables": said})


def test_a_row_borrows_the_latest_time_of_the_rows_it_points_at():
    frames = shop_frames()
    with Database.open(frames, overrides=SHOP_KEYS) as db:
        placed = frames["orders"].set_index("order_id")["placed_at"]
        wanted = frames["order_items"]["order_id"].map(placed)
        assert times(db, "order_items") == [
            None if pd.isna(time) else time.to_pydatetime() for time in wanted
        ]
        assert set(times(db, "products")) == {None}


def test_time_is_borrowed_from_as_far_up_as_it_takes():
    frames = {
        "trip": pd.DataFrame({"trip_id": [1, 2], "began": [DAY, DAY.replace(day=9)]}),
        "dive": pd.DataFrame({"dive_id": [10, 20, 30], "trip_id": [1, 2, None]}),
        "sample": pd.DataFrame({"sample_id": [5, 6, 7], "dive_id": [20, 10, 30]}),
    }
    with opened(
        frames,
        trip={"pkey": "trip_id", "time": "began"},
        dive={"pkey": "dive_id", "fkeys": {"trip_id": "trip"}},
        sample={"pkey": "sample_id", "fkeys": {"dive_id": "dive"}},
    ) as db:
        assert times(db, "sample") == [DAY.replace(day=9), DAY, None]


def test_keys_that_go_round_stop_where_they_began():
    frames = {
        "store": pd.DataFrame({"store_id": [1, 2], "head_id": [8, 9]}),
        "staff": pd.DataFrame(
            {
                "staff_id": [8, 9],
                "store_id": [1, 1],
                "boss_id": [None, 8],
                "hire_id": [3, 4],
            }
        ),
        "hire": pd.DataFrame({"hire_id": [3, 4], "on": [DAY, DAY.replace(day=5)]}),
    }
    with opened(
        frames,
        store={"pkey": "store_id", "fkeys": {"head_id": "staff"}},
        staff={
            "pkey": "staff_id",
            "fkeys": {"store_id": "store", "boss_id": "staff", "hire_id": "hire"},
        },
        hire={"pkey": "hire_id", "time": "on"},
    ) as db:
        assert times(db, "store") == [DAY, DAY.replace(day=5)]
        assert times(db, "staff") == [DAY, DAY.replace(day=5)]


@settings(max_examples=25)
@given(st.data())
def test_borrowed_times_equal_those_of_a_walk_over_the_rows(data):
    """Missing keys, orphans and parents whose own time is unknown."""
    moments = st.one_of(st.none(), st.integers(0, 20))
    left = data.draw(st.lists(moments, min_size=2, max_size=5))
    right = data.draw(st.lists(moments, min_size=2, max_size=5))
    key = st.one_of(st.none(), st.integers(0, 6))
    links = data.draw(st.lists(st.tuples(key, key), min_size=1, max_size=12))

    def frame(name: str, days: list[int | None]) -> pd.DataFrame:
        at = [None if day is None else DAY + dt.timedelta(days=day) for day in days]
        keys = pd.array(range(len(days)), dtype="Int64")
        return pd.DataFrame({f"{name}_id": keys, "at": pd.to_datetime(pd.Series(at))})

    def walked(one: int | None, two: int | None) -> dt.datetime | None:
        days = []
        for parents, place in ((left, one), (right, two)):
            if place is not None and place < len(parents):
                days.append(parents[place])
        known = [day for day in days if day is not None]
        if not days or len(known) < len(days):
            return None
        return DAY + dt.timedelta(days=max(known))

    child = pd.DataFrame(
        {
            "child_id": range(len(links)),
            "left_id": pd.array([one for one, _ in links], dtype="Int64"),
            "right_id": pd.array([two for _, two in links], dtype="Int64"),
        }
    )
    frames = {
        "left": frame("left", left),
        "right": frame("right", right),
        "child": child,
    }
    with opened(
        frames,
        left={"pkey": "left_id", "time": "at"},
        right={"pkey": "right_id", "time": "at"},
        child={"pkey": "child_id", "fkeys": {"left_id": "left", "right_id": "right"}},
    ) as db:
        assert times(db, "child") == [walked(*link) for link in links]


def test_a_key_kept_in_another_type_than_its_parent_still_finds_it():
    frames = {
        "parent": pd.DataFrame({"parent_id": ["1", "2"], "at": [DAY, DAY]}),
        "child": pd.DataFrame({"parent_id": [2, 3]}),
    }
    with opened(
        frames,
        parent={"pkey": "parent_id", "time": "at"},
        child={"fkeys": {"parent_id": "parent"}},
    ) as db:
        assert times(db, "child") == [DAY, None]


@pytest.mark.parametrize("asked", [[], ["quantity"], ["item_id", "order_id"]])
def test_the_join_for_the_time_multiplies_no_rows(asked):
    with Database.open(shop_frames(), overrides=SHOP_KEYS) as db:
        relation = db.relation("order_items", asked)
        assert db.query(f"SELECT count(*), count(DISTINCT _row) FROM {relation}") == [
            (24, 24)
        ]
        plan = db.query(f"EXPLAIN SELECT count(*) FROM {relation}")[0][1]
        assert "JOIN" not in plan
