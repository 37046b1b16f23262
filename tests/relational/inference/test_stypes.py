from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from tests.relational.bare_tables import inferred

from benthic.relational.schema import SType

RNG = np.random.default_rng(0)
N = 1000
WORDS = [f"w{i}" for i in range(500)]


def column(name, values):
    frame = pd.DataFrame({"id": range(len(values)), name: values})
    return inferred({"things": frame}).tables["things"].columns[name]


@pytest.mark.parametrize(
    ("name", "values", "expected"),
    [
        ("amount", RNG.normal(size=N), "numerical"),
        ("quantity", RNG.integers(1, 4, N), "numerical"),
        ("wins", RNG.integers(0, 3, N), "numerical"),
        ("wins", [0, 1, 1], "numerical"),
        ("quantity", RNG.integers(0, 2, N), "numerical"),
        ("label", RNG.integers(0, 2, N), "boolean"),
        ("label", [0.0, 1.0, None] * 20, "boolean"),
        ("label", [1] * 20, "numerical"),
        ("position", RNG.integers(1, 20, N), "numerical"),
        ("status", RNG.integers(0, 5, N), "categorical"),
        ("zip", RNG.integers(10_000, 99_999, N), "categorical"),
        ("class", RNG.integers(1, 4, N).astype(float), "categorical"),
        ("vote_type_id", RNG.integers(1, 9, N), "categorical"),
        ("external_id", RNG.permutation(N), "ID"),
        ("is_late", RNG.integers(0, 2, N), "boolean"),
        ("active", RNG.integers(0, 2, N), "boolean"),
        ("paid", RNG.random(N) < 0.5, "boolean"),
        ("member", RNG.choice(["yes", "no"], N), "boolean"),
        ("member", RNG.choice(["T", "F"], N), "boolean"),
        ("nationality", RNG.choice(["German", "French", "Thai"], N), "categorical"),
        ("country", ["DE", "FR", "DE"], "categorical"),
        ("surname", [f"name{i}" for i in range(N)], "text"),
        ("token_hash", [f"{i:x}" for i in range(N)], "ID"),
        ("phone", [f"0{i}" for i in range(N)], "ID"),
        (
            "about",
            [" ".join(RNG.choice(WORDS, 12)) for _ in range(N)],
            "text",
        ),
        (
            "tags",
            ["".join(f"<{w}>" for w in RNG.choice(WORDS[:9], 3)) for _ in range(N)],
            "multicategorical",
        ),
        (
            "skills",
            [";".join(RNG.choice(WORDS[:12], 3)) for _ in range(N)],
            "multicategorical",
        ),
        (
            "place",
            [f"city{i}, state{i}" for i in range(N)],
            "text",
        ),
        ("price", ["12,50", "3,95", "1.200,00", "7"] * 9, "numerical"),
        ("price", ["12.50", "3.95", "1,200.00", " 7 "] * 9, "numerical"),
        ("code", ["007", "120", "12"] * 9, "categorical"),
        (
            "chosen",
            [
                ",".join(RNG.choice(["3", "14", "27", "40"], 2 + i % 2))
                for i in range(N)
            ],
            "multicategorical",
        ),
        ("token", [f"{i:08x}-0000-4000-8000-00000000000A" for i in range(N)], "ID"),
        ("picks", [["a", "b"], ["c"]] * 50, "multicategorical"),
        ("seen_at", pd.date_range("2020", periods=N), "timestamp"),
        ("nothing", [None] * 5, "categorical"),
    ],
)
def test_a_column_means_what_its_values_and_name_say(name, values, expected):
    found = column(name, values)
    assert found.stype is SType(expected), found.choice.reason
    assert found.choice.reason
    assert 0 < found.choice.confidence <= 1


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        ("NULL::DOUBLE", "numerical"),
        ("NULL::INTEGER", "numerical"),
        ("NULL::BOOLEAN", "boolean"),
        ("NULL::VARCHAR", "categorical"),
        ("NULL::VARCHAR[]", "multicategorical"),
        ("gen_random_uuid()", "ID"),
        ("gen_random_uuid()::VARCHAR", "ID"),
    ],
)
def test_a_column_of_one_type_means_what_its_type_says(sql, expected):
    tables = {"t": f"(SELECT range AS id, {sql} AS c FROM range(30))"}
    assert inferred(tables).tables["t"].columns["c"].stype is SType(expected)


def test_yes_and_no_are_read_as_truth_values():
    found = column("member", ["yes", "no"] * 5)
    assert found.dtype == "BOOLEAN"
    assert found.sources == ("member",)


def test_keys_are_ids():
    users = pd.DataFrame({"user_id": range(9)})
    orders = pd.DataFrame({"order_id": range(9), "user_id": range(9)})
    found = inferred({"users": users, "orders": orders}).tables["orders"].columns
    assert [found[name].stype for name in found] == [SType.id, SType.id]


@pytest.mark.parametrize("sql", ["'x'::BLOB", "{'a': 1}", "INTERVAL 1 DAY", "NULL"])
def test_every_stored_type_gets_a_meaning(sql):
    table = inferred({"t": f"(SELECT {sql} AS c, 1 AS id)"}).tables["t"]
    assert isinstance(table.columns["c"].stype, SType)


def test_a_word_for_null_is_no_third_answer():
    found = column("member", ["yes", "no", "NULL", ""] * 5)
    assert (found.stype, found.dtype) == (SType.boolean, "BOOLEAN")
    assert column("region", ["EU", "US", "NA"] * 20).stype is SType.categorical
