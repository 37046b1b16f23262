"""Claim 12: the cosine of two customers of a bank, by depth."""

from __future__ import annotations

from statistics import median
from typing import Any

import torch
from benchmarks.guide.cells import Cells
from benchmarks.guide.operators import propagation
from benchmarks.guide.section import FAILS, Section, published, require, table
from benchmarks.guide.trained import HIDDEN
from torch_geometric.data import Data

from benthic import bank
from benthic.metrics import mean_cosine_similarity
from benthic.training import build

DEPTHS = (2, 4, 8)
SEEDS = range(5)


def measure(cells: Cells) -> None:
    """Reads the customers of the bank, linear and through fresh networks."""
    data = bank().to_homogeneous("demand")
    cells.measure("graph", lambda: _graph(data))
    cells.measure("linear columns seed 0", lambda: _linear(data))
    for seed in SEEDS:
        torch.manual_seed(seed)
        noise = torch.randn(data.num_nodes, HIDDEN)
        for name, x in (("columns", data.x), ("noise", noise)):
            graph = Data(x=x, edge_index=data.edge_index, node_kind=data.node_kind)
            cells.measure(f"gcn {name} seed {seed}", lambda g=graph, s=seed: _gcn(g, s))
        cells.measure(f"linear noise seed {seed}", lambda g=graph: _linear(g))


def _graph(data: Data) -> dict[str, Any]:
    return {
        "nodes": data.num_nodes,
        "edges": data.num_edges // 2,
        "customers": int((data.node_kind == 0).sum()),
    }


@torch.no_grad()
def _linear(data: Data) -> dict[str, Any]:
    operator, x = propagation(data.edge_index, data.num_nodes).float(), data.x
    found = {}
    for depth in range(1, max(DEPTHS) + 1):
        x = operator @ x
        if depth in DEPTHS:
            found[str(depth)] = float(mean_cosine_similarity(x[data.node_kind == 0]))
    return {"mean_cosine": found}


@torch.no_grad()
def _gcn(data: Data, seed: int) -> dict[str, Any]:
    model = build(
        "gcn", data.num_features, HIDDEN, HIDDEN, num_layers=max(DEPTHS), seed=seed
    ).eval()
    x, found = data.x, {}
    for depth, conv in enumerate(model.convs, start=1):
        x = conv(x, data.edge_index).relu()
        if depth in DEPTHS:
            found[str(depth)] = float(mean_cosine_similarity(x[data.node_kind == 0]))
    return {"mean_cosine": found}


def section(cells: Cells) -> Section:
    """What it says about the claim."""
    told, graph = published("alice_and_bob"), cells.cells["graph"]
    names = {
        "linear columns": "propagation only, the bank's columns",
        "linear noise": "propagation only, noise as features",
        "gcn columns": "fresh GCN, the bank's columns",
        "gcn noise": "fresh GCN, noise as features",
    }
    rows, middles = [], {}
    for key, name in names.items():
        found = cells.values(f"{key} seed {{seed}}", "mean_cosine")
        middles[key] = [median(run[str(n)] for run in found) for n in DEPTHS]
        rows.append(
            [
                name,
                *(
                    _range(values)
                    for n in DEPTHS
                    if (values := [run[str(n)] for run in found])
                ),
            ]
        )
    first = told["cosine"][0]
    require(
        all(abs(values[0] - first) > 0.15 for values in middles.values()),
        "none starts at .3",
    )
    return Section(
        name="12",
        title="Alice and Bob: 0.3, 0.7, 0.95",
        says="Two customers of a bank have cosine "
        + ", ".join(map(str, told["cosine"]))
        + f" after {', '.join(map(str, DEPTHS))} layers.",
        verdict=FAILS,
        short="An illustration without code or data. On a bank of the size it "
        "describes no construction of ours gives the three numbers.",
        measured=f"Benthic's bank ({graph['customers']:,} customers, "
        f"{graph['nodes']:,} nodes, {graph['edges']:,} distinct edges), mean cosine "
        f"over pairs of customers, median (range) of {len(SEEDS)} seeds; the first row "
        "has nothing random:\n\n"
        + table(["", *(f"{n} layers" for n in DEPTHS)], rows)
        + "\n\nThe same graph gives 0.06 or 0.9, by features, weights and ReLU. "
        "The fresh GCN comes near at 4 and 8 layers and is too high at 2, where ReLU "
        "alone puts a floor of 1/π under it. Nothing here is trained.",
        means="Take the numbers as a drawing. Measure your own graph; it takes one "
        "line, `benthic.measure_smoothing(model, data)`.",
        script="c12_alice_and_bob",
    )


def _range(values: list[float]) -> str:
    low, middle, high = (
        f"{round(value, 2) + 0.0:.2f}"  # + 0.0: no minus sign before zero
        for value in (min(values), median(values), max(values))
    )
    return middle if low == high else f"{middle} ({low} … {high})"
