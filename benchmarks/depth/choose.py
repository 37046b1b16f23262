"""How a row's settings compare with their neighbors, on validation nodes alone.

``python -m benchmarks.depth.choose [ROW …] [--graph cora]`` changes one setting at a
time, 16 layers or propagations, 3 seeds. Every finished trial is one line of
``results/choose.jsonl``.
"""

from __future__ import annotations

import argparse
import json
import statistics
from dataclasses import asdict, replace
from inspect import signature
from pathlib import Path
from typing import Any

import torch
from benchmarks.depth.rows import GRAPHS, ROWS, Row

from benthic import load
from benthic.training import train_together
from benthic.treatment.trial import without_test

TRIALS = Path(__file__).parent / "results" / "choose.jsonl"
DEPTH, SEEDS = 16, 3
SEARCHED = ("initial_residual+identity_map+drop_node", "default")
PARTS: dict[str, tuple[float, ...]] = {
    "alpha": (0.05, 0.1, 0.15, 0.2),
    "dropout": (0.3, 0.5, 0.7),
}
PROTOCOL: dict[str, tuple[float, ...]] = {
    "hidden_weight_decay": (5e-4, 1e-2),
    "lr": (0.003, 0.01),
    "weight_decay": (5e-4, 2e-3, 5e-3, 1e-2),
    "consistency": (0.0, 1.0, 2.0),
    "temperature": (0.2, 0.3, 0.5),
}


def neighbors(row: Row, graph: str) -> list[dict[str, float]]:
    """Settings that differ from the row's in one value, and the row's own first."""
    now = asdict(row.protocol_of(graph))
    now |= {name: signature(row.network).parameters[name].default for name in PARTS}
    now |= row.parts.get(graph, {})
    return [{}] + [
        {name: value}
        for name, values in (PROTOCOL | PARTS).items()
        for value in values
        # None: no hidden layers whose weights could decay
        if now[name] not in (value, None)
    ]


def trial(name: str, graph: str, changes: dict[str, float]) -> dict[str, Any]:
    """Validation accuracy of one setting; the test split is taken away first."""
    row = ROWS[name]
    parts = {key: value for key, value in changes.items() if key in PARTS}
    row = replace(row, parts={graph: row.parts.get(graph, {}) | parts})
    data = without_test(load(graph))
    data.x = data.x * row.scale
    models = [row.build(data, graph, DEPTH, seed) for seed in range(SEEDS)]
    changed = {key: value for key, value in changes.items() if key in PROTOCOL}
    protocol = replace(row.protocol_of(graph), **changed)
    runs = train_together(models, data, protocol, seeds=range(SEEDS))
    scores = [round(100 * run.metrics["val"], 2) for run in runs]
    return {
        "row": name,
        "graph": graph,
        "changed": changes,
        "val": scores,
        "mean": round(statistics.mean(scores), 2),
        "best_epoch": [run.best_epoch for run in runs],
    }


def main() -> None:
    """Runs what is missing."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("rows", nargs="*", help=" or ".join(SEARCHED))
    parser.add_argument("--graph", action="append", choices=GRAPHS)
    chosen = parser.parse_args()
    torch.set_num_threads(1)
    lines = TRIALS.read_text().splitlines() if TRIALS.exists() else []
    done = [
        (each["row"], each["graph"], each["changed"]) for each in map(json.loads, lines)
    ]
    for name in chosen.rows or SEARCHED:
        for graph in chosen.graph or GRAPHS:
            for changes in neighbors(ROWS[name], graph):
                if (name, graph, changes) in done:
                    continue
                found = trial(name, graph, changes)
                with TRIALS.open("a") as file:
                    file.write(json.dumps(found) + "\n")
                print(found, flush=True)


if __name__ == "__main__":
    main()
