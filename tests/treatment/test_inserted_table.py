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
    row.unsure = "LayerNorm"
    assert row.cells[3] == "LayerNorm, if a map follows"


def test_columns_are_as_wide_as_their_longest_cell():
    rows = [Row(name, "GCNConv", "8 -> 8", [], []) for name in ("a", "a.longer.name")]
    lines = print_rows(rows)
    assert lines[0].startswith("layer          class")
    assert lines[2] == "a              GCNConv  8 -> 8    -"
