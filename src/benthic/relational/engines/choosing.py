"""Which engine learns a target, and which was saved?"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from benthic.errors import InputError
from benthic.relational.database import Database
from benthic.relational.engines.engine import Target
from benthic.relational.engines.features import FeaturesEngine
from benthic.relational.engines.folder import check_still_whole
from benthic.relational.engines.membership import MembershipEngine
from benthic.relational.engines.options import Options
from benthic.relational.engines.ranking import RankingEngine
from benthic.relational.engines.saving import read_facts
from benthic.relational.progress import silent

AnyEngine = FeaturesEngine | RankingEngine | MembershipEngine
"""What learns one value, a list of what will be met, or a set that is there."""

_SAVED: dict[str, type[AnyEngine]] = {
    "features": FeaturesEngine,
    "ranking": RankingEngine,
    "membership": MembershipEngine,
}
_LISTS = {"ranking", "multilabel"}


def make_features_engine(
    db: Database,
    target: Target,
    options: Options | None = None,
    *,
    fit_dir: str | Path | None = None,
    progress: Callable[[str], None] = silent,
) -> AnyEngine:
    """The features engine for a target: of single values, lists or sets.

    Args:
        db: The database.
        target: What is to be learned.
        options: How.
        fit_dir: Where an interrupted fit finds its finished parts again.
        progress: Told of each step.

    Raises:
        InputError: If a text encoder is given for a list, which is not made from texts.
    """
    kind: type[AnyEngine] = FeaturesEngine
    if str(target.task_type) in _LISTS:
        kind = MembershipEngine if target.hidden else RankingEngine
    if kind is RankingEngine and options is not None and options.text_encoder:
        raise InputError(
            "text_encoder",
            f"{options.text_encoder}, for a {target.task_type} target",
            "leave it out: lists are ranked without reading texts",
        )
    return kind(db, target, options, fit_dir=fit_dir, progress=progress)


def load_engine(
    folder: str | Path, db: Database, *, named: str | Path | None = None
) -> AnyEngine:
    """Reads whichever engine was saved.

    Args:
        folder: Where.
        db: The database to predict on.
        named: What the user calls the folder, where that is one around it.

    Raises:
        InputError: If there is none, or a file of it is gone or damaged.
    """
    check_still_whole(folder, named=named)
    return _SAVED[read_facts(Path(folder))["engine"]].load(folder, db)
