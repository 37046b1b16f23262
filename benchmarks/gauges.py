"""Claim: all gauges of one layer cost less than 3 forward passes of that layer."""

from __future__ import annotations

from pathlib import Path

import torch
from timing import THREADS, fastest, save
from torch_geometric.nn import GCNConv

from benthic.datasets import load
from benthic.metrics import (
    centered_cosine_similarity,
    dead_fraction,
    dirichlet_energy,
    effective_rank,
    feature_correlation,
    mean_average_distance,
    mean_cosine_similarity,
    mean_norm,
    numerical_rank,
    rayleigh_quotient,
)

CHANNELS = 64
RESULT = Path(__file__).parent / "results" / "gauges.json"


@torch.no_grad()
def measure() -> dict[str, object]:
    data = load("pubmed")
    edge_index = data.edge_index
    first = GCNConv(data.num_features, CHANNELS).eval()
    layer = GCNConv(CHANNELS, CHANNELS).eval()
    h = first(data.x, edge_index).relu()
    x = layer(h, edge_index).relu()
    gauges = {
        "dead_fraction": lambda: dead_fraction(x),
        "mean_norm": lambda: mean_norm(x),
        "mean_cosine_similarity": lambda: mean_cosine_similarity(x),
        "centered_cosine_similarity": lambda: centered_cosine_similarity(x),
        "rayleigh_quotient": lambda: rayleigh_quotient(x, edge_index),
        "effective_rank": lambda: effective_rank(x),
    }
    others = {
        "dirichlet_energy": lambda: dirichlet_energy(x, edge_index),
        "mean_average_distance": lambda: mean_average_distance(x, edge_index),
        "numerical_rank": lambda: numerical_rank(x),
        "feature_correlation": lambda: feature_correlation(x),
    }
    found = fastest(
        {
            "forward": lambda: layer(h, edge_index),
            "all": lambda: [gauge() for gauge in gauges.values()],
            **gauges,
            **others,
        }
    )
    return {
        "forward_ms": found["forward"],
        "all_gauges_ms": found["all"],
        "times_the_forward": found["all"] / found["forward"],
        "gauges_ms": {name: found[name] for name in gauges},
        "not_in_the_sum_ms": {name: found[name] for name in others},
    }


def main() -> None:
    torch.manual_seed(0)
    figures: dict[str, object] = {
        "layer": f"GCNConv({CHANNELS}, {CHANNELS}), not cached, eval, no_grad, PubMed",
    }
    for threads in THREADS:
        torch.set_num_threads(threads)
        figures[f"threads_{threads}"] = measure()
    save(RESULT, figures)


if __name__ == "__main__":
    main()
