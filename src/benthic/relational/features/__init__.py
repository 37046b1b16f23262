"""Windowed features along foreign-key paths, from rows no later than their seed."""

from __future__ import annotations

from benthic.relational.features.feature import Feature
from benthic.relational.features.relational_features import RelationalFeatures

__all__ = ["Feature", "RelationalFeatures"]
