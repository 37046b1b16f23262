"""How smooth is it?  Function and torchmetrics class side by side, one idea a file."""

from __future__ import annotations

from benthic.metrics.activity import DeadFraction, MeanNorm, dead_fraction, mean_norm
from benthic.metrics.average_distance import (
    MeanAverageDistance,
    mean_average_distance,
)
from benthic.metrics.correlation import FeatureCorrelation, feature_correlation
from benthic.metrics.cosine import (
    CenteredCosineSimilarity,
    MeanCosineSimilarity,
    centered_cosine_similarity,
    mean_cosine_similarity,
)
from benthic.metrics.dirichlet import (
    DirichletEnergy,
    RayleighQuotient,
    dirichlet_energy,
    rayleigh_quotient,
)
from benthic.metrics.distance_gap import (
    MeanAverageDistanceGap,
    mean_average_distance_gap,
)
from benthic.metrics.group_distance import GroupDistanceRatio, group_distance_ratio
from benthic.metrics.linear_probe import LinearProbeAccuracy, linear_probe_accuracy
from benthic.metrics.rank import (
    EffectiveRank,
    NumericalRank,
    effective_rank,
    numerical_rank,
)
from benthic.metrics.reach import Influence, InfluenceByHop, influence_by_hop

__all__ = [
    "CenteredCosineSimilarity",
    "DeadFraction",
    "DirichletEnergy",
    "EffectiveRank",
    "FeatureCorrelation",
    "GroupDistanceRatio",
    "Influence",
    "InfluenceByHop",
    "LinearProbeAccuracy",
    "MeanAverageDistance",
    "MeanAverageDistanceGap",
    "MeanCosineSimilarity",
    "MeanNorm",
    "NumericalRank",
    "RayleighQuotient",
    "centered_cosine_similarity",
    "dead_fraction",
    "dirichlet_energy",
    "effective_rank",
    "feature_correlation",
    "group_distance_ratio",
    "influence_by_hop",
    "linear_probe_accuracy",
    "mean_average_distance",
    "mean_average_distance_gap",
    "mean_cosine_similarity",
    "mean_norm",
    "numerical_rank",
    "rayleigh_quotient",
]
