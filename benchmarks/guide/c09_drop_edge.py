"""Claim 9: the limit of a graph before and after edges are dropped."""

from __future__ import annotations

from statistics import median
from typing import Any

import torch
from benchmarks.guide.c02_limit import narrow
from benchmarks.guide.cells import Cells
from benchmarks.guide.operators import Limit
from benchmarks.guide.section import FAILS, Section, published, require, table
from torch_geometric.data import Data
from torch_geometric.utils import dropout_edge

from benthic import load

SHARES = (0.2, 0.4, 0.6, 0.8)
SEEDS = range(5)


def measure(cells: Cells) -> None:
    """Drops edges, both directions together, and projects on both limits."""
    for name in ("cora", "citeseer", "pubmed"):
        data = load(name)
        for p in SHARES:
            for seed in SEEDS:
                cells.measure(
                    f"{name} {p} seed {seed}",
                    lambda d=data, p=p, s=seed: _drop(d, p, s),
                )


def _drop(data: Data, p: float, seed: int) -> dict[str, Any]:
    torch.manual_seed(seed)
    kept, _ = dropout_edge(data.edge_index, p, force_undirected=True)
    evaluated, _ = dropout_edge(data.edge_index, p, training=False)
    x = narrow(data.x)
    before = Limit.of(data)
    after = Limit.of(Data(edge_index=kept, num_nodes=data.num_nodes))
    start, end = before.project(x), after.project(x)
    return {
        "dimension_before": before.dimension,
        "dimension_after": after.dimension,
        "share_before": before.share(x),
        "share_after": after.share(x),
        "distance_of_limits": float((end - start).norm() / start.norm()),
        "unchanged_in_evaluation": torch.equal(evaluated, data.edge_index),
    }


def section(cells: Cells) -> Section:
    """What it says about the claim."""
    rows = []
    for name in ("cora", "citeseer", "pubmed"):
        for p in SHARES:
            found = {
                figure: median(cells.values(f"{name} {p} seed {{seed}}", figure))
                for figure in (
                    "dimension_before",
                    "dimension_after",
                    "share_before",
                    "share_after",
                    "distance_of_limits",
                )
            }
            require(found["distance_of_limits"] > 0.3, "another limit")
            rows.append(
                [
                    name,
                    p,
                    f"{found['dimension_before']:.0f} → {found['dimension_after']:.0f}",
                    f"{found['share_before']:.2f} → {found['share_after']:.2f}",
                    f"{found['distance_of_limits']:.2f}",
                ]
            )
    require(
        all(cell["unchanged_in_evaluation"] for cell in cells.cells.values()),
        "evaluation keeps every edge",
    )
    return Section(
        name="9",
        title="DropEdge does not change where it converges to",
        says="DropEdge slows convergence and leaves its destination as it is.",
        verdict=FAILS,
        short="On Cora, dropping 20 % of the edges turns a limit of "
        f"{rows[0][2].replace('→', 'directions into one of')}, at a relative distance "
        f"of {rows[0][4]}.",
        measured="Edges dropped with both directions together, the features projected "
        f"on the limit before and after, medians of {len(SEEDS)} seeds. *Directions*: "
        "dimension of the limit, the number of components. *Kept*: share of ‖X‖² in "
        "it. *Distance*: ‖limit after − limit before‖ / ‖limit before‖:\n\n"
        + table(["graph", "dropped", "directions", "kept", "distance"], rows)
        + "\n\nFewer edges, other degrees and more components: another space, and a "
        "larger one, so that more of the features survives. In evaluation nothing is "
        "dropped: there the destination is the old one, because it is the old graph.",
        published=f"{published('dropedge')['source'].split(',')[0]} proves just this: "
        "dropping edges slows convergence *or* enlarges the space converged to.",
        means="DropEdge is a regulariser that acts in training. Where the network "
        "must be deep, change the limit of the network you evaluate: initial residual, "
        "personalised PageRank.",
        script="c09_drop_edge",
    )
