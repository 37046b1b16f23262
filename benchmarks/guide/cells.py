"""Figures of one claim, kept cell by cell: a finished one is never measured again."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

import torch

RESULTS = Path(__file__).parent / "results"


class Cells:
    """The cells of ``results/<name>.json``, written after each.

    Args:
        name: Name of the claim's file.
    """

    def __init__(self, name: str) -> None:
        self.path = RESULTS / f"{name}.json"
        text = self.path.read_text(encoding="utf-8") if self.path.exists() else "{}"
        self.cells: dict[str, Any] = json.loads(text).get("cells", {})

    def measure(self, key: str, figures: Callable[[], dict[str, Any]]) -> None:
        """Fills a cell unless it is there.

        Args:
            key: What the cell is about.
            figures: Measures it.
        """
        if key in self.cells:
            return
        start = time.process_time()
        found = plain(figures())
        seconds = round(time.process_time() - start, 2)
        self.cells[key] = {**found, "processor_seconds": seconds}
        document = {"torch": torch.__version__, "cells": self.cells}
        text = json.dumps(document, indent=1, ensure_ascii=False) + "\n"
        part = self.path.with_suffix(".part")
        part.write_text(text, encoding="utf-8")
        part.replace(self.path)  # a torn file would lose the finished cells
        print(f"{self.path.stem}: {key} ({seconds} s)", flush=True)

    def values(self, pattern: str, figure: str) -> list[Any]:
        """One figure of all seeds, in the order of the seeds.

        Args:
            pattern: The key with ``{seed}`` in it.
            figure: Name of the figure.
        """
        values, seed = [], 0
        while (key := pattern.format(seed=seed)) in self.cells:
            values.append(self.cells[key][figure])
            seed += 1
        return values


def plain(value: Any) -> Any:
    """What JSON can hold, floats to six digits; None for NaN and infinity."""
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if isinstance(value, torch.Tensor):
        return plain(value.tolist())
    if isinstance(value, float):
        return float(f"{value:.6g}") if math.isfinite(value) else None
    return value


def percent(shares: list[float], digits: int = 1) -> str:
    """Median and the seeds it is of: ``82.0 (81 82 82)``, worst first."""
    ordered = sorted(shares)
    seeds = " ".join(f"{100 * share:.0f}" for share in ordered)
    return f"{100 * median(ordered):.{digits}f} ({seeds})"


def share(value: float) -> str:
    """A share without seeds: ``51 %``."""
    return f"{100 * value:.0f} %"


def middle(values: list[float | None], digits: int = 2) -> str:
    """Median of the values that exist, or "undefined"."""
    known = [value for value in values if value is not None]
    return f"{median(known):.{digits}f}" if known else "undefined"
