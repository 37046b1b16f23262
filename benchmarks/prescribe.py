"""Does prescribe() beat "a residual and LayerNorm on everything", on test?

``python benchmarks/prescribe.py [GRAPH …]`` compares, on the graphs below and for a
GCN of 2 and of 8 layers, the median test score over 3 seeds of the untreated network,
of the usual advice, and of what ``benthic.prescribe`` chooses on validation. It writes
``benchmarks/results/prescribe.json`` after each cell, and an interrupted run resumes.
"""

from __future__ import annotations

import json
import statistics
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch_geometric.data import Data

from benthic import load
from benthic.checks.controls import fresh_copy
from benthic.errors import InputError
from benthic.nn.acceleration import accelerate
from benthic.nn.norm import LayerNorm
from benthic.nn.residual import Residual
from benthic.supervision import accuracy, roc_auc
from benthic.training import Protocol, build, train_together
from benthic.treatment import Norm, treat
from benthic.treatment.prescription import prescribe

RESULTS = Path(__file__).parent / "results" / "prescribe.json"
GRAPHS = (
    *("texas", "cornell", "reed98", "chameleon_filtered", "cora", "cora_ml"),
    *("citeseer", "minesweeper", "amherst41", "pubmed", "computers", "blogcatalog"),
)
DEPTHS = (2, 8)
SEEDS = 3
EPOCHS = 100
HIDDEN_CHANNELS = 32


def scores(
    model: nn.Module, data: Data, protocol: Protocol, treatments: Sequence[Any]
) -> list[float]:
    """Test scores of treated copies with new weights, at the best validation epoch."""
    models = [fresh_copy(model, seed)[0] for seed in range(SEEDS)]
    # Without a treatment treat() computes to the last bit what the model does.
    models = [accelerate(treat(each, *treatments)) for each in models]
    runs = train_together(models, data, protocol, seeds=list(range(SEEDS)))
    return [run.metrics["test"] for run in runs]


def usual_advice(model: nn.Module) -> tuple[Any, ...]:
    """A residual and LayerNorm; where no layer keeps its width, LayerNorm alone."""
    try:
        treat(model, Residual(), Norm(LayerNorm))
    except InputError:
        return (Norm(LayerNorm),)
    return Residual(), Norm(LayerNorm)


def row(name: str, num_layers: int) -> dict[str, Any]:
    """One graph and depth."""
    start, data = time.process_time(), load(name)
    protocol = Protocol(
        epochs=EPOCHS, metric=roc_auc if name == "minesweeper" else accuracy
    )
    classes = int(data.y.max()) + 1
    sizes = data.num_features, HIDDEN_CHANNELS, classes
    model = build("gcn", *sizes, num_layers=num_layers)
    rx = prescribe(model, data, protocol=protocol, seeds=SEEDS)
    advice = usual_advice(model)
    untreated = scores(model, data, protocol, ())
    usual = scores(model, data, protocol, advice)
    chosen = untreated
    if rx.treatments:
        chosen = scores(model, data, rx.protocol, rx.treatments)
    return {
        "graph": name,
        "num_layers": num_layers,
        "metric": protocol.metric.__name__,
        "diagnosis": (rx.retrained or rx.diagnosis).verdict,
        "verdict": rx.verdict,
        "usual_advice": [repr(each) for each in advice],
        "untreated": statistics.median(untreated),
        "usual": statistics.median(usual),
        "prescribed": statistics.median(chosen),
        "test": {"untreated": untreated, "usual": usual, "prescribed": chosen},
        "validation": [
            {
                "treatment": each.treatment,
                "outcome": each.outcome,
                "mean": each.mean,
                "gain": each.gain,
                "standard_error": each.standard_error,
            }
            for each in rx.table
        ],
        "seconds": round(time.process_time() - start, 1),
    }


def summary(rows: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Medians over the cells, all of them and by depth."""
    found = {}
    for depths in (DEPTHS, *((depth,) for depth in DEPTHS)):
        some = [each for each in rows if each["num_layers"] in depths]
        if not some:
            continue
        against = {
            other: [each["prescribed"] - each[other] for each in some]
            for other in ("usual", "untreated")
        }
        found[f"depth {' and '.join(map(str, depths))}"] = {
            "cells": len(some),
            **{
                f"median_{how}": statistics.median(each[how] for each in some)
                for how in ("untreated", "usual", "prescribed")
            },
            **{
                f"{word}_{other}": count
                for other, gains in against.items()
                for word, count in {
                    "median_gain_over": statistics.median(gains),
                    "better_than": sum(gain > 0 for gain in gains),
                    "worse_than": sum(gain < 0 for gain in gains),
                }.items()
            },
            "left_alone": sum(not each["verdict"].find("leave") for each in some),
        }
    return found


def main() -> None:
    """Fills in the rows that are missing."""
    rows = json.loads(RESULTS.read_text())["rows"] if RESULTS.exists() else []
    done = {(each["graph"], each["num_layers"]) for each in rows}
    for name in sys.argv[1:] or GRAPHS:
        for num_layers in DEPTHS:
            if (name, num_layers) in done:
                continue
            rows.append(row(name, num_layers))
            each = rows[-1]
            print(
                f"{name:20} {num_layers}  {each['diagnosis']:8}"
                f"{each['untreated']:.3f} {each['usual']:.3f} {each['prescribed']:.3f}"
                f"  {each['verdict']}  {each['seconds']:.0f} s",
                flush=True,
            )
            document = {
                "torch": torch.__version__,
                "threads": torch.get_num_threads(),
                "epochs": EPOCHS,
                "hidden_channels": HIDDEN_CHANNELS,
                "seeds": SEEDS,
                "scores": "test, median over the seeds; the choice never saw them",
                "unfinished": [
                    f"{graph}, {depth} layers"
                    for graph in GRAPHS
                    for depth in DEPTHS
                    if not any(
                        (each["graph"], each["num_layers"]) == (graph, depth)
                        for each in rows
                    )
                ],
                "summary": summary(rows),
                "rows": rows,
            }
            RESULTS.parent.mkdir(exist_ok=True)
            RESULTS.write_text(json.dumps(document, indent=1) + "\n")


if __name__ == "__main__":
    main()
