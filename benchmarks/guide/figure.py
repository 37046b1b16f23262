"""The page's one figure, as plain SVG: the same cells give the same bytes."""

from __future__ import annotations

from collections.abc import Sequence

from benchmarks.guide.cells import Cells

WIDTH, HEIGHT = 640, 360
LEFT, RIGHT, TOP, BOTTOM = 60, 20, 30, 50
INK, GRID = "#777777", "#bbbbbb"  # readable on white and on black
COLORS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7")  # Okabe & Ito, for all eyes
KINDS = {
    "gcn": "plain GCN",
    "listing": "the guide's DeepGCN",
    "branch": "dropout on the branch",
    "branch norm": "… and LayerNorm",
}


def draw(cells: Sequence[Cells]) -> str:
    """Test accuracy against the cosine of the last hidden layer, a dot a network.

    Args:
        cells: Figures of trained networks.
    """
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" '
        'font-family="sans-serif" font-size="12">',
        *_axes(),
    ]
    for color, (kind, label) in zip(COLORS, KINDS.items(), strict=True):
        row = 16 * list(KINDS).index(kind)
        parts.append(
            f'<circle cx="{LEFT + 14}" cy="{196 + row}" r="4" fill="{color}"/>'
        )
        parts.append(_text(LEFT + 24, 200 + row, label, "start"))
        for key, cell in _of_kind(cells, kind):
            parts.append(_dot(key, cell, color))
    return "\n".join([*parts, "</svg>\n"])


def _of_kind(cells: Sequence[Cells], kind: str) -> list[tuple[str, dict]]:
    found = []
    for source in cells:
        for key, cell in source.cells.items():
            words = key.split()
            name = " ".join(w for w in words[: words.index("seed")] if not w.isdigit())
            if name.removesuffix(" longer") == kind:
                found.append((key, cell))
    return found


def _place(cosine: float, accuracy: float) -> tuple[str, str]:
    x = LEFT + cosine * (WIDTH - LEFT - RIGHT)
    y = HEIGHT - BOTTOM - accuracy * (HEIGHT - TOP - BOTTOM)
    return f"{x:.1f}", f"{y:.1f}"


def _dot(key: str, cell: dict, color: str) -> str:
    x, y = _place(cell["mean_cosine"][-1], cell["test"])
    return (
        f'<circle cx="{x}" cy="{y}" r="4" fill="{color}" fill-opacity="0.7">'
        f"<title>{key}</title></circle>"
    )


def _axes() -> list[str]:
    parts = []
    for tick in range(0, 11, 2):
        x, y = _place(tick / 10, 0)
        parts.append(_text(float(x), float(y) + 18, f"{tick / 10:.1f}", "middle"))
    for tick in range(0, 101, 20):
        x, y = _place(0, tick / 100)
        end, _ = _place(1, 0)
        parts.append(
            f'<line x1="{x}" y1="{y}" x2="{end}" y2="{y}" stroke="{GRID}" '
            'stroke-width="0.5"/>'
        )
        parts.append(_text(float(x) - 8, float(y) + 4, f"{tick} %", "end"))
    middle = (LEFT + WIDTH - RIGHT) / 2
    label = "mean cosine of the last hidden layer"
    parts.append(_text(middle, HEIGHT - 10, label, "middle"))
    parts.append(_text(LEFT, 16, "test accuracy on Cora", "start"))
    return parts


def _text(x: float, y: float, text: str, anchor: str) -> str:
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" fill="{INK}" text-anchor="{anchor}">'
        f"{text}</text>"
    )
