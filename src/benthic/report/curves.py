"""Figures of a sweep: accuracy by depth, a panel per dataset and conv."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from matplotlib.axes import Axes

from benthic.report.depth_table import metric_of
from benthic.report.drawing import LINES, SERIES_COLORS, Mark, Picture, draw, hue
from benthic.report.series import is_drawable, number

Document: TypeAlias = Mapping[str, Any]
"""One sweep, as ``Sweep.to_dict()`` gives it."""

_CAPTION = (
    "By depth on a logarithmic axis: the line is the median over seeds, "
    "the band reaches from the worst seed to the best."
)
_DASHES = tuple(LINES)
_MOST_TICKS = 10
_LEAST_GAP = 0.085  # between two letters, as a share of the axis


@dataclass(frozen=True)
class _Curve:
    """One treatment: values by depth, in percent, NaN where every seed failed."""

    letter: str
    treatment: str
    color: str
    dash: str
    depths: list[int]
    middle: list[float]
    low: list[float]
    high: list[float]


def depth_pictures(document: Document, prefix: str) -> list[Picture]:
    """One panel per dataset and conv, one line per treatment.

    Lines differ by color, by dash and by the letter at their end.

    Args:
        document: A sweep.
        prefix: Begins every id, so that pictures can share a page.

    Example:
        >>> group = {"dataset": "cora", "conv": "gcn", "treatment": "none"}
        >>> summary = [{**group, "num_layers": n, "median": 1 / n} for n in (2, 4)]
        >>> (picture,) = depth_pictures({"rows": [], "summary": summary}, "a")
        >>> picture.title, picture.legend[0].label
        ('gcn on cora', 'A  none')
    """
    summary = document.get("summary") or []
    treatments = list(dict.fromkeys(row.get("treatment") for row in summary))
    highest = _highest(document.get("rows") or [])
    metric = metric_of(document)
    panels: dict[tuple[Any, Any], list[Mapping[str, Any]]] = {}
    for row in summary:
        panels.setdefault((row.get("dataset"), row.get("conv")), []).append(row)
    return [
        _panel(panel, rows, treatments, highest, metric, f"{prefix}-{index}")
        for index, (panel, rows) in enumerate(panels.items())
    ]


def _panel(
    panel: tuple[Any, Any],
    rows: Sequence[Mapping[str, Any]],
    treatments: Sequence[Any],
    highest: Mapping[tuple[Any, ...], float],
    metric: str,
    prefix: str,
) -> Picture:
    dataset, conv = panel
    title = f"{conv} on {dataset}"
    curves = [
        _curve(
            position, name, [row for row in rows if row["treatment"] == name], highest
        )
        for position, name in enumerate(treatments)
    ]
    curves = [curve for curve in curves if is_drawable(curve.middle)]
    if not curves:
        return Picture(title, _CAPTION, missing="no network reached the end")

    def paint(axes: Axes) -> None:
        for curve in curves:
            _paint_curve(axes, curve)
        _depth_axis(axes, sorted({d for curve in curves for d in curve.depths}))
        axes.set_ylabel(f"test {metric} (%)", color=hue("ink"))
        low, high = axes.get_ylim()
        axes.set_ylim(max(low, -2.0), min(high, 102.0))
        _name_ends(axes, curves)

    marks = [
        Mark(f"{curve.letter}  {curve.treatment}", curve.color, curve.dash)
        for curve in curves
    ]
    svg = draw(paint, prefix, f"Test {metric} by depth: {title}.")
    return Picture(title, _CAPTION, svg, tuple(marks))


def _curve(
    position: int,
    treatment: Any,
    rows: Sequence[Mapping[str, Any]],
    highest: Mapping[tuple[Any, ...], float],
) -> _Curve:
    rows = sorted(
        (row for row in rows if number(row.get("num_layers")) >= 1),
        key=lambda row: float(row["num_layers"]),
    )
    middle = [100 * number(row.get("median")) for row in rows]
    low = [100 * number(row.get("worst")) for row in rows]
    high = [100 * highest.get(_cell(row), math.nan) for row in rows]
    return _Curve(
        _letter(position),
        str(treatment),
        SERIES_COLORS[position % len(SERIES_COLORS)],
        _DASHES[position % len(_DASHES)],
        [row["num_layers"] for row in rows],
        middle,
        low,
        high,
    )


def _letter(position: int) -> str:
    """A … Z, AA, AB, …"""
    before, last = divmod(position, 26)
    return (_letter(before - 1) if before else "") + chr(ord("A") + last)


def _cell(row: Mapping[str, Any]) -> tuple[Any, ...]:
    return tuple(row.get(k) for k in ("dataset", "conv", "treatment", "num_layers"))


def _highest(rows: Sequence[Mapping[str, Any]]) -> dict[tuple[Any, ...], float]:
    """The upper end of each band."""
    highest: dict[tuple[Any, ...], float] = {}
    for row in rows:
        value = number(row.get("test"))
        if not math.isnan(value):
            highest[_cell(row)] = max(value, highest.get(_cell(row), value))
    return highest


def _paint_curve(axes: Axes, curve: _Curve) -> None:
    x = [math.log2(depth) for depth in curve.depths]
    color = hue(curve.color)
    axes.fill_between(x, curve.low, curve.high, color=color, alpha=0.13, linewidth=0)
    axes.plot(
        x,
        curve.middle,
        color=color,
        linewidth=1.7,
        linestyle=LINES[curve.dash],
        marker="o",
        markersize=3,
    )


def _depth_axis(axes: Axes, depths: Sequence[int]) -> None:
    step = math.ceil(len(depths) / _MOST_TICKS)
    shown = depths[::step]
    axes.set_xticks([math.log2(depth) for depth in shown], [str(d) for d in shown])
    axes.set_xlim(math.log2(depths[0]) - 0.2, math.log2(depths[-1]) + 0.2)
    axes.set_xlabel("num_layers")


def _name_ends(axes: Axes, curves: Sequence[_Curve]) -> None:
    """A letter at the end of each line, moved apart where lines end together."""
    low, high = axes.get_ylim()
    ends = []
    for curve in curves:
        last = next(y for y in reversed(curve.middle) if not math.isnan(y))
        ends.append(((last - low) / (high - low), curve))
    ends.sort(key=lambda end: end[0])
    height = -_LEAST_GAP
    placed = []
    for wanted, curve in ends:
        height = max(wanted, height + _LEAST_GAP)
        placed.append((height, curve))
    # Letters pushed over the top move back down together.
    over = max(0.0, placed[-1][0] - 1.0)
    for height, curve in placed:
        axes.annotate(
            curve.letter,
            (1.02, height - over),
            xycoords="axes fraction",
            va="center",
            annotation_clip=False,
            color=hue(curve.color),
        )
