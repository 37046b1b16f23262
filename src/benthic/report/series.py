"""A document's rows as lines to draw, with a gap where a value is undefined."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

Row: TypeAlias = Mapping[str, Any]
Place: TypeAlias = tuple[Any, int]
"""Name of a layer, and which of its calls within one forward pass."""

Series: TypeAlias = dict[Any, list[float]]
"""Node type to a value per place; NaN where undefined."""


def number(value: Any) -> float:
    """A finite number, or NaN for everything that cannot be drawn.

    Args:
        value: Anything.

    Example:
        >>> number(3), number(None), number("3"), number(float("inf"))
        (3.0, nan, nan, nan)
    """
    if isinstance(value, int | float) and math.isfinite(value):
        return float(value)
    return math.nan


def is_drawable(values: Sequence[float]) -> bool:
    """Whether any value is defined.

    Args:
        values: Numbers, NaN where undefined.

    Example:
        >>> is_drawable([math.nan, 0.0]), is_drawable([math.nan]), is_drawable([])
        (True, False, False)
    """
    return not all(map(math.isnan, values))


def places(layers: Sequence[Row]) -> dict[Place, int]:
    """Where each layer stands on the axis: by name, and by call where one repeats.

    Args:
        layers: Rows with a ``name`` and perhaps a ``node_type``.

    Example:
        >>> places([{"name": "a"}, {"name": "b"}, {"name": "a"}])
        {('a', 0): 0, ('b', 0): 1, ('a', 1): 2}
        >>> rows = [{"name": "a", "node_type": t} for t in ("user", "item")]
        >>> places(rows)
        {('a', 0): 0}
    """
    found: dict[Place, int] = {}
    for _, place in _keys(layers):
        found.setdefault(place, len(found))
    return found


def series(rows: Sequence[Row], field: str, axis: Mapping[Place, int]) -> Series:
    """The values of one field along the axis, one line per node type.

    Args:
        rows: Readings of layers.
        field: Which value of a reading.
        axis: Where each layer stands, from :func:`places`.

    Example:
        >>> rows = [{"name": "a", "norm": 1.0}, {"name": "b", "norm": None}]
        >>> series(rows, "norm", places(rows))
        {None: [1.0, nan]}
    """
    lines: Series = {}
    for row, (node_type, place) in zip(rows, _keys(rows), strict=True):
        values = lines.setdefault(node_type, [math.nan] * len(axis))
        if place in axis:
            values[axis[place]] = number(row.get(field))
    return lines


def why_undefined(layers: Sequence[Row], field: str) -> str:
    """The first reason given for a value that is undefined.

    Args:
        layers: Readings of layers.
        field: Which value of a reading.

    Example:
        >>> why_undefined([{"undefined": {"norm": "no rows"}}], "norm")
        'no rows'
    """
    for row in layers:
        reason = (row.get("undefined") or {}).get(field)
        if reason:
            return str(reason)
    return "not measured"


def _keys(rows: Sequence[Row]) -> list[tuple[Any, Place]]:
    seen: Counter[tuple[Any, Any]] = Counter()
    keys = []
    for row in rows:
        node_type, name = row.get("node_type"), row.get("name")
        keys.append((node_type, (name, seen[node_type, name])))
        seen[node_type, name] += 1
    return keys
