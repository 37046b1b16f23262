from __future__ import annotations

import xml.etree.ElementTree as ET

from benthic.report.drawing import LINES, SERIES_COLORS, Mark, draw, hue
from benthic.report.svg import DASHES, PALETTE


def test_a_figure_is_the_same_to_the_byte_and_themed_by_the_page():
    def paint(axes):
        axes.plot([1, 2], [3, 4], color=hue("blue"))

    svg = draw(paint, "a", "A line")
    assert svg == draw(paint, "a", "A line")
    assert "var(--b-blue" in svg
    assert ET.fromstring(svg).attrib["aria-label"] == "A line"


def test_every_line_can_be_drawn_in_a_figure_and_in_a_legend():
    assert set(LINES) == set(DASHES)
    assert set(SERIES_COLORS) <= set(PALETTE)
    assert [Mark("", "blue", dash).dasharray for dash in LINES] == list(DASHES.values())
