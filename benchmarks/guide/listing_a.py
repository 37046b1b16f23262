"""The guide's first listing, written from its description, with its faults."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn


def guide_measure(model: nn.Module, x: Tensor, edge_index: Tensor) -> list[float]:
    """Runs a model's convolutions one after the other and averages an N × N matrix.

    What it leaves out of the model (skips, norms, dropout), what it adds (a ReLU after
    the last layer) and what it forgets (``eval``, ``no_grad``, zero rows, the diagonal)
    are the listing's own.
    """
    values = []
    for conv in model.convs:
        x = F.relu(conv(x, edge_index))
        unit = F.normalize(x, dim=1)
        values.append((unit @ unit.T).mean().item())
    return values


def guide_value(cosine: float | None, dead: float, num_nodes: int) -> float:
    """What the listing's average would be on states whose true gauges are known.

    It counts a node's cosine with itself, and 0 for every pair with a zero row.
    """
    live = round(num_nodes * (1 - dead))
    pairs = (cosine or 0.0) * live * (live - 1)
    return (pairs + live) / num_nodes**2
