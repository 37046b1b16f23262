"""Named benchmark graphs and the bank."""

from __future__ import annotations

from benthic.datasets.bank import Bank, bank
from benthic.datasets.graphs import load, names

__all__ = ["Bank", "bank", "load", "names"]
