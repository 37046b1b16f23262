"""Figures of a diagnosis."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, MaxNLocator

from benthic.report.drawing import LINES, SERIES_COLORS, Mark, Picture, draw, hue
from benthic.report.gauges import GAUGES, PROBE, SIGNALS, Gauge
from benthic.report.series import (
    Place,
    Series,
    is_drawable,
    number,
    places,
    series,
    why_undefined,
)

Document: TypeAlias = Mapping[str, Any]
"""One diagnosis, as ``Diagnosis.to_dict()`` gives it."""


_CONTROLS = {
    "fresh": ("fresh initialization", "dashed", "orange"),
    "graph_off": ("graph off", "dotted", "green"),
}


def gauge_pictures(document: Document, prefix: str) -> list[Picture]:
    """The six gauges by layer, one small picture each.

    Args:
        document: A diagnosis.
        prefix: Begins every id, so that pictures can share a page.
    """
    return [_by_layer(document, gauge, prefix) for gauge in GAUGES]


def signal_pictures(document: Document, prefix: str) -> list[Picture]:
    """Gradient and weight norms by layer, trained and freshly initialized.

    Args:
        document: A diagnosis.
        prefix: Begins every id.
    """
    return [_by_layer(document, gauge, prefix) for gauge in SIGNALS]


def probe_pictures(document: Document, prefix: str) -> list[Picture]:
    """What a linear probe reads: by layer, and by hop without any weights.

    Args:
        document: A diagnosis.
        prefix: Begins every id.
    """
    return [_by_layer(document, PROBE, prefix), _weights_off(document, prefix)]


def influence_picture(document: Document, prefix: str) -> Picture:
    """Share of influence by hop, with its standard error and its null.

    Args:
        document: A diagnosis.
        prefix: Begins every id.
    """
    title = "Influence by hop"
    caption = (
        "How much of what a node says comes from nodes so many hops away, ± one "
        "standard error. Far below the dashed line, far nodes are not heard."
    )
    rows = _with(document.get("influence"), "hop")
    hops = [number(row["hop"]) for row in rows]
    share = [number(row.get("share")) for row in rows]
    null = [number(row.get("null")) for row in rows]
    error = [number(row.get("standard_error")) for row in rows]
    if not is_drawable(share):
        return Picture(title, caption, missing="influence was not measured")

    def paint(axes: Axes) -> None:
        _line(axes, hops, null, "orange", "dashed")
        _line(axes, hops, share, "blue", "solid")
        bars = [0.0 if math.isnan(value) else value for value in error]
        color = hue("blue")
        axes.errorbar(hops, share, yerr=bars, fmt="none", ecolor=color, capsize=2.5)
        _integer_axis(axes, "hops", hops)
        axes.set_ylim(bottom=min(0.0, axes.get_ylim()[0]))

    legend = [Mark("influence", "blue")]
    if is_drawable(null):
        legend.append(Mark("if every node were heard alike", "orange", "dashed"))
    svg = draw(paint, f"{prefix}-influence", f"{title}. {caption}")
    return Picture(title, caption, svg, tuple(legend))


def _by_layer(document: Document, gauge: Gauge, prefix: str) -> Picture:
    layers = document.get("layers") or []
    axis = places(layers)
    model = series(layers, gauge.field, axis)
    if not any(map(is_drawable, model.values())):
        missing = why_undefined(layers, gauge.field)
        return Picture(gauge.title, gauge.caption, missing=missing)
    controls = _controls(document, gauge, axis)
    x = [position + 1.0 for position in range(len(axis))]
    colors = _colors(model)

    def paint(axes: Axes) -> None:
        for name, lines in controls.items():
            for node_type, y in lines.items():
                _, dash, color = _CONTROLS[name]
                color = colors.get(node_type, color) if len(colors) > 1 else color
                _line(axes, x, y, color, dash, log=gauge.log)
        for node_type, y in model.items():
            _line(axes, x, y, colors[node_type], "solid", log=gauge.log)
        _references(axes, document, gauge.field, axis)
        _set_range(axes, gauge)
        _integer_axis(axes, "layer", x)

    svg = draw(paint, f"{prefix}-{gauge.field}", f"{gauge.title} by layer.")
    has_zero = gauge.log and any(0.0 in y for y in model.values())
    caption = gauge.caption + (" ▼ is exactly zero." if has_zero else "")
    return Picture(gauge.title, caption, svg, _legend(colors, list(controls)))


def _controls(
    document: Document, gauge: Gauge, axis: Mapping[Place, int]
) -> dict[str, Series]:
    """Controls that tell something: without edges a Rayleigh quotient is just 0."""
    rows = document.get("controls") or {}
    lines = {
        name: series(rows.get(name) or [], gauge.field, axis) for name in _CONTROLS
    }
    return {
        name: line
        for name, line in lines.items()
        if any(v > 0 or (v == 0 and not gauge.log) for y in line.values() for v in y)
    }


def _weights_off(document: Document, prefix: str) -> Picture:
    title = "Probe by hops, weights off"
    caption = (
        "A linear classifier on features that were only averaged over neighbors so "
        "many times. Where it still rises beyond the depth of the model, the model "
        "is too shallow for its signal."
    )
    controls = document.get("controls") or {}
    rows = _with(controls.get("weights_off"), "num_hops")
    hops = [number(row["num_hops"]) for row in rows]
    accuracy = [number(row.get("accuracy")) for row in rows]
    if not is_drawable(accuracy):
        return Picture(title, caption, missing="this control was not run")
    depth = len(places(document.get("layers") or []))

    def paint(axes: Axes) -> None:
        _line(axes, hops, accuracy, "purple", "solid")
        _level(axes, number(controls.get("chance")), "chance")
        if 0 < depth <= max(hops):
            is_left = depth <= max(hops) / 2
            axes.axvline(depth, color=hue("muted"), linewidth=1, dashes=(4, 3))
            axes.annotate(
                f"depth {depth}",
                (depth, 0.04),
                xycoords=axes.get_xaxis_transform(),
                xytext=(4 if is_left else -4, 0),
                textcoords="offset points",
                ha="left" if is_left else "right",
                color=hue("muted"),
            )
        axes.set_ylim(-0.03, 1.03)
        _integer_axis(axes, "hops", hops)

    svg = draw(paint, f"{prefix}-weights-off", f"{title}.")
    return Picture(title, caption, svg)


def _with(rows: Any, field: str) -> list[Mapping[str, Any]]:
    """The rows that have a place on the axis."""
    return [row for row in rows or [] if not math.isnan(number(row.get(field)))]


def _colors(lines: Series) -> dict[Any, str]:
    return {
        node_type: SERIES_COLORS[index % len(SERIES_COLORS)]
        for index, node_type in enumerate(lines)
    }


def _legend(colors: Mapping[Any, str], controls: Sequence[str]) -> tuple[Mark, ...]:
    several = len(colors) > 1
    marks = [Mark(str(key or "model"), color) for key, color in colors.items()]
    for name in controls:
        label, dash, color = _CONTROLS[name]
        marks.append(Mark(label, "muted" if several else color, dash))
    return tuple(marks) if several or controls else ()


def _references(
    axes: Axes, document: Document, field: str, axis: Mapping[Place, int]
) -> None:
    limits = document.get("limits") or {}
    if field == PROBE.field:
        controls = document.get("controls") or {}
        _level(axes, number(controls.get("chance")), "chance")
    if field == "mean_cosine":
        _level(axes, number(limits.get("relu_floor")), "1/π")
        _level(axes, number(limits.get("component_cosine")), "limit")
    if field == "effective_rank":
        _level(axes, _log10(number(limits.get("num_classes"))), "classes")
        _widths(axes, series(document.get("layers") or [], "channels", axis))


def _widths(axes: Axes, lines: Series) -> None:
    for y in lines.values():
        x = [position + 1.0 for position in range(len(y))]
        axes.plot(
            x, list(map(_log10, y)), color=hue("muted"), linewidth=1, dashes=(1, 2)
        )
    widths = [value for y in lines.values() for value in y if not math.isnan(value)]
    _name_level(axes, _log10(max(widths, default=math.nan)), "width")


def _level(axes: Axes, value: float, label: str) -> None:
    if not math.isnan(value):
        axes.axhline(value, color=hue("muted"), linewidth=1, dashes=(1, 2))
        _name_level(axes, value, label)


def _name_level(axes: Axes, value: float, label: str) -> None:
    if not math.isnan(value):
        axes.annotate(
            label,
            (1.02, value),
            xycoords=axes.get_yaxis_transform(),
            va="center",
            annotation_clip=False,
            color=hue("muted"),
        )


def _line(
    axes: Axes,
    x: Sequence[float],
    y: Sequence[float],
    color: str,
    dash: str,
    *,
    log: bool = False,
) -> None:
    drawn = list(map(_log10, y)) if log else list(y)
    axes.plot(
        x,
        drawn,
        color=hue(color),
        linewidth=1.6 if dash == "solid" else 1.3,
        linestyle=LINES[dash],
        marker="o",
        markersize=2.6,
        markevery=_marked(drawn),
    )
    zeros = [at for at, value in zip(x, y, strict=True) if log and value == 0]
    # A true zero has no place on a log axis, and must not look undefined.
    axes.plot(
        zeros,
        [0.02] * len(zeros),
        linestyle="none",
        marker="v",
        markersize=4.5,
        color=hue(color),
        transform=axes.get_xaxis_transform(),
    )


def _marked(y: Sequence[float]) -> list[int]:
    """Points that get a dot: all of a short line, the lonely ones of a long line."""
    gap = [math.isnan(value) for value in (math.nan, *y, math.nan)]
    lonely = [i for i in range(len(y)) if gap[i] and gap[i + 2] and not gap[i + 1]]
    return lonely if len(y) > 24 else list(range(len(y)))


def _log10(value: float) -> float:
    # Taken here and not by the axis: its margins overflow near the end of a double.
    return math.log10(value) if value > 0 else math.nan


def _set_range(axes: Axes, gauge: Gauge) -> None:
    """The gauge's own range, or whole decades, so that a log axis has two ticks."""
    values = [
        value
        for line in axes.lines
        if line.get_transform() == axes.transData
        for value in np.asarray(line.get_ydata(), dtype=float).tolist()
        if not math.isnan(value)
    ]
    if gauge.limits is not None:
        axes.set_ylim(min(gauge.limits[0], min(values) - 0.05), gauge.limits[1])
        return
    low = math.floor(min(values, default=0.0))
    axes.set_ylim(low, max(math.ceil(max(values, default=1.0)), low + 1))
    axes.yaxis.set_major_locator(MaxNLocator(integer=True, nbins=5))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: _power(value)))


def _power(exponent: float) -> str:
    if -2.5 < exponent < 3.5:
        return f"{10.0**exponent:g}"
    superscript = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")
    return "10" + str(round(exponent)).translate(superscript)


def _integer_axis(axes: Axes, label: str, x: Sequence[float]) -> None:
    axes.set_xlabel(label)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, nbins=8, min_n_ticks=1))
    axes.set_xlim(min(x) - 0.5, max(x) + 0.5)
