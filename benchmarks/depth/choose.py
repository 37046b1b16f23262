"""How a row's settings compare with their neighbors, on validation nodes alone.

``python -m benchmarks.depth.choose [ROW …] [--graph cora]`` changes one setting at a
time, 16 layers or propagations, 3 seeds. Every finished trial is one line of
``results/choose.jsonl``, and is not run again once a better setting is the row's own.
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
    "samples": (1, 2),
    "consistency": (0.0, 0.5, 1.0, 2.0),
    "temperature": (0.2, 0.3, 0.5),
}


def finished() -> list[dict[str, Any]]:
    """Trials that are done."""
    lines = TRIALS.read_text().splitlines() if TRIALS.exists() else []
    return [json.loads(line) for line in lines]


def settings(row: Row, graph: str) -> dict[str, float | None]:
    """The row's own; None for hidden layers' weights where it has no such layers."""
    protocol = asdict(row.protocol_of(graph))
    defaults = signature(row.network).parameters
    return (
        {name: protocol[name] for name in PROTOCOL}
        | {name: defaults[name].default for name in PARTS}
        | row.parts.get(graph, {})
    )


def neighbors(row: Row, graph: str) -> list[dict[str, float | None]]:
    """The row's own settings, and those that differ from them in one value."""
    own = settings(row, graph)
    others = [
        own | {name: value}
        for name, values in (PROTOCOL | PARTS).items()
        for value in values
        if own[name] not in (value, None)
    ]
    return [own, *(each for each in others if _differs(each, own))]


def _differs(chosen: dict[str, float | None], own: dict[str, float | None]) -> bool:
    """Whether the network trains, and otherwise than by its own settings."""
    if chosen["consistency"]:
        return chosen["samples"] != 1
    return chosen["temperature"] == own["temperature"]


def trial(name: str, graph: str, chosen: dict[str, float | None]) -> dict[str, Any]:
    """Validation accuracy of some settings; the test split is taken away first."""
    row = replace(ROWS[name], parts={graph: {key: chosen[key] for key in PARTS}})
    data = without_test(load(graph))
    data.x = data.x * row.scale
    models = [row.build(data, graph, DEPTH, seed) for seed in range(SEEDS)]
    changes: dict[str, Any] = {key: chosen[key] for key in PROTOCOL}
    protocol = replace(row.protocol_of(graph), **changes)
    runs = train_together(models, data, protocol, seeds=range(SEEDS))
    scores = [round(100 * run.metrics["val"], 2) for run in runs]
    return {
        "row": name,
        "graph": graph,
        "settings": chosen,
        "val": scores,
        "mean": round(statistics.mean(scores), 2),
        "best_epoch": [run.best_epoch for run in runs],
    }


def main() -> None:
    """Runs what is missing."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("rows", nargs="*", metavar="row", help=", ".join(SEARCHED))
    parser.add_argument("--graph", action="append", choices=GRAPHS)
    chosen = parser.parse_args()
    if unknown := set(chosen.rows) - set(SEARCHED):
        parser.error(f"unknown {sorted(unknown)}; the rows are {SEARCHED}")
    torch.set_num_threads(1)
    done = [(each["row"], each["graph"], each["settings"]) for each in finished()]
    for name in chosen.rows or SEARCHED:
        for graph in chosen.graph or GRAPHS:
            for wanted in neighbors(ROWS[name], graph):
                if (name, graph, wanted) in done:
                    continue
                found = trial(name, graph, wanted)
                with TRIALS.open("a") as file:
                    file.write(json.dumps(found) + "\n")
                print(found, flush=True)


if __name__ == "__main__":
    main()
