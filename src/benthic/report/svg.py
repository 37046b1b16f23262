"""Turns a figure's SVG into a small, themed part of a page."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET

PALETTE = {
    "ink": ("#27313f", "#dde3ea"),
    "muted": ("#66717f", "#98a4b3"),
    "grid": ("#e4e8ed", "#2c3541"),
    "blue": ("#1f6fb2", "#6cb2ee"),
    "orange": ("#c2611b", "#f0a060"),
    "green": ("#25855a", "#62c796"),
    "purple": ("#7a4fa5", "#bd9be4"),
    "red": ("#b5344d", "#ee8497"),
    "olive": ("#7d7a20", "#cdc96a"),
    "teal": ("#16808c", "#5fc7d3"),
    "brown": ("#8a5b3d", "#cfa588"),
}
"""Name of a color to its code on light and on dark paper."""

DASHES = {"solid": "none", "dashed": "5 3", "dotted": "1.5 2.5"}

_VARIABLES = {
    light: f"var(--b-{name}, {light})" for name, (light, _) in PALETTE.items()
}


def inline(svg: bytes, prefix: str, label: str) -> str:
    """Drops what a page does not need and keeps ids apart from other figures'.

    Colors of :data:`PALETTE` become CSS variables named ``--b-NAME`` that fall back
    to light paper, so the page sets the theme; fonts are the page's own.

    Args:
        svg: A drawing as matplotlib writes it.
        prefix: Begins every id that is kept.
        label: What a screen reader says.

    Example:
        >>> inline(b'<svg viewBox="0 0 9 9"><path id="a" d="M 0.123456 0"/></svg>',
        ...        "one", "1 < 2")
        '<svg viewBox="0 0 9 9" class="figure" role="img" aria-label="1 &lt; 2" \
width="9" font-family="system-ui, sans-serif" stroke-linejoin="round">\
<path d="M 0.1235 0" /></svg>'
    """
    root = ET.fromstring(svg)
    width = root.attrib["viewBox"].split()[2]
    root.attrib = {
        "viewBox": root.attrib["viewBox"],
        "class": "figure",
        "role": "img",
        "aria-label": label,
        "width": width,
        "font-family": "system-ui, sans-serif",
        "stroke-linejoin": "round",
    }
    for parent in list(root.iter()):
        for child in list(parent):
            if child.tag.endswith(("}metadata", "}style")):
                parent.remove(child)
    _flatten(root)
    used = _referenced(root)
    for element in root.iter():
        element.tag = element.tag.rpartition("}")[2]
        element.attrib = {
            key.rpartition("}")[2]: _attribute(key.rpartition("}")[2], value, prefix)
            for key, value in element.attrib.items()
            if key != "id" or value in used
        }
        element.tail = None
        if element.tag != "text":
            element.text = None
    return ET.tostring(root, encoding="unicode")


def _flatten(element: ET.Element) -> None:
    """Takes out groups that only carried a name, and empty definitions."""
    children: list[ET.Element] = []
    for child in element:
        _flatten(child)
        tag = child.tag.rpartition("}")[2]
        bare = tag == "g" and not child.attrib.keys() - {"id"}
        if bare:
            children.extend(child)
        elif tag != "defs" or len(child):
            children.append(child)
    element[:] = children


def _referenced(root: ET.Element) -> set[str]:
    return {
        match[1]
        for element in root.iter()
        for key, value in element.attrib.items()
        if key.endswith(("href", "clip-path"))
        and (match := re.search(r"#([^)]+)", value))
    }


def _attribute(name: str, value: str, prefix: str) -> str:
    if name == "aria-label":
        return value
    if name == "id":
        return f"{prefix}-{value}"
    if name in ("href", "clip-path"):
        return value.replace("#", f"#{prefix}-")
    if name == "style":
        value = re.sub(r"font: ([\d.]+px)[^;]*", r"font-size: \1", value)
        value = re.sub(r"font-family: [^;]*;? ?", "", value)
        return re.sub("#[0-9a-f]{6}", lambda m: _VARIABLES.get(m[0], m[0]), value)
    if name in ("d", "x", "y", "transform", "width", "height", "points"):
        value = re.sub(r"\s+", " ", value).strip()
        value = re.sub(r"rotate\(-?0 [^)]*\)", "", value)
        return re.sub(r"-?\d+\.\d+", lambda m: f"{float(m[0]):.4g}", value)
    return value
