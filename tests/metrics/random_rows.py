"""Random rows, some of them zero, random edges, and their cosines pair by pair."""

from __future__ import annotations

import numpy as np
import torch
from sklearn.metrics.pairwise import cosine_similarity


def some_rows(num_nodes: int = 40, channels: int = 6) -> torch.Tensor:
    x = torch.randn(num_nodes, channels) + 0.3
    x[::7] = 0.0
    return x


def some_edges(num_nodes: int = 40, num_edges: int = 150) -> torch.Tensor:
    return torch.randint(num_nodes, (2, num_edges))


def by_pairs(x: torch.Tensor, component: torch.Tensor | None = None) -> float:
    live = (x != 0).any(dim=1).numpy()
    cosine = cosine_similarity(x.double().numpy())
    same = np.ones_like(cosine, dtype=bool)
    if component is not None:
        same = np.equal.outer(component.numpy(), component.numpy())
    pairs = np.outer(live, live) & same & ~np.eye(len(x), dtype=bool)
    return float(cosine[pairs].mean())
