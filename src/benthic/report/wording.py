"""How a number, a name and a table are written: the same in every rendering."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping, Sequence
from typing import Any

DASH = "–"


def figure(value: Any) -> str:
    """A value at the precision a person can use, and a dash for none.

    Args:
        value: A number, a short string, or None.

    Example:
        >>> [figure(v) for v in (0.12345, 12.345, 2708, 1e-9, 1234.5, None, True)]
        ['0.123', '12.3', '2,708', '1.0e-09', '1,234', '–', 'yes']
    """
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    if not isinstance(value, float):
        return cell(value)
    size = abs(value)
    if size == 0:
        return "0"
    if size < 1e-2 or size >= 1e6:
        return f"{value:.1e}"
    if size >= 100:
        return f"{value:,.0f}"
    return f"{value:.{1 if size >= 10 else 2 if size >= 1 else 3}f}"


def cell(value: Any) -> str:
    r"""Text on one line, without characters that could steer a terminal.

    Args:
        value: Anything; None becomes a dash.

    Example:
        >>> cell("two\nlines"), cell("\x1b[31mred"), cell(None)
        ('two lines', '[31mred', '–')
    """
    if value is None:
        return DASH
    text = " ".join(str(value).split())
    return "".join(char for char in text if unicodedata.category(char)[0] != "C")


def escape_markdown(text: str) -> str:
    r"""Text that Markdown shows as it is, also inside a table.

    Args:
        text: One line.

    Example:
        >>> print(escape_markdown("a|b <i> num_layers"))
        a\|b \<i\> num_layers
    """
    text = re.sub(r"([\\`*\[\]<>|&~])", r"\\\1", text)
    return re.sub(r"(?<!\w)_|_(?!\w)", r"\\_", text)


def evidence_items(evidence: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Names and values of a finding's evidence as strings.

    Args:
        evidence: Numbers, short strings, or lists or mappings of them.

    Example:
        >>> evidence_items({"ratio": 1e-9, "layers": ["convs.0", "convs.1"]})
        [('ratio', '1.0e-09'), ('layers', 'convs.0, convs.1')]
    """
    return [(cell(name), _evidence(value)) for name, value in evidence.items()]


def _evidence(value: Any) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{cell(k)} {_evidence(v)}" for k, v in value.items())
    if isinstance(value, list | tuple):
        return ", ".join(_evidence(item) for item in value)
    return figure(value)


def notes(layers: Sequence[Mapping[str, Any]], columns: Sequence[str]) -> list[str]:
    """Why values are undefined: each reason once, with its fields and layers.

    Args:
        layers: Readings, each with its ``undefined``.
        columns: The fields that are shown.

    Example:
        >>> layers = [{"name": "a", "undefined": {"norm": "no rows"}}, {"name": "b"}]
        >>> notes(layers, ["name", "norm"])
        ['norm of a: no rows']
    """
    where: dict[tuple[str, tuple[str, ...]], list[str]] = {}
    for row in layers:
        reasons: dict[str, list[str]] = {}
        for field, reason in (row.get("undefined") or {}).items():
            if field not in columns:
                continue
            reasons.setdefault(cell(reason), []).append(cell(field))
        for reason, fields in reasons.items():
            names = where.setdefault((reason, tuple(fields)), [])
            kind = row.get("node_type")
            name = cell(row.get("name"))
            names.append(f"{name} ({cell(kind)})" if kind is not None else name)
    return [
        f"{', '.join(fields)} of {_listed(names)}: {reason}"
        for (reason, fields), names in where.items()
    ]


def _listed(names: Sequence[str]) -> str:
    if len(names) <= 4:
        return ", ".join(names)
    return f"{names[0]}, {names[1]}, … {names[-1]} ({len(names)} layers)"


def table(header: Sequence[str], rows: Sequence[Sequence[str]], most: int) -> list[str]:
    r"""Lines of a plain table: names to the left, numbers to the right.

    A name of several words stands on several lines, so that columns stay narrow.

    Args:
        header: Names of the columns; the first column holds names.
        rows: Cells.
        most: More rows than this are abbreviated.

    Example:
        >>> rows = [["convs.0", "0.798", "1.21"]]
        >>> print("\n".join(["", *table(["name", "mean_cosine", "norm"], rows, 20)]))
        <BLANKLINE>
                   mean
        name     cosine  norm
        convs.0   0.798  1.21
    """
    heads = [name.split("_") for name in header]
    depth = max(map(len, heads))
    heads = [[""] * (depth - len(words)) + words for words in heads]
    kept = _kept(len(rows), most)
    shown = [rows[index] for index in kept]
    widths = [
        max(len(text) for text in (*head, *column))
        for head, column in zip(heads, zip(*shown, strict=True), strict=True)
    ]
    is_text = [name in ("name", "node_type", "treatment") for name in header]

    def line(cells: Sequence[str]) -> str:
        padded = (
            text.ljust(width) if left else text.rjust(width)
            for text, width, left in zip(cells, widths, is_text, strict=True)
        )
        return "  ".join(padded).rstrip()

    lines = [line([head[i] for head in heads]) for i in range(depth)]
    for before, index in zip([-1, *kept], kept, strict=False):
        if index - before > 1:
            lines.append(f"… {index - before - 1} more")
        lines.append(line(rows[index]))
    return lines


def _kept(count: int, most: int) -> list[int]:
    """Indices of few of ``count`` rows: both ends, and evenly spaced between them."""
    if count <= most:
        return list(range(count))
    spaced = most // 3
    between = {round(i * (count - 1) / (spaced - 1)) for i in range(spaced)}
    ends = {*range(most // 6), *range(count - most // 6, count)}
    return sorted(between | ends)
