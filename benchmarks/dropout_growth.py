"""What dropout makes of the states, and who trains: the figures behind D012.

``python -m benchmarks.dropout_growth`` writes ``results/dropout_growth.json``: three
fresh copies of networks of the depth table, and their training accuracy there.
"""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path

import torch
from benchmarks.depth.__main__ import finished
from benchmarks.depth.rows import ROWS

from benthic import load
from benthic.checks.noise import training_noise
from benthic.forward import call_model

DEPTHS = (16, 32, 64)
SEEDS = (0, 1, 2)
NETWORKS = (
    "initial_residual+identity_map",
    "initial_residual+identity_map+drop_node",
    "sage: initial_residual+identity_map",
    "gat: initial_residual+identity_map",
    "gat: the same, dropout 0.6",
    "residual",
    "residual+layer_norm",
    "gat: residual+layer_norm",
    "skip_node",
)
RESULTS = Path(__file__).parent / "results" / "dropout_growth.json"


def main() -> None:
    """Reads three fresh copies of each network."""
    torch.set_num_threads(1)
    trained = finished()
    rows = []
    for name in NETWORKS:
        graph = load("cora")
        graph.x = graph.x * ROWS[name].scale
        for depth in DEPTHS:
            growth = []
            for seed in SEEDS:
                model = ROWS[name].build(graph, "cora", depth, seed)
                run = partial(call_model, data=graph)
                noise = training_noise(model, run, seed=seed)
                growth.append(float(f"{max(layer.growth for layer in noise):.3g}"))
            cell = trained.get((name, "cora", depth))
            train = cell["train"][: len(SEEDS)] if cell else None
            rows.append(
                {"network": name, "depth": depth, "growth": growth, "train": train}
            )
            print(rows[-1], flush=True)
    document = {"torch": torch.__version__, "seeds": SEEDS, "rows": rows}
    RESULTS.write_text(json.dumps(document, indent=1) + "\n")


if __name__ == "__main__":
    main()
