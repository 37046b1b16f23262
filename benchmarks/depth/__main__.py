"""Accuracy by depth: ``python -m benchmarks.depth [ROW …] [--graph cora]``.

Every finished cell (row, graph, depth) is one line of ``results/cells.jsonl``, written
as it ends: an interrupted run goes on where it stopped, a torn line is run again, and
a cell of fewer seeds than its row now wants is given the others. The seeds of a deep
cell, which take hours, are written one by one; the last line of a cell counts. What
learned nothing at one depth of a citation graph is not run deeper.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
import time
from pathlib import Path
from typing import Any

import torch
from benchmarks.depth.rows import CLASSES, DEPTHS, LARGE, ROWS, Row
from torch import nn
from torch_geometric.data import Data

from benthic import load
from benthic.metrics import dead_fraction, effective_rank
from benthic.training import train_together

CELLS = Path(__file__).parent / "results" / "cells.jsonl"
NOTHING = 15  # points over chance on the training nodes, the most of a failed network
DEEP = 64  # beyond it, and on large graphs, seeds are run and written one by one


def finished() -> dict[tuple[str, str, int], dict[str, Any]]:
    """Cells that are done, the last line of each."""
    cells = {}
    for line in CELLS.read_text().splitlines() if CELLS.exists() else ():
        try:
            cell = json.loads(line)
        except json.JSONDecodeError:
            continue
        cells[cell["row"], cell["graph"], cell["depth"]] = cell
    return cells


def failed_at(name: str, graph: str) -> list[int]:
    """Depths at which no seed of a row learned to tell the training nodes apart."""
    if graph not in CLASSES:
        return []
    most = 100 / CLASSES[graph] + NOTHING
    return [
        depth
        for (row, where, depth), cell in finished().items()
        if (row, where) == (name, graph) and max(cell["train"]) <= most
    ]


def run(
    name: str, row: Row, graph: str, depth: int, seeds: list[int]
) -> dict[str, Any]:
    """Trains seeds of a cell and reads their last hidden layer."""
    protocol = row.protocol_of(graph)
    start = time.process_time()
    models, runs = [], []
    for group in [[seed] for seed in seeds] if row.by_split else [seeds]:
        data = load(graph, split=group[0] if row.by_split else 0)
        data = data if row.rewiring is None else row.rewiring(data)
        data.x = data.x * row.scale
        models += (members := [row.build(data, graph, depth, seed) for seed in group])
        runs += train_together(members, data, protocol, seeds=group)
    return {
        "row": name,
        "conv": row.conv,
        "graph": graph,
        "depth": depth,
        "seeds": seeds,
        **{
            split: [round(100 * run.metrics[split], 2) for run in runs]
            for split in ("train", "val", "test")
        },
        "best_epoch": [run.best_epoch for run in runs],
        "epochs": [len(run.losses) for run in runs],
        "cpu_seconds": round(time.process_time() - start, 1),
        **gauges(models, data),
        "protocol": {
            key: value
            for key, value in dataclasses.asdict(protocol).items()
            if isinstance(value, int | float | None)
        },
    }


def joined(cell: dict[str, Any], more: dict[str, Any]) -> dict[str, Any]:
    """One cell of the seeds of both."""
    lists = {key: cell[key] + more[key] for key in more if isinstance(more[key], list)}
    seconds = round(cell["cpu_seconds"] + more["cpu_seconds"], 1)
    return {**more, **lists, "cpu_seconds": seconds}


@torch.no_grad()
def gauges(models: list[nn.Module], data: Data) -> dict[str, list[float]]:
    """Diversity of what the last map reads: its rank and its dead rows."""
    ranks, dead = [], []
    for model in models:
        state = last_state(model, data)
        ranks.append(round(float(effective_rank(state)), 2))
        dead.append(round(float(dead_fraction(state)), 4))
    return {"effective_rank": ranks, "dead_fraction": dead}


def last_state(model: nn.Module, data: Data) -> torch.Tensor:
    """States after the last propagation, before the map to logits."""
    seen: list[torch.Tensor] = []
    stack = getattr(model, "stack", model)
    last = stack.lin_out if hasattr(stack, "lin_out") else stack.convs[-1]
    handle = last.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    try:
        model.eval()(data.x, data.edge_index)
    finally:
        handle.remove()
    spread = getattr(stack, "propagation", None)
    # Propagation is linear: what it does to logits it does to what they are made of.
    return seen[-1] if spread is None else spread(seen[-1], data.edge_index)


def graphs_of(row: Row, wanted: list[str] | None, *, is_named: bool) -> list[str]:
    """A row that is named runs on any graph, the others on those of their own."""
    if is_named and wanted:
        return wanted
    return [graph for graph in row.graphs if graph in (wanted or row.graphs)]


def complete(name: str, row: Row, graph: str, depth: int) -> None:
    """Runs and writes the seeds that a cell lacks."""
    cell = finished().get((name, graph, depth))
    done = cell["seeds"] if cell else []
    seeds = [seed for seed in row.seeds_at(graph, depth) if seed not in done]
    size = 1 if depth > DEEP or graph in LARGE else max(len(seeds), 1)
    for start in range(0, len(seeds), size):
        more = run(name, row, graph, depth, seeds[start : start + size])
        cell = joined(cell, more) if cell else more
        with CELLS.open("a") as file:
            file.write(json.dumps(cell) + "\n")
            file.flush()
            os.fsync(file.fileno())
        print(name, graph, depth, cell["test"], cell["cpu_seconds"], flush=True)


def main() -> None:
    """Runs what is missing."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("rows", nargs="*", default=[])
    parser.add_argument("--graph", action="append")
    parser.add_argument("--max-depth", type=int, default=max(DEPTHS))
    chosen = parser.parse_args()
    torch.set_num_threads(1)
    CELLS.parent.mkdir(exist_ok=True)
    for name in chosen.rows or ROWS:
        row = ROWS[name]
        for graph in graphs_of(row, chosen.graph, is_named=bool(chosen.rows)):
            for depth in row.depths:
                limit = min([chosen.max_depth, *failed_at(name, graph)])
                if depth <= limit:
                    complete(name, row, graph, depth)


if __name__ == "__main__":
    main()
