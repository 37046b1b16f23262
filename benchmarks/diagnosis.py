"""A full diagnosis of a 64-layer GCN on Cora, counted in its own training epochs.

``python benchmarks/diagnosis.py`` writes ``benchmarks/results/diagnosis.json``. Epochs
and diagnoses take turns, and the shortest of each counts: their ratio holds on a noisy
machine where the times do not.
"""

from __future__ import annotations

import time
from pathlib import Path

import torch

from benthic import diagnose, load
from benthic.training import build, train

from timing import save  # isort: skip: beside this script

NUM_LAYERS = 64
TURNS = 3
EPOCHS = 5


def main() -> None:
    """Measures with one thread and with two."""
    graph = load("cora")
    figures = {}
    for threads in (1, 2):
        torch.set_num_threads(threads)
        model = build("gcn", graph.num_features, 64, 7, num_layers=NUM_LAYERS)
        epochs, diagnoses = [], []
        for _ in range(TURNS):
            start = time.perf_counter()
            train(model, graph, epochs=EPOCHS)
            epochs.append((time.perf_counter() - start) / EPOCHS)
            diagnoses.append(diagnose(model, graph).seconds)
        figures[f"threads_{threads}"] = {
            "epoch_seconds": min(epochs),
            "diagnosis_seconds": min(diagnoses),
            "diagnosis_in_epochs": min(diagnoses) / min(epochs),
        }
    save(
        Path(__file__).parent / "results" / "diagnosis.json",
        {
            "network": f"GCN, {NUM_LAYERS} layers of 64, Cora; controls and influence",
            "clock": "wall, seconds",
            "repeats": f"minimum of {TURNS} turns; an epoch includes its evaluation",
            **figures,
        },
    )


if __name__ == "__main__":
    main()
