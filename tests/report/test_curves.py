from __future__ import annotations

import itertools
import re
import xml.etree.ElementTree as ET

import pytest

from benthic.report.curves import depth_pictures


def document(treatments=("none", "residual"), depths=(2, 4, 64), datasets=("cora",)):
    groups = [
        {"dataset": d, "conv": "gcn", "treatment": t, "num_layers": n}
        for d in datasets
        for t in treatments
        for n in depths
    ]
    rows = [{**g, "seed": s, "test": 0.8 - s / 100} for g in groups for s in range(3)]
    summary = [{**g, "median": 0.79, "worst": 0.78} for g in groups]
    return {"rows": rows, "summary": summary}


def texts(picture):
    return [element.text for element in ET.fromstring(picture.svg).iter("text")]


def test_there_is_a_panel_per_dataset_and_conv_and_a_line_per_treatment():
    found = depth_pictures(document(datasets=("cora", "texas")), "p")
    assert [picture.title for picture in found] == ["gcn on cora", "gcn on texas"]
    for picture in found:
        assert [mark.label for mark in picture.legend] == ["A  none", "B  residual"]


def test_lines_can_be_told_apart_without_color():
    (picture,) = depth_pictures(document(), "p")
    assert len({mark.dash for mark in picture.legend}) == 2
    assert {"A", "B"} <= set(texts(picture))


def test_a_treatment_keeps_its_letter_and_color_in_every_panel():
    both = document(datasets=("cora", "texas"))
    both["summary"] = [
        row
        for row in both["summary"]
        if (row["dataset"], row["treatment"]) != ("texas", "none")
    ]
    cora, texas = depth_pictures(both, "p")
    assert texas.legend == cora.legend[1:]


def test_depth_is_on_a_binary_logarithmic_axis():
    (picture,) = depth_pictures(document(("none",), (2, 4, 64)), "p")
    assert {"2", "4", "64", "num_layers"} <= set(texts(picture))
    x = [float(v) for v in re.findall(r'<use href="#[^"]+" x="([\d.]+)"', picture.svg)]
    marks = sorted(set(x))[-3:]
    assert (marks[2] - marks[0]) / (marks[1] - marks[0]) == pytest.approx(5, rel=0.01)


def test_the_band_reaches_from_the_worst_seed_to_the_best():
    wide = document(("none",), (2, 4))
    flat = document(("none",), (2, 4))
    for row in flat["rows"]:
        row["test"] = 0.79
    for row in flat["summary"]:
        row["worst"] = 0.79
    assert depth_pictures(wide, "p")[0].svg != depth_pictures(flat, "p")[0].svg


def test_letters_of_lines_that_end_together_do_not_lie_on_each_other():
    many = document([f"t{i}" for i in range(9)], (2, 4))
    (picture,) = depth_pictures(many, "p")
    root = ET.fromstring(picture.svg)
    heights = sorted(
        float(element.attrib["y"])
        for element in root.iter("text")
        if element.text in "ABCDEFGHI"
    )
    assert len(heights) == 9
    assert min(b - a for a, b in itertools.pairwise(heights)) > 8


def test_a_depth_without_a_result_is_a_gap_and_a_panel_without_any_says_so():
    broken = document(("none",))
    broken["summary"][1] |= {"median": None, "worst": None}
    assert depth_pictures(broken, "p")[0].svg
    for row in broken["summary"]:
        row |= {"median": None, "worst": None}
    (picture,) = depth_pictures(broken, "p")
    assert picture.svg == ""
    assert picture.missing == "no network reached the end"


def test_a_single_depth_and_many_depths_are_drawn():
    assert depth_pictures(document(depths=(1,)), "p")[0].svg
    (picture,) = depth_pictures(document(depths=tuple(range(1, 65))), "p")
    assert "64" not in texts(picture) or len(texts(picture)) < 30


def test_hostile_names_stay_out_of_the_drawing():
    name = "<script>alert(1)</script>"
    (picture,) = depth_pictures(document((name,), datasets=(name,)), "p")
    assert "<script" not in picture.svg
