"""What a saved engine says of itself, in JSON that a person can read."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from benthic.errors import InputError
from benthic.relational.database import Database
from benthic.relational.engines.design import Design
from benthic.relational.engines.engine import FitReport, Target
from benthic.relational.engines.folder import MARK
from benthic.relational.features.relational_features import RelationalFeatures

_FEATURES = "features.json"
_KNOWN = "known.parquet"


def facts_of(
    engine: str, target: Target, options: object, report: FitReport | None
) -> dict[str, Any]:
    """What every saved engine says of itself, as plain JSON.

    Args:
        engine: Its name, by which it is found again.
        target: What it learned.
        options: A dataclass: how.
        report: What came of it.

    Example:
        >>> target = Target("drivers", "driverId", "binary")
        >>> facts_of("features", target, target, None)["target"]["entity_col"]
        'driverId'
    """
    return {
        "engine": engine,
        "target": target.to_json(),
        "options": vars(options),
        "report": None if report is None else vars(report),
    }


def report_of(facts: Mapping[str, Any]) -> FitReport | None:
    """The report of a saved engine.

    Args:
        facts: What :func:`facts_of` gave.

    Example:
        >>> report_of({"report": None}) is None
        True
    """
    report = facts["report"]
    if report is None:
        return None
    return FitReport(**{**report, "notes": tuple(report["notes"])})


def write_facts(folder: Path, facts: Mapping[str, Any]) -> None:
    """Writes what a saved engine says of itself.

    Args:
        folder: Must exist.
        facts: Plain JSON.
    """
    _write_json(folder / MARK, facts)


def read_facts(folder: Path) -> dict[str, Any]:
    """What a saved engine says of itself.

    Args:
        folder: Where it was saved.

    Raises:
        InputError: If there is no engine.

    Example:
        >>> read_facts(Path("no such folder"))
        Traceback (most recent call last):
        ...
        benthic.errors.InputError: folder: found no such folder, where no engine was \
saved; name the folder that save was given
    """
    try:
        facts: dict[str, Any] = json.loads((folder / MARK).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(
            "folder",
            f"{folder}, where no engine was saved",
            "name the folder that save was given",
        ) from error
    return facts


def write_design(folder: Path, design: Design) -> None:
    """Writes fitted features as JSON, and the labels known since as Parquet.

    Args:
        folder: Must exist.
        design: To be written.
    """
    _write_json(folder / _FEATURES, design.features.state())
    if design.known is not None:
        design.known.to_parquet(folder / _KNOWN, index=False)


def read_design(folder: Path, db: Database, facts: Mapping[str, Any]) -> Design:
    """Reads what :func:`write_design` wrote.

    Args:
        folder: Where.
        db: The database to predict on.
        facts: ``has_lag`` and ``has_frame``.
    """
    state = json.loads((folder / _FEATURES).read_text(encoding="utf-8"))
    known = folder / _KNOWN
    return Design(
        RelationalFeatures.from_state(db, state),
        facts["has_lag"],
        facts["has_frame"],
        pd.read_parquet(known) if known.exists() else None,
    )


def _write_json(path: Path, facts: Mapping[str, Any]) -> None:
    path.write_text(json.dumps(facts, indent=1), encoding="utf-8")
