from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benthic.report.wording import (
    cell,
    escape_markdown,
    evidence_items,
    figure,
    notes,
    table,
)


@pytest.mark.parametrize(
    ("value", "written"),
    [
        (0.0, "0"),
        (-0.25, "-0.250"),
        (0.0099, "9.9e-03"),
        (99.99, "100.0"),
        (123456.0, "123,456"),
        (1e9, "1.0e+09"),
        (False, "no"),
        ("gcn", "gcn"),
    ],
)
def test_numbers_read_at_a_useful_precision(value, written):
    assert figure(value) == written


@given(st.text())
def test_a_cell_is_one_line_without_control_characters(text):
    assert all(char.isprintable() or char == " " for char in cell(text))


def test_evidence_may_nest():
    evidence = {"norms": [0.5, None], "by_layer": {"a": 1, "b": 2.0}}
    assert evidence_items(evidence) == [
        ("norms", "0.500, –"),
        ("by_layer", "a 1, b 2.00"),
    ]


def test_a_pipe_does_not_end_a_cell_of_markdown():
    assert escape_markdown("a|b") == r"a\|b"
    assert escape_markdown("<img src=x>") == r"\<img src=x\>"


def test_notes_say_each_reason_once():
    rows = [{"name": f"convs.{i}", "undefined": {"norm": "all zero"}} for i in range(9)]
    assert notes(rows, ["norm"]) == [
        "norm of convs.0, convs.1, … convs.8 (9 layers): all zero"
    ]


def test_a_long_table_keeps_its_ends_and_counts_what_it_hides():
    rows = [[f"convs.{i}", str(i)] for i in range(64)]
    lines = table(["name", "norm"], rows, 20)
    assert lines[1].startswith("convs.0")
    assert lines[-1].startswith("convs.63")
    hidden = [int(line.split()[1]) for line in lines if line.startswith("…")]
    shown = [line for line in lines if line.startswith("convs.")]
    assert len(shown) + sum(hidden) == 64
    assert len(lines) <= 22


def test_a_short_table_hides_nothing():
    rows = [[f"convs.{i}", str(i)] for i in range(20)]
    assert len(table(["name", "norm"], rows, 20)) == 21


def test_a_note_is_about_a_column_that_is_shown():
    rows = [{"name": "a", "undefined": {"norm": "all zero", "hidden": "not shown"}}]
    assert notes(rows, ["name", "norm"]) == ["norm of a: all zero"]
