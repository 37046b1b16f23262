"""What every figure is drawn with: axes on the page's paper, pictures, marks."""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import dataclass

from matplotlib import style
from matplotlib.axes import Axes
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure

from benthic.report.svg import DASHES, PALETTE, inline


@dataclass(frozen=True)
class Mark:
    """One entry of a legend.

    Args:
        label: What the line stands for.
        color: Its name in :data:`benthic.report.svg.PALETTE`.
        dash: ``"solid"``, ``"dashed"`` or ``"dotted"``.
    """

    label: str
    color: str
    dash: str = "solid"

    @property
    def dasharray(self) -> str:
        """The dash as SVG writes it."""
        return DASHES[self.dash]


@dataclass(frozen=True)
class Picture:
    """One figure: what it shows, as inline SVG.

    Args:
        title: Quantity and axis, in a few words.
        caption: How to read it, and its trap.
        svg: The drawing; empty where nothing is defined.
        legend: What the lines stand for, where there is more than one.
        missing: Why there is no drawing.
    """

    title: str
    caption: str
    svg: str = ""
    legend: tuple[Mark, ...] = ()
    missing: str = ""


_STYLE = {
    "svg.fonttype": "none",
    "svg.hashsalt": "benthic",
    "font.size": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.linewidth": 0.8,
    "axes.axisbelow": True,
    "xtick.major.size": 3,
    "ytick.major.size": 3,
}

LINES = {"solid": "solid", "dashed": (0, (4, 2.5)), "dotted": (0, (1.2, 2))}

SERIES_COLORS = ("blue", "orange", "green", "purple", "red", "olive", "teal", "brown")


def draw(paint: Callable[[Axes], None], prefix: str, label: str) -> str:
    """One pair of axes as SVG for a page; the same input gives the same bytes.

    Args:
        paint: Fills the axes.
        prefix: Begins every id, so that pictures can share a page.
        label: What a screen reader says.
    """
    # "default" first: whatever style the caller's own figures use stays theirs.
    with style.context(["default", _STYLE]):
        figure = Figure(figsize=(4.5, 2.75), layout="constrained")
        FigureCanvasSVG(figure)
        axes = figure.add_subplot()
        for patch in (figure.patch, axes.patch):
            patch.set_visible(False)
        axes.grid(axis="y", color=hue("grid"), linewidth=0.8)
        axes.tick_params(color=hue("muted"), labelcolor=hue("ink"))
        axes.xaxis.label.set_color(hue("ink"))
        for spine in axes.spines.values():
            spine.set_color(hue("muted"))
        paint(axes)
        file = io.BytesIO()
        empty = dict.fromkeys(("Creator", "Date", "Format", "Type"))
        figure.savefig(file, format="svg", metadata=empty)
    return inline(file.getvalue(), prefix, label)


def hue(name: str) -> str:
    """The code of a color on light paper, which the page turns into its theme.

    Args:
        name: A name of :data:`benthic.report.svg.PALETTE`.

    Example:
        >>> hue("blue")
        '#1f6fb2'
    """
    return PALETTE[name][0]
