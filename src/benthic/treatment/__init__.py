"""Puts what resists smoothing into a model that exists."""

from benthic.treatment.prescription import Prescription, prescribe
from benthic.treatment.treatments import Treatments, treat
from benthic.treatment.wanted import Norm

__all__ = ["Norm", "Prescription", "Treatments", "prescribe", "treat"]
