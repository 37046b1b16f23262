from __future__ import annotations

import xml.etree.ElementTree as ET

from benthic.report.svg import PALETTE, inline

DRAWING = b"""<?xml version="1.0"?>
<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink"
     viewBox="0 0 100 50" width="100pt">
 <metadata><x/></metadata>
 <defs><style type="text/css">*{stroke-linejoin: round}</style></defs>
 <g id="figure_1"><g id="line_1" clip-path="url(#clip)">
  <path d="M 1.23456 2
L 3 4" style="stroke: #1f6fb2; font: 10px 'DejaVu Sans'"/>
  <use xlink:href="#dot" x="1.00000"/></g></g>
 <defs><clipPath id="clip"/><path id="dot"/></defs>
 <text>a &lt; b &amp; id="x"</text>
</svg>"""


def test_ids_that_are_used_get_the_prefix_and_others_go():
    svg = inline(DRAWING, "one", "")
    assert 'id="one-clip"' in svg
    assert 'clip-path="url(#one-clip)"' in svg
    assert 'href="#one-dot"' in svg
    assert "figure_1" not in svg
    assert "line_1" not in svg


def test_nothing_names_an_address_or_styles_the_page():
    svg = inline(DRAWING, "one", "")
    assert "http" not in svg
    assert "<style" not in svg
    assert "metadata" not in svg


def test_colors_follow_the_theme_of_the_page():
    assert f"var(--b-blue, {PALETTE['blue'][0]})" in inline(DRAWING, "one", "")


def test_text_stays_escaped_and_the_label_is_escaped_too():
    svg = inline(DRAWING, "one", '"><script>')
    assert 'a &lt; b &amp; id="x"' in svg
    assert "<script" not in svg
    assert ET.fromstring(svg).attrib["aria-label"] == '"><script>'
