"""The table says what acts, and why the rest does not."""

from __future__ import annotations

from benthic.treatment.inserted_table import Row, print_rows


def test_what_did_not_act_is_left_out_with_the_reason():
    row = Row("conv", "GCNConv", "8 -> 8", ["Residual", "LayerNorm"], ["DropEdge: no"])
    row.absent["Residual"] = "found no earlier states"
    assert row.cells[3:] == (
        "LayerNorm",
        "DropEdge: no; Residual: found no earlier states",
    )
    row.unsure["LayerNorm"] = "if a map follows"
    assert row.cells[3] == "LayerNorm, if a map follows"


def test_states_that_one_call_found_count_for_all():
    row = Row(
        "conv", "GCNConv", "8 -> 8", ["Residual", "IdentityMap"], [], ["Residual"]
    )
    row.unsure["Residual"] = "if states come before"
    assert row.cells[3] == "Residual, if states come before, IdentityMap"
    assert row.note_states("the stream starts here")
    assert not row.note_states("the stream starts here")
    assert row.cells[3:] == ("IdentityMap", "Residual: the stream starts here")
    assert row.note_states("")
    assert not row.note_states("the stream starts here")
    row.number = 3
    assert row.cells[3:] == ("Residual, IdentityMap(l=3)", "")


def test_columns_are_as_wide_as_their_longest_cell():
    rows = [Row(name, "GCNConv", "8 -> 8", [], []) for name in ("a", "a.longer.name")]
    lines = print_rows(rows)
    assert lines[0].startswith("layer          class")
    assert lines[2] == "a              GCNConv  8 -> 8    -"
