"""Our figures on rel-f1 beside what others published."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any

from benthic.errors import InputError

_NAME_WIDTH = 52
_AS_SHARES = frozenset({"auroc", "map"})
"""Metrics that the board shows in percent."""


def find_rel_f1() -> Path:
    """The folder of rel-f1: in ``$BENTHIC_DATA``, or in ``shared/data`` beside us.

    Raises:
        InputError: If it is in neither.
    """
    places = [Path("..", "shared", "data")]
    if named := os.environ.get("BENTHIC_DATA"):
        places.insert(0, Path(named))
    for place in places:
        folder = place / "relational" / "rel-f1"
        if (folder / "manifest.yaml").is_file():
            return folder
    raise InputError(
        "--data",
        "no relational/rel-f1 in $BENTHIC_DATA or ../shared/data",
        "name the RelBench folder that holds its manifest.yaml",
    )


def published_rows() -> list[dict[str, Any]]:
    """What others reached: name, regime, evidence, and a figure for each task.

    Example:
        >>> {row["regime"] for row in published_rows()} == {"frozen", "rolling"}
        True
    """
    text = files("benthic.relational").joinpath("rel_f1_board.json").read_text("utf-8")
    rows: list[dict[str, Any]] = json.loads(text)["rows"]
    return rows


def board(found: Mapping[str, Any]) -> str:
    """A table for each regime: ours first, then the published board.

    Args:
        found: What :func:`~benthic.relational.bench.run_rel_f1` gave.

    Example:
        >>> ours = {"task": "driver-dnf", "regime": "rolling", "split": "test",
        ...         "metric": "auroc", "value": 0.85, "std": 0.004, "seeds": [0, 1]}
        >>> print(board({"results": [ours]}).splitlines()[2])
        Benthic, features (2 seeds)                         85.0 ± 0.4
    """
    results: Sequence[Mapping[str, Any]] = found["results"]
    tasks = list(dict.fromkeys(row["task"] for row in results))
    blocks = [
        "\n".join(_regime(results, regime, tasks))
        for regime in dict.fromkeys(row["regime"] for row in results)
    ]
    return "\n\n".join(blocks)


def _regime(
    results: Sequence[Mapping[str, Any]], regime: str, tasks: Sequence[str]
) -> Iterator[str]:
    ours = {row["task"]: row for row in results if row["regime"] == regime}
    some = next(iter(ours.values()))
    yield f"rel-f1, {regime}, {some['split']} split"
    metrics = [f"{task} {ours[task]['metric']}" for task in tasks if task in ours]
    yield " " * _NAME_WIDTH + "  ".join(text.ljust(22) for text in metrics).rstrip()
    name = f"Benthic, features ({len(some['seeds'])} seeds)"
    yield _line(name, [_ours(ours[task]) for task in tasks if task in ours])
    for row in published_rows():
        if row["regime"] == regime and any(task in row for task in tasks):
            yield _line(
                f"{row['name']}, {row['evidence']}",
                [str(row.get(task, "")) for task in tasks],
            )


def _ours(row: Mapping[str, Any]) -> str:
    if row["metric"] in _AS_SHARES:
        return f"{100 * row['value']:.1f} ± {100 * row['std']:.1f}"
    return f"{row['value']:.3f} ± {row['std']:.3f}"


def _line(name: str, cells: Sequence[str]) -> str:
    return (
        name.ljust(_NAME_WIDTH) + "  ".join(cell.ljust(22) for cell in cells)
    ).rstrip()
