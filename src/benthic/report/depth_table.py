"""A sweep's summary in words and numbers: the same in every rendering."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, TypeAlias

from benthic.report.series import number
from benthic.report.wording import DASH, cell, figure, table

Document: TypeAlias = Mapping[str, Any]
"""One sweep, as ``Sweep.to_dict()`` gives it."""

_GROUP = ("dataset", "conv", "treatment", "num_layers")
# What the depth table promises: at most half a point below the best shallower depth.
_MOST_LOSS = 0.005
_MOST_ROWS = 200  # of a table in a terminal
_MOST_REASONS = 20


def is_sweep(document: Any) -> bool:
    """Whether a document is the table of a sweep.

    Args:
        document: Any JSON value.

    Example:
        >>> is_sweep({"rows": [], "summary": []}), is_sweep({"verdict": "D001"})
        (True, False)
    """
    return isinstance(document, Mapping) and {"rows", "summary"} <= document.keys()


def metric_of(document: Document) -> str:
    """What the scores of a sweep measure, in words.

    Args:
        document: A sweep.

    Example:
        >>> metric_of({"settings": {"metric": "roc_auc"}}), metric_of({})
        ('roc auc', 'accuracy')
    """
    settings = document.get("settings") or {}
    return cell(settings.get("metric") or "accuracy").replace("_", " ")


def fault_of(document: Document) -> str:
    """Why a sweep cannot be shown, or nothing.

    Args:
        document: What claims to be a sweep.

    Example:
        >>> fault_of({"rows": [], "summary": 3})
        'summary, which is no list'
    """
    for name in ("rows", "summary", "failed"):
        rows = document.get(name)
        if rows is not None and not isinstance(rows, list):
            return f"{name}, which is no list"
        if any(not _is_row(row) for row in rows or []):
            return f"a row of {name} without {', '.join(_GROUP)}"
    if not isinstance(document.get("settings") or {}, dict):
        return "settings, which is no dict"
    return ""


def depth_view(document: Document) -> dict[str, Any]:
    """Everything that a rendering writes, as strings.

    Args:
        document: A sweep.

    Example:
        >>> group = {"dataset": "cora", "conv": "gcn", "treatment": "none"}
        >>> row = {**group, "num_layers": 2, "median": 0.815, "depth_loss": None}
        >>> view = depth_view({"rows": [], "summary": [row]})
        >>> view["panels"][0]["treatments"][0]["cells"][0]["median"]
        '81.5'
    """
    summary = document.get("summary") or []
    failed = document.get("failed") or []
    lost = Counter(_key(row) for row in failed)
    panels = {
        (row["dataset"], row["conv"]): [
            other
            for other in summary
            if (other["dataset"], other["conv"]) == (row["dataset"], row["conv"])
        ]
        for row in summary
    }
    settings = document.get("settings") or {}
    return {
        "version": cell(document.get("benthic") or ""),
        "settings": ", ".join(f"{cell(k)} {figure(v)}" for k, v in settings.items()),
        "metric": metric_of(document),
        "num_rows": figure(len(document.get("rows") or [])),
        "panels": [
            {"title": cell(f"{conv} on {dataset}"), **_panel(rows, lost)}
            for (dataset, conv), rows in panels.items()
        ],
        "failed": _reasons(failed),
    }


def depth_text(document: Document) -> str:
    """A sweep as plain text for a terminal: a table per dataset and conv.

    Args:
        document: A sweep.

    Example:
        >>> group = {"dataset": "cora", "conv": "gcn", "treatment": "none"}
        >>> row = {**group, "num_layers": 2, "median": 0.815, "worst": 0.8}
        >>> print(depth_text({"rows": [], "summary": [row]}))
        gcn on cora: test accuracy in percent, depth_loss in points
        <BLANKLINE>
                      num                      best  depth
        treatment  layers  median  worst  shallower   loss
        none            2    81.5   80.0          –      –
    """
    view = depth_view(document)
    parts: list[str] = []
    for panel in view["panels"]:
        has_lost = any(
            c["failed"] for line in panel["treatments"] for c in line["cells"]
        )
        parts += [
            "",
            f"{panel['title']}: test {view['metric']} {_UNITS}",
            "",
            *_lines(panel, has_lost),
        ]
    parts += ["", *(f"failed: {reason}" for reason in view["failed"])]
    if not view["panels"]:
        parts = ["no network was trained"]
    return "\n".join(parts).strip("\n")


_UNITS = "in percent, depth_loss in points"
_FIELDS = ("median", "worst", "best_shallower", "depth_loss")


def _lines(panel: Mapping[str, Any], has_lost: bool) -> list[str]:
    header = ["treatment", "num_layers", *_FIELDS, *(["failed"] if has_lost else [])]
    rows = []
    for line in panel["treatments"]:
        for index, found in enumerate(line["cells"]):
            name = line["name"] if index == 0 else ""
            values = [found[field] for field in _FIELDS]
            values += [found["failed"] or "0"] if has_lost else []
            rows.append([name, found["num_layers"], *values])
    return table(header, rows, _MOST_ROWS)


def _panel(
    rows: Sequence[Mapping[str, Any]], lost: Mapping[tuple[Any, ...], int]
) -> dict[str, Any]:
    depths = sorted({row["num_layers"] for row in rows})
    treatments = dict.fromkeys(row["treatment"] for row in rows)
    found = {(row["treatment"], row["num_layers"]): row for row in rows}
    return {
        "depths": [figure(depth) for depth in depths],
        "treatments": [
            {
                "name": cell(name),
                "cells": [
                    _cell(found[name, depth], lost)
                    for depth in depths
                    if (name, depth) in found
                ],
                "by_depth": [
                    _cell(found[name, depth], lost) if (name, depth) in found else None
                    for depth in depths
                ],
            }
            for name in treatments
        ],
    }


def _cell(
    row: Mapping[str, Any], lost: Mapping[tuple[Any, ...], int]
) -> dict[str, Any]:
    loss = number(row.get("depth_loss"))
    count = lost.get(_key(row), 0)
    return {
        "num_layers": figure(row["num_layers"]),
        **{field: _percent(row.get(field)) for field in _FIELDS},
        # Sums of shares such as 0.815 - 0.81 end a hair above what they should.
        "is_kept": loss <= _MOST_LOSS + 1e-9 and not count,
        "failed": figure(count) if count else "",
    }


def _percent(value: Any) -> str:
    share = number(value)
    if math.isnan(share):
        return DASH
    text = f"{100 * share:.1f}"
    return "0.0" if text == "-0.0" else text


def _reasons(failed: Sequence[Mapping[str, Any]]) -> list[str]:
    """Each reason once for a combination, with the seeds that it stopped."""
    seeds: dict[tuple[Any, ...], list[str]] = {}
    for row in failed:
        key = (*_key(row), cell(row.get("reason")))
        seeds.setdefault(key, []).append(cell(row.get("seed")))
    lines = [
        f"{cell(conv)} {cell(treatment)}, {figure(depth)} layers on {cell(dataset)}, "
        f"seed {', '.join(which)}: {reason}"
        for (dataset, conv, treatment, depth, reason), which in seeds.items()
    ]
    more = len(lines) - _MOST_REASONS
    return [*lines[:_MOST_REASONS], *([f"… {more} more"] if more > 0 else [])]


def _key(row: Mapping[str, Any]) -> tuple[Any, ...]:
    return tuple(row[name] for name in _GROUP)


def _is_row(row: Any) -> bool:
    return (
        isinstance(row, dict)
        and all(isinstance(row.get(name), str) for name in _GROUP[:3])
        and isinstance(row.get("num_layers"), int)
        and row["num_layers"] >= 1
    )


def markdown_rows(panel: Mapping[str, Any]) -> Iterator[tuple[str, list[str]]]:
    """Each treatment with its cells as Markdown, kept depths in bold.

    Args:
        panel: One panel of :func:`depth_view`.
    """
    for line in panel["treatments"]:
        yield line["name"], [_markdown(found) for found in line["by_depth"]]


def _markdown(found: Mapping[str, Any] | None) -> str:
    if found is None:
        return ""
    median = f"**{found['median']}**" if found["is_kept"] else found["median"]
    loss = f" ({found['depth_loss']})" if found["depth_loss"] != DASH else ""
    failed = f", {found['failed']} failed" if found["failed"] else ""
    return f"{median}{loss}{failed}"
