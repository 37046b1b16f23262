"""Puts what resists smoothing into a model that exists."""

from benthic.treatment.treatments import Treatments, treat
from benthic.treatment.wanted import Norm

__all__ = ["Norm", "Treatments", "treat"]
