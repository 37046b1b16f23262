"""What a prescription tried, in words and numbers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from benthic.report.series import number
from benthic.report.wording import DASH, cell, figure

HEADER = ("treatment", "val_mean", "std", "gain", "error", "seconds")


def trials_view(prescription: Mapping[str, Any]) -> dict[str, Any]:
    """Everything that a page writes of a prescription, as strings.

    Args:
        prescription: As ``Prescription.to_dict()`` gives it.

    Example:
        >>> row = {"treatment": "untreated", "outcome": "tried", "mean": 0.75}
        >>> trials_view({"verdict": "leave it alone", "table": [row]})["rows"]
        [['untreated', '0.750', '–', '–', '–', '–']]
    """
    rows = prescription.get("table") or []
    return {
        "verdict": cell(prescription.get("verdict")),
        "summary": cell(prescription.get("summary") or ""),
        "header": HEADER,
        "rows": [trial_cells(row) for row in rows if row.get("mean") is not None],
        "left": [
            f"{cell(row.get('treatment'))}: {cell(row.get('outcome'))}"
            for row in rows
            if row.get("mean") is None
        ],
        "code": str(prescription.get("code") or ""),
    }


def trial_cells(row: Mapping[str, Any]) -> list[str]:
    """A trial as cells below :data:`HEADER`.

    Args:
        row: One row of the prescription's table.
    """
    chosen = " (chosen)" if row.get("outcome") == "chosen" else ""
    names = ("mean", "std", "gain", "standard_error")
    scores = [number(row.get(name)) for name in names]
    shown = [DASH if score != score else f"{score:.3f}" for score in scores]
    return [f"{cell(row.get('treatment'))}{chosen}", *shown, figure(row.get("seconds"))]
