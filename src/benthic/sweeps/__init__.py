"""Depth x treatment x dataset x seed -> one tidy, resumable table."""

from benthic.sweeps.cells import Settings
from benthic.sweeps.table import Sweep, sweep

__all__ = ["Settings", "Sweep", "sweep"]
