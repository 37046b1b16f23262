"""A fitted engine in a folder, with the query it answers and the schema it knows."""

from __future__ import annotations

import json
from importlib.metadata import version
from pathlib import Path
from typing import Any

from benthic.errors import BenthicError, InputError
from benthic.relational.database import Database
from benthic.relational.engines import AnyEngine, load_engine
from benthic.relational.engines.folder import MARK, check_still_whole, whole_folder
from benthic.relational.learning import Fitted
from benthic.relational.query import PredictiveQuery
from benthic.relational.schema_change import schema_changes, written_schema

_FACTS = "predictor.json"


def save_fitted(folder: str | Path, fitted: Fitted, db: Database) -> None:
    """Writes a fitted engine, without pickle; whole or not at all.

    Args:
        folder: To be made, or a saved one to be replaced.
        fitted: What to keep.
        db: The database it was fitted on.

    Raises:
        InputError: If the folder cannot be written.
        OutputError: If the disk is full.
    """
    facts = {
        "benthic": version("benthic"),
        "query": str(fitted.query),
        "schema": written_schema(db.schema),
    }
    with whole_folder(folder) as made:
        fitted.engine.save(made / "engine")
        (made / _FACTS).write_text(json.dumps(facts, indent=1), encoding="utf-8")
        # By this file a folder is known that may be replaced.
        (made / MARK).write_text("{}", encoding="utf-8")


def load_fitted(folder: str | Path, db: Database) -> Fitted:
    """Reads a saved engine.

    Args:
        folder: Where it was saved.
        db: The database to predict on; of the same schema, perhaps with more rows.

    Raises:
        InputError: If there is none or a part of it is gone, or the schema changed so
            that it does not fit.
    """
    check_still_whole(folder)
    query, schema = _facts(Path(folder))
    changes = schema_changes(schema, db.schema)
    if changes:
        more = f" and {len(changes) - 5} more" if len(changes) > 5 else ""
        raise InputError(
            "database",
            "another schema than the model was fitted on: "
            + "; ".join(changes[:5])
            + more,
            "fit anew, or correct the schema by overrides",
        )
    engine = _engine(Path(folder), db)
    if engine.report is None:
        raise InputError("folder", f"{folder}, an unfinished fit", "fit it again")
    return Fitted(PredictiveQuery.parse(query, db.schema), engine, engine.report)


def _facts(folder: Path) -> tuple[str, Any]:
    try:
        facts = json.loads((folder / _FACTS).read_text(encoding="utf-8"))
        return facts["query"], facts["schema"]
    except (OSError, ValueError, KeyError) as error:
        raise InputError(
            "folder",
            f"{folder}, no saved predictor",
            "name a folder that was saved",
        ) from error


def _engine(folder: Path, db: Database) -> AnyEngine:
    try:
        return load_engine(folder / "engine", db, named=folder)
    except BenthicError:
        raise
    except Exception as error:  # each kind of file is read by another library
        raise InputError(
            "folder",
            f"{folder}, a model that this version of Benthic cannot read",
            "fit it again",
        ) from error
