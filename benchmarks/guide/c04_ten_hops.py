"""Claim 4: how much nodes have in common after ten hops."""

from __future__ import annotations

from statistics import median
from typing import Any

import torch
from benchmarks.guide.cells import Cells, share
from benchmarks.guide.operators import propagation
from benchmarks.guide.section import FAILS, Section, require, table
from torch_geometric.data import Data
from torch_geometric.utils import degree

from benthic import load
from benthic.checks.propagation import MAX_CHANNELS, propagated_accuracy
from benthic.metrics import mean_cosine_similarity
from benthic.supervision import Supervision

HOPS = {
    "cora": (0, 1, 2, 4, 8, 10, 16, 32, 64, 256, 1024),
    "citeseer": (0, 1, 2, 4, 8, 10, 16, 32, 64, 256, 1024),
    "pubmed": (0, 1, 2, 4, 8, 10, 16, 32, 64),
}
TEN = 10
SAMPLE = 128  # nodes whose ten hops are compared, pair by pair
SEEDS = range(3)


def measure(cells: Cells) -> None:
    """Probes propagated features, and compares what single nodes hear."""
    for name, hops in HOPS.items():
        data = load(name)
        cells.measure(f"{name} probe", lambda d=data, h=hops: _probe(d, h))
        cells.measure(f"{name} cosine", lambda d=data: _cosine(d))
        for seed in SEEDS:
            cells.measure(
                f"{name} overlap seed {seed}", lambda d=data, s=seed: _hear(d, s)
            )


def _probe(data: Data, hops: tuple[int, ...]) -> dict[str, Any]:
    labels = Supervision.of(data)
    # The function scores on validation; nothing is chosen here, so test may be shown.
    masks = {"train": labels.masks["train"], "val": labels.masks["test"]}
    points = propagated_accuracy(data, Supervision(labels.y, masks), hops)
    return {"test": {str(point.num_hops): point.accuracy for point in points}}


def _cosine(data: Data) -> dict[str, Any]:
    operator, x = propagation(data.edge_index, data.num_nodes).float(), data.x
    for _ in range(TEN):
        x = operator @ x
    return {"mean_cosine": float(mean_cosine_similarity(x))}


def _hear(data: Data, seed: int) -> dict[str, Any]:
    """Reach, and overlap, of ten-step random walks from sampled nodes."""
    size = data.num_nodes
    generator = torch.Generator().manual_seed(seed)
    nodes = torch.randperm(size, generator=generator)[:SAMPLE]
    operator = propagation(data.edge_index, size)
    root = (degree(data.edge_index[1], size, torch.float64) + 1).sqrt()
    walk = torch.zeros(size, SAMPLE, dtype=torch.float64)
    walk[nodes, torch.arange(SAMPLE)] = 1 / root[nodes]
    for _ in range(TEN):
        walk = operator @ walk
    walk = (root[:, None] * walk).T.contiguous()  # [SAMPLE, N], rows sum to 1
    overlap = torch.stack([torch.minimum(walk, row).sum(1) for row in walk])
    others = ~torch.eye(SAMPLE, dtype=torch.bool)
    return {
        "nodes_within_ten_hops": float((walk > 0).double().mean()),
        "overlap_of_two_nodes": float(overlap[others].mean()),
    }


def section(cells: Cells, limit: Cells) -> Section:
    """What it says about the claim.

    Args:
        cells: Its own figures.
        limit: Those of claim 2, for the spectral gap.
    """
    halve = [limit.cells[f"{name} graph"]["steps_to_halve"] for name in HOPS]
    rows, overlaps = [], []
    shown = ("0", "2", "10", "16", "64")
    for name in HOPS:
        test = cells.cells[f"{name} probe"]["test"]
        overlap = cells.values(f"{name} overlap seed {{seed}}", "overlap_of_two_nodes")
        reach = cells.values(f"{name} overlap seed {{seed}}", "nodes_within_ten_hops")
        overlaps.append(median(overlap))
        rows.append(
            [
                name,
                share(median(reach)),
                share(median(overlap)),
                f"{cells.cells[f'{name} cosine']['mean_cosine']:.2f}",
                *(f"{100 * test[hops]:.1f}" for hops in shown),
            ]
        )
    ten = cells.cells["cora probe"]["test"]["10"]
    require(max(overlaps) < 0.25 and ten > 0.75, "reach is not mixing")
    return Section(
        name="4",
        title="After ten hops every node knows the same",
        says="With k = 10 layers each node holds nearly identical, global information.",
        verdict=FAILS,
        short=f"Ten steps reach {rows[0][1]} of Cora, but two nodes share only "
        f"{rows[0][2]} of what they hear, and a linear probe still gets "
        f"{100 * ten:.1f} %.",
        measured=f"{SAMPLE} nodes, {len(SEEDS)} seeds. *Reach*: nodes within ten "
        "hops. *Overlap*: what two nodes' ten-step averages have in common, the sum "
        "of the smaller weights. *Cosine*: of the features after ten steps. Then the "
        "test accuracy of a linear probe on features propagated K times (Âᴷ X, no "
        f"training but the probe's; features wider than {MAX_CHANNELS} columns on so "
        "many random projections):\n\n"
        + table(
            ["graph", "reach", "overlap", "cosine", *(f"K = {k}" for k in shown)], rows
        )
        + "\n\nA receptive field says what *could* be heard. How alike the averages "
        "are is set by the spectral gap, which these graphs have very little of "
        f"(claim 2: {min(halve):.0f} to {max(halve):.0f} steps to halve the slowest "
        "mode). The probe falls in "
        f"the end: on Cora {100 * cells.cells['cora probe']['test']['1024']:.0f} % at "
        "K = 1024.",
        means="Ten hops of *averaging* cost almost nothing here. If your ten-layer "
        "network fails, look at its training first: `benthic diagnose` runs this "
        "probe as its weights-off control.",
        script="c04_ten_hops",
    )
