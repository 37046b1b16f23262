from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from tests.relational.bare_tables import Tables

from benthic.relational.inference.profile import family, profile


@pytest.fixture
def frame():
    rng = np.random.default_rng(0)
    return pd.DataFrame(
        {
            "n": rng.integers(-5, 50, 400),
            "x": np.where(rng.random(400) < 0.2, np.nan, rng.normal(size=400)),
            "whole": np.where(rng.random(400) < 0.2, np.nan, rng.integers(0, 9, 400)),
            "t": rng.choice(["a", "bb cc", None], 400),
            'odd "{c}" name': rng.choice(["<a><b>", "<b>"], 400),
            "d": rng.choice(["2020-01-01", "2021-02-03 10:00:00+02:00"], 400),
        }
    )


@pytest.fixture
def seen(frame):
    tables = Tables({"rows": frame})
    return profile(tables.declared.tables["rows"], tables)


def test_counts_agree_with_pandas(frame, seen):
    for name in frame:
        assert seen[name].filled == frame[name].count()
        assert seen[name].distinct == frame[name].nunique()
        assert seen[name].rows == 400
        assert seen[name].whole_table


def test_ranges_agree_with_pandas(frame, seen):
    for name in ("n", "x", "whole"):
        assert seen[name].get("low") == frame[name].min()
        assert seen[name].get("high") == frame[name].max()


def test_a_whole_double_is_an_integer_with_nulls(seen):
    assert seen["whole"].key_family == "integer"
    assert seen["x"].key_family == "real"


def test_texts_are_measured(frame, seen):
    filled = frame["t"].dropna()
    assert seen["t"].get("words") == pytest.approx(filled.str.split().str.len().mean())
    assert seen["d"].share("dates") == 1
    assert seen['odd "{c}" name'].share("delimited") == 1
    assert seen['odd "{c}" name'].get("tokens") == 2


def test_a_wide_table_is_profiled_in_batches():
    frame = pd.DataFrame({f"c{i}": [i, i + 1] for i in range(130)})
    tables = Tables({"wide": frame})
    seen = profile(tables.declared.tables["wide"], tables)
    assert [seen[f"c{i}"].get("low") for i in range(130)] == list(range(130))


def test_a_large_table_is_seen_through_its_sample():
    tables = Tables({"big": "(SELECT i AS n FROM range(50000) r(i))"})
    seen = profile(tables.declared.tables["big"], tables)["n"]
    assert not seen.whole_table
    assert seen.rows <= 20_000


@pytest.mark.parametrize(
    ("dtype", "expected"),
    [
        ("TIMESTAMP WITH TIME ZONE", "time"),
        ("TIMESTAMP_NS", "time"),
        ("TIME", "clock"),
        ("INTERVAL", "clock"),
        ("ENUM('a', 'b')", "text"),
        ("STRUCT(a INTEGER)", "opaque"),
        ("STRUCT(a INTEGER)[]", "list"),
        ("BLOB", "opaque"),
        ('"NULL"', "nothing"),
        ("UUID", "uuid"),
    ],
)
def test_each_type_has_its_family(dtype, expected):
    assert family(dtype) == expected


def test_types_of_all_kinds_are_profiled():
    columns = ", ".join(
        [
            "UUID '00000000-0000-0000-0000-000000000001' AS u",
            "'a'::ENUM('a', 'b') AS e",
            "TIME '10:00' AS c",
            "INTERVAL 1 DAY AS i",
            "[1, 2] AS l",
            "{'a': 1} AS s",
            "'x'::BLOB AS b",
            "TIMESTAMPTZ '2020-01-01' AS z",
            "'infinity'::TIMESTAMP AS f",
            "1.5::DECIMAL(4,2) AS m",
            "170141183460469231731687303715884105727::HUGEINT AS h",
            "TRUE AS j",
        ]
    )
    tables = Tables({"kinds": f"(SELECT {columns})"})
    seen = profile(tables.declared.tables["kinds"], tables)
    assert all(column.filled == 1 for column in seen.values())
    assert seen["f"].share("finite") == 0


def test_nan_is_no_value():
    rows = "(SELECT if(i = 3, 'nan'::DOUBLE, i / 4) AS x FROM range(9) t(i))"
    tables = Tables({"rows": rows})
    found = profile(tables.declared.tables["rows"], tables)["x"]
    assert (found.filled, found.distinct) == (8, 8)
    assert (found.get("low"), found.get("high")) == (0, 2)
