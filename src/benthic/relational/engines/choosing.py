"""Which engine learns a target, and which was saved?"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from benthic.errors import InputError
from benthic.relational.database import Database
from benthic.relational.engines.engine import Target
from benthic.relational.engines.features import FeaturesEngine
from benthic.relational.engines.options import Options
from benthic.relational.engines.ranking import RankingEngine
from benthic.relational.engines.saving import read_facts
from benthic.relational.progress import silent

_SAVED: dict[str, type[FeaturesEngine] | type[RankingEngine]] = {
    "features": FeaturesEngine,
    "ranking": RankingEngine,
}
_LISTS = {"ranking", "multilabel"}


def make_features_engine(
    db: Database,
    target: Target,
    options: Options | None = None,
    *,
    fit_dir: str | Path | None = None,
    progress: Callable[[str], None] = silent,
) -> FeaturesEngine | RankingEngine:
    """The features engine for a target: of single values, or of lists of them.

    Args:
        db: The database.
        target: What is to be learned.
        options: How.
        fit_dir: Where an interrupted fit finds its finished parts again.
        progress: Told of each step.

    Raises:
        InputError: If a text encoder is given for a list, which is not made from texts.
    """
    kind = RankingEngine if str(target.task_type) in _LISTS else FeaturesEngine
    if kind is RankingEngine and options is not None and options.text_encoder:
        raise InputError(
            "text_encoder",
            f"{options.text_encoder}, for a {target.task_type} target",
            "leave it out: lists are ranked without reading texts",
        )
    return kind(db, target, options, fit_dir=fit_dir, progress=progress)


def load_engine(folder: str | Path, db: Database) -> FeaturesEngine | RankingEngine:
    """Reads whichever engine was saved.

    Args:
        folder: Where.
        db: The database to predict on.

    Raises:
        InputError: If there is none.
    """
    return _SAVED[read_facts(Path(folder))["engine"]].load(folder, db)
