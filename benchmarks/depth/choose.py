"""How the default's settings compare with their neighbors, on validation nodes alone.

``python -m benchmarks.depth.choose [GRAPH …]`` changes one setting at a time, 16
propagations, 3 seeds. Every finished trial is one line of ``results/choose.jsonl``.
"""

from __future__ import annotations

import json
import statistics
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from benchmarks.depth.rows import GRAPHS, ROWS

from benthic import load
from benthic.training import train_together
from benthic.treatment.trial import without_test

TRIALS = Path(__file__).parent / "results" / "choose.jsonl"
DEPTH, SEEDS = 16, 3
PARTS: dict[str, tuple[float, ...]] = {
    "alpha": (0.05, 0.1, 0.15, 0.2),
    "dropout": (0.3, 0.5, 0.7),
}
PROTOCOL: dict[str, tuple[float, ...]] = {
    "weight_decay": (2e-3, 5e-3, 1e-2),
    "consistency": (0.0, 1.0, 2.0),
    "temperature": (0.2, 0.3, 0.5),
}


def neighbors() -> list[tuple[dict[str, Any], dict[str, Any]]]:
    """(parts, protocol) that differ from the chosen ones in one setting, or in none."""
    found: list[tuple[dict[str, Any], dict[str, Any]]] = [({}, {})]
    found += [({name: value}, {}) for name in PARTS for value in PARTS[name]]
    return found + [
        ({}, {name: value}) for name in PROTOCOL for value in PROTOCOL[name]
    ]


def trial(graph: str, parts: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    """Validation accuracy of one setting; the test split is taken away first."""
    row = ROWS["default"]
    row = replace(row, parts={graph: row.parts.get(graph, {}) | parts})
    data = without_test(load(graph))
    data.x = data.x * row.scale
    models = [row.build(data, graph, DEPTH, seed) for seed in range(SEEDS)]
    protocol = replace(row.protocol_of(graph), **changes)
    runs = train_together(models, data, protocol, seeds=range(SEEDS))
    scores = [round(100 * run.metrics["val"], 2) for run in runs]
    return {
        "graph": graph,
        "changed": parts | changes,
        "val": scores,
        "mean": round(statistics.mean(scores), 2),
    }


def main() -> None:
    """Runs what is missing."""
    torch.set_num_threads(1)
    lines = TRIALS.read_text().splitlines() if TRIALS.exists() else []
    done = [(each["graph"], each["changed"]) for each in map(json.loads, lines)]
    for graph in sys.argv[1:] or GRAPHS:
        for parts, changes in neighbors():
            if (graph, parts | changes) in done:
                continue
            found = trial(graph, parts, changes)
            with TRIALS.open("a") as file:
                file.write(json.dumps(found) + "\n")
            print(found, flush=True)


if __name__ == "__main__":
    main()
