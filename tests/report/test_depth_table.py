from __future__ import annotations

import pytest

from benthic.report.depth_table import (
    depth_text,
    depth_view,
    fault_of,
    is_sweep,
    markdown_rows,
)

GROUP = {"dataset": "cora", "conv": "gcn", "treatment": "none", "num_layers": 2}


def summary(depth, median, loss=None, **changes):
    row = {**GROUP, "num_layers": depth, "median": median, "worst": median}
    return {**row, "best_shallower": None, "depth_loss": loss, **changes}


def document(*rows, failed=()):
    return {"rows": [], "summary": list(rows), "failed": list(failed)}


def cells(view):
    return view["panels"][0]["treatments"][0]["cells"]


@pytest.mark.parametrize(
    ("loss", "is_kept"),
    [
        (None, False),
        (-0.02, True),
        (0.0, True),
        (0.005, True),
        (0.815 - 0.81, True),
        (0.0051, False),
    ],
)
def test_half_a_point_is_kept_and_no_more(loss, is_kept):
    assert cells(depth_view(document(summary(4, 0.8, loss))))[0]["is_kept"] is is_kept


def test_a_depth_with_a_failed_seed_is_never_kept():
    lost = {**GROUP, "num_layers": 4, "seed": 1, "reason": "NaN"}
    view = depth_view(document(summary(4, 0.8, 0.0), failed=[lost, lost]))
    (cell,) = cells(view)
    assert not cell["is_kept"]
    assert cell["failed"] == "2"
    assert view["failed"] == ["gcn none, 4 layers on cora, seed 1, 1: NaN"]


def test_numbers_are_percent_and_points():
    (cell,) = cells(depth_view(document(summary(4, 0.8149, -0.0001))))
    assert (cell["median"], cell["depth_loss"]) == ("81.5", "0.0")


def test_a_treatment_that_lacks_a_depth_has_an_empty_place():
    other = summary(4, 0.7, treatment="residual")
    (panel,) = depth_view(document(summary(2, 0.8), other))["panels"]
    none, residual = panel["treatments"]
    assert panel["depths"] == ["2", "4"]
    assert none["by_depth"][1] is residual["by_depth"][0] is None
    assert dict(markdown_rows(panel))["residual"] == ["", "70.0"]


def test_the_text_has_a_table_per_dataset_and_conv():
    text = depth_text(
        document(summary(2, 0.8), summary(4, 0.7, 0.1), summary(2, 0.5, conv="sage"))
    )
    assert "gcn on cora: " in text
    assert "sage on cora: " in text
    rows = [line.split() for line in text.splitlines()]
    assert ["none", "2", "80.0", "80.0", "–", "–"] in rows
    assert ["4", "70.0", "70.0", "–", "10.0"] in rows


def test_the_text_says_what_failed():
    lost = {**GROUP, "seed": 1, "reason": "out of\nmemory"}
    text = depth_text(document(summary(2, None), failed=[lost]))
    assert "failed: gcn none, 2 layers on cora, seed 1: out of memory" in text
    assert text.splitlines()[4].split() == ["none", "2", "–", "–", "–", "–", "1"]


def test_a_sweep_without_a_network_says_so():
    assert depth_text(document()) == "no network was trained"


@pytest.mark.parametrize(
    ("found", "fault"),
    [
        ({"rows": 3, "summary": []}, "rows, which is no list"),
        ({"rows": [], "summary": [3]}, "a row of summary without dataset, conv"),
        ({"rows": [{}], "summary": []}, "a row of rows without"),
        ({"rows": [{**GROUP, "num_layers": 0}], "summary": []}, "a row of rows"),
        ({"rows": [{**GROUP, "num_layers": "2"}], "summary": []}, "a row of rows"),
        ({"rows": [], "summary": [], "failed": {}}, "failed, which is no list"),
        ({"rows": [], "summary": [], "settings": 3}, "settings, which is no dict"),
    ],
)
def test_what_cannot_be_shown_is_named(found, fault):
    assert is_sweep(found)
    assert fault_of(found).startswith(fault)


def test_a_diagnosis_is_no_sweep():
    assert not is_sweep({"verdict": "D001"})
    assert not is_sweep([])
