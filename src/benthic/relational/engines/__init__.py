"""Engines: each learns a target and predicts it, behind one protocol."""

from benthic.relational.engines.choosing import (
    AnyEngine,
    load_engine,
    make_features_engine,
)
from benthic.relational.engines.engine import Engine, FitReport, Target
from benthic.relational.engines.features import FeaturesEngine
from benthic.relational.engines.membership import MembershipEngine
from benthic.relational.engines.options import Options
from benthic.relational.engines.ranking import RankingEngine

__all__ = [
    "AnyEngine",
    "Engine",
    "FeaturesEngine",
    "FitReport",
    "MembershipEngine",
    "Options",
    "RankingEngine",
    "Target",
    "load_engine",
    "make_features_engine",
]
