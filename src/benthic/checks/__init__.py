"""One file a check, stable codes; controls.py holds the control experiments."""

from benthic.checks.case import Case
from benthic.checks.d001_over_smoothing import OverSmoothing
from benthic.checks.d002_dead_layers import DeadLayers
from benthic.checks.d003_vanishing_gradient import VanishingGradient
from benthic.checks.d004_exploding import Exploding
from benthic.checks.d005_over_squashing import OverSquashing
from benthic.checks.d006_over_fitting import OverFitting
from benthic.checks.d007_under_reaching import UnderReaching
from benthic.checks.d008_feature_collapse import FeatureCollapse
from benthic.checks.d009_not_learning import NotLearning
from benthic.checks.d010_noisy_skip import NoisySkip
from benthic.checks.d011_relation_collapse import RelationCollapse
from benthic.checks.d012_growing_noise import GrowingNoise
from benthic.checks.finding import Check, Finding, Outcome

CHECKS: tuple[Check, ...] = (
    OverSmoothing(),
    DeadLayers(),
    VanishingGradient(),
    Exploding(),
    OverSquashing(),
    OverFitting(),
    UnderReaching(),
    FeatureCollapse(),
    NotLearning(),
    NoisySkip(),
    RelationCollapse(),
    GrowingNoise(),
)

__all__ = [
    "CHECKS",
    "Case",
    "Check",
    "DeadLayers",
    "Exploding",
    "FeatureCollapse",
    "Finding",
    "GrowingNoise",
    "NoisySkip",
    "NotLearning",
    "Outcome",
    "OverFitting",
    "OverSmoothing",
    "OverSquashing",
    "RelationCollapse",
    "UnderReaching",
    "VanishingGradient",
]
