from __future__ import annotations

import json

import numpy as np
import pandas as pd

from benthic.relational.explanation import (
    Explanation,
    FeatureEffect,
    Outcome,
    PathEffect,
    RowEffect,
)


def told(names, effects, share=1.0, **more):
    """One path; what is expected is 1, for each outcome."""
    said = dict(zip(names, effects, strict=True))
    outcomes = tuple(Outcome(name, 1.0, 1.0 + value) for name, value in said.items())
    path = PathEffect("a <- b.a", ("b",), share, said)
    facts = {"prediction": {"prediction": 2.0}, "paths": (path,), **more}
    return Explanation("PREDICT …", 7, None, outcomes=outcomes, **facts)


def test_one_outcome_needs_no_header():
    lines = str(told(["prediction"], [0.25])).splitlines()
    assert lines[3:] == [
        "paths",
        "  +0.250  100.0%  a <- b.a",
        "  +1.000          expected of anybody",
        "  +1.250          score",
    ]


def test_several_outcomes_stand_side_by_side_under_their_names():
    lines = str(told(["web", "a very long name"], [0.25, -12.5])).splitlines()
    assert lines[4:6] == [
        "     web  a very long…",
        "  +0.250       -12.500  100.0%  a <- b.a",
    ]


def test_great_numbers_stay_in_their_columns():
    lines = str(told(["x", "y"], [1_234_567.8, -3.0])).splitlines()
    assert "+1,234,568      -3  100.0%  a <- b.a" in lines[5]
    assert len({line.index("a") for line in lines[5:6]}) == 1


def test_the_screen_shows_six_outcomes_and_the_document_all():
    found = told([f"frame {i}" for i in range(9)], np.arange(9.0).tolist())
    head = str(found).splitlines()[4].split("  ")
    names = [name.strip() for name in head if name.strip()]
    assert names == [*(f"frame {i}" for i in range(5)), "frame 8"]
    assert len(json.loads(found.to_json())["outcomes"]) == 9


def test_weak_paths_are_summed_up_so_that_all_adds_up():
    weak = PathEffect("a", ("a",), 0.004, {"x": 0.1})
    strong = PathEffect("b", ("b",), 0.992, {"x": 2.0})
    found = told(["x"], [0.0], paths=(strong, weak, weak))
    assert "  +0.200    0.8%  2 more, each below 1%" in str(found).splitlines()


def test_of_many_classes_the_line_names_the_likeliest():
    said = {f"probability_{i}": i / 100 for i in range(12)}
    found = told(["x"], [0.0], prediction={"prediction": "11", **said})
    line = str(found).splitlines()[1]
    assert line.startswith("for 7: prediction 11, probability_6 0.06")
    assert line.endswith("probability_11 0.11, …")
    assert len(found.to_dict()["prediction"]) == 13


def test_a_list_needs_no_probability_of_each_value():
    said = {"prediction": list(range(12)), "scores": [0.5], "probability_0": 0.5}
    line = str(told(["x"], [0.0], prediction=said)).splitlines()[1]
    numbers = ", ".join(map(str, range(10)))
    assert line == f"for 7: prediction [{numbers}, …], scores [0.5]"


def test_rows_are_short_and_one_without_which_a_value_is_gone_says_so():
    row = {"id": 1, "text": "long " * 20, "none": None, "nan": float("nan")}
    gone = RowEffect("b", row, pd.Timestamp("2026-01-01"), None, None)
    less = RowEffect("b", {"id": 2}, None, 0.5, -0.25)
    text = str(told(["x"], [0.0], rows=(gone, less), rows_move="the score of x"))
    assert "rows (what each did to the score of x)" in text
    assert "  no candidate without  b: id=1, text=long long" in text
    assert "  -0.2500  b: id=2" in text
    assert "nan" not in text
    document = told(["x"], [0.0], rows=(gone,)).to_dict()
    assert document["rows"][0]["change"] is None


def test_the_query_on_the_whole_has_shares_only():
    features = (FeatureEffect("f", "a <- b.a", 0.75),)
    path = PathEffect("a <- b.a", ("b",), 1.0)
    found = Explanation("Q", None, None, None, paths=(path,), features=features)
    assert str(found).splitlines() == [
        "Q",
        "",
        "paths",
        "  100.0%  a <- b.a",
        "",
        "features",
        "   75.0%  f",
    ]
    assert features[0].effect is None
