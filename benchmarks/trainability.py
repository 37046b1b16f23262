"""Fresh networks by depth: the gradients and norms that set the limits of D003, D004.

``python benchmarks/trainability.py`` writes ``benchmarks/results/trainability.json``.
Nothing is trained: which of these networks train is in ``verdicts.json``.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import torch

if __name__ == "__main__":  # run as a script, not as a module of the checkout
    sys.path.insert(0, str(Path(__file__).parents[1]))

from benchmarks.networks import GCNII, DeepGCN, seeded

from benthic import load
from benthic.checks import Case
from benthic.checks.d004_exploding import norm_growth
from benthic.training import build

DEPTHS = (2, 4, 8, 16, 32, 64)
SEEDS = (0, 1, 2)
RESULTS = Path(__file__).parent / "results" / "trainability.json"


def main() -> None:
    """Reads three fresh copies of each network."""
    graph = load("cora")
    sizes = (graph.num_features, 64, 7)
    rows = []
    for num_layers in DEPTHS:
        networks = {
            "gcn": build("gcn", *sizes, num_layers=num_layers),
            "guide-deep-gcn": seeded(0, DeepGCN, *sizes, num_layers),
            "gcnii": seeded(0, GCNII, *sizes, num_layers),
        }
        for name, model in networks.items():
            cases = [Case(model, graph, influence=False, seed=seed) for seed in SEEDS]
            row = {
                "network": name,
                "num_layers": num_layers,
                "gradient_ratio": [c.fresh.gradient_ratio for c in cases],
                "gradient_ratio_graph_off": [
                    c.fresh_graph_off.gradient_ratio for c in cases
                ],
                "norm_growth": [norm_growth(c.fresh)[0] for c in cases],
            }
            rows.append(row)
            print(row)
    document = {"torch": torch.__version__, "seeds": SEEDS, "rows": rows}
    RESULTS.write_text(json.dumps(document, indent=1) + "\n")


if __name__ == "__main__":
    main()
