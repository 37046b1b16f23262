from __future__ import annotations

import copy
import json
import re
import xml.etree.ElementTree as ET
from pathlib import Path

import matplotlib as mpl
import pytest

from benthic.report import plots
from benthic.report.gauges import GAUGES, SIGNALS

DIAGNOSIS = Path(__file__).parents[1] / "golden" / "diagnosis.json"


@pytest.fixture
def document():
    return json.loads(DIAGNOSIS.read_text())


def pictures(document, prefix="p"):
    return [
        *plots.gauge_pictures(document, prefix),
        *plots.signal_pictures(document, prefix),
        *plots.probe_pictures(document, prefix),
        plots.influence_picture(document, prefix),
    ]


def by_title(document):
    return {picture.title: picture for picture in pictures(document)}


def dots(picture):
    """Points drawn with a dot: all defined values of a line of few layers."""
    uses = re.findall(r'<use href="#([^"]+)"[^>]*?style="([^"]*)"', picture.svg)
    return [name for name, style in uses if "--b-blue" in style]


def test_every_picture_is_drawn_and_well_formed(document):
    for picture in pictures(document):
        assert ET.fromstring(picture.svg).tag == "svg", picture.title
        assert picture.caption.endswith(".")


def test_the_same_diagnosis_gives_the_same_bytes(document):
    assert pictures(document) == pictures(copy.deepcopy(document))


def test_ids_are_unique_across_the_pictures_of_a_page(document):
    ids = [
        name
        for picture in (*pictures(document, "a"), *pictures(document, "b"))
        for name in re.findall(r'\bid="([^"]+)"', picture.svg)
    ]
    assert len(ids) == len(set(ids)) > 0


def test_every_reference_has_its_target(document):
    for picture in pictures(document):
        ids = set(re.findall(r'\bid="([^"]+)"', picture.svg))
        used = re.findall(r'(?:href="#|url\(#)([^")]+)', picture.svg)
        assert set(used) <= ids


def test_undefined_values_are_gaps(document):
    whole = by_title(document)["Mean cosine"]
    assert len(dots(whole)) == 4  # two of the six layers are undefined
    for layer in document["layers"]:
        layer["centered_cosine"] = None if layer["name"] == "convs.2" else 0.5
    broken = by_title(document)["Centered cosine"]
    lines = re.findall(r'<path d="([^"]+)"[^>]*--b-blue', broken.svg)
    assert any(line.count("M") == 2 for line in lines)


def test_a_true_zero_on_a_log_axis_is_marked_and_explained(document):
    gradient = by_title(document)["Gradient norm"]
    assert "▼ is exactly zero" in gradient.caption
    assert "▼" not in by_title(document)["Rayleigh quotient"].caption
    assert len(dots(gradient)) == 6  # five dots and one triangle


def test_a_value_that_is_undefined_everywhere_says_why(document):
    for layer in document["layers"]:
        layer["mean_cosine"] = None
        layer["undefined"] = {"mean_cosine": "every row is zero"}
    picture = by_title(document)["Mean cosine"]
    assert picture.svg == ""
    assert picture.missing == "every row is zero"


def test_controls_and_limits_are_drawn_and_named(document):
    found = by_title(document)
    assert {"1/π", "limit"} <= texts(found["Mean cosine"])
    assert {"classes", "width"} <= texts(found["Effective rank"])
    assert "chance" in texts(found["Probe by layer"])
    assert {"depth 6", "chance"} <= texts(found["Probe by hops, weights off"])
    labels = [mark.label for mark in found["Gradient norm"].legend]
    assert labels == ["model", "fresh initialization"]
    assert found["Probe by layer"].legend[1].dasharray != "none"


def test_a_control_that_is_zero_for_a_trivial_reason_is_left_out(document):
    for row in document["controls"]["graph_off"]:
        row["rayleigh_quotient"] = 0.0
    labels = [mark.label for mark in by_title(document)["Rayleigh quotient"].legend]
    assert labels == ["model", "fresh initialization"]


def texts(picture):
    return {element.text for element in ET.fromstring(picture.svg).iter("text")}


def test_node_types_have_a_line_and_a_legend_each(document):
    others = [{**layer, "node_type": "<item>"} for layer in document["layers"]]
    for layer in document["layers"]:
        layer["node_type"] = "user"
    document["layers"] += others
    picture = by_title(document)["Dead rows"]
    assert [mark.label for mark in picture.legend] == ["user", "<item>"]
    assert len({mark.color for mark in picture.legend}) == 2
    assert "item" not in picture.svg


def test_a_bare_document_draws_nothing_and_does_not_fail():
    for document in ({}, {"layers": [], "controls": None, "influence": None}):
        for picture in pictures(document):
            assert picture.svg == ""
            assert picture.missing


@pytest.mark.parametrize("value", [0.0, 1e-45, 1e38, -1.0, 5e-324, 1e308])
def test_extreme_values_are_drawn(document, value):
    for layer in document["layers"]:
        for gauge in (*GAUGES, *SIGNALS):
            layer[gauge.field] = value
    for picture in pictures(document):
        ET.fromstring(picture.svg)


def test_the_callers_matplotlib_settings_neither_leak_in_nor_out(document):
    before = pictures(document)
    with mpl.rc_context({"font.size": 30, "svg.fonttype": "path", "axes.grid": True}):
        settings = dict(mpl.rcParams)
        assert pictures(document) == before
        assert dict(mpl.rcParams) == settings


def test_pyplot_stays_unused():
    source = Path(plots.__file__).read_text()
    assert "pyplot" not in source
