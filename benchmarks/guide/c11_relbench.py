"""Claim 11: two averages over RelBench as evidence about depth. Nothing to measure."""

from __future__ import annotations

from statistics import mean

from benchmarks.guide.cells import Cells
from benchmarks.guide.section import FAILS, Section, published, require

OUTLIERS = ("driver-top3", "user-visits")


def measure(cells: Cells) -> None:
    """Nothing: the published table is all there is."""


def section() -> Section:
    """What it says about the claim."""
    board = published("relbench")
    models = ("gnn", "in_context", "fine_tuned")
    whole = {name: mean(board[name]) for name in models}
    kept = [k for k, task in enumerate(board["tasks"]) if task not in OUTLIERS]
    rest = {name: mean(board[name][k] for k in kept) for name in models}
    gain, without = (scores["fine_tuned"] - scores["gnn"] for scores in (whole, rest))
    require(without < gain - 2, "two tasks carry it")
    return Section(
        name="11",
        title="RelBench shows what depth costs",
        says=f"A GNN averages {whole['gnn']:.2f} on RelBench and a graph transformer "
        f"{whole['fine_tuned']:.2f}: evidence of what over-smoothing costs.",
        verdict=FAILS,
        short="Different model, different pre-training, different sampling, and no "
        "run at another depth: the figures say nothing about depth.",
        measured="Nothing of ours: no experiment of ours could make that table one "
        f"about depth. Computed from it ({board['source']}): the GNN has "
        f"{board['gnn_layers']} layers and averages {whole['gnn']:.2f}, the "
        f"pre-trained transformer {whole['in_context']:.2f} in context and "
        f"{whole['fine_tuned']:.2f} fine-tuned. Of the {gain:.1f} points, "
        f"{gain - without:.1f} come from two tasks of twelve "
        f"({' and '.join(OUTLIERS)}); without them it is {rest['fine_tuned']:.2f} "
        f"against {rest['gnn']:.2f}. No seeds or deviations are given.",
        means="A comparison shows what depth does only if depth is all that changes.",
        script="c11_relbench",
    )
