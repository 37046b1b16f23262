"""Claim 3: what the mean cosine reads where nothing was smoothed, or everything."""

from __future__ import annotations

from statistics import median
from typing import Any

import torch
from benchmarks.guide.cells import Cells, middle, percent, share
from benchmarks.guide.listing_a import guide_measure, guide_value
from benchmarks.guide.section import FAILS, Section, published, require, table
from benchmarks.guide.trained import CLASSES, HIDDEN, cora, trained
from benchmarks.networks import DeepGCN, seeded
from scipy.stats import spearmanr
from torch import Tensor

from benthic.metrics import dead_fraction, effective_rank, mean_cosine_similarity

SEEDS = range(5)
NODES = 2_708  # as Cora
CHANNELS = 64
LAST_EPOCH = {"num_layers": 16, "epochs": 200, "seeds": 3}


def measure(cells: Cells) -> None:
    """Reads matrices that no graph has touched."""
    for seed in SEEDS:
        torch.manual_seed(seed)
        noise = torch.randn(NODES, CHANNELS)
        opposite = torch.ones(NODES, 1).mul_(torch.randn(NODES, 1).sign())
        matrices = {
            "noise": noise,
            "noise after relu": noise.relu(),
            "uniform noise": torch.rand(NODES, CHANNELS),
            "noise with mean 1": noise + 1,
            "two opposite points": opposite @ torch.randn(1, CHANNELS),
            "dead": torch.zeros(NODES, CHANNELS),
        }
        for name, x in matrices.items():
            cells.measure(f"{name} seed {seed}", lambda x=x: _read(x))
    for seed in range(LAST_EPOCH["seeds"]):
        cells.measure(f"last epoch seed {seed}", lambda s=seed: _last_epoch(s))


def _read(x: Tensor) -> dict[str, Any]:
    cosine = float(mean_cosine_similarity(x))
    known = cosine if cosine == cosine else None
    return {
        "guide_reading": guide_value(known, float(dead_fraction(x)), len(x)),
        "mean_cosine": cosine,
        "effective_rank": float(effective_rank(x)),
    }


def _last_epoch(seed: int) -> dict[str, Any]:
    """The guide's network where training ends, not where validation was best."""
    data = cora().clone()
    del data.val_mask  # without it the last weights are kept
    sizes = (data.num_features, HIDDEN, CLASSES, LAST_EPOCH["num_layers"])
    model = seeded(seed, DeepGCN, *sizes)
    found = trained(model, data, seed=seed, epochs=LAST_EPOCH["epochs"])
    with torch.no_grad():
        found["listing"] = guide_measure(model, data.x, data.edge_index)
    return found


def section(cells: Cells, collapse: Cells, skips: Cells, limit: Cells) -> Section:
    """What it says about the claim.

    Args:
        cells: Its own figures.
        collapse: Those of claim 1, whose networks are read here.
        skips: Those of claim 8, likewise.
        limit: Those of claim 2, for the limits.
    """
    healthy = published("guide")["healthy_below"]
    rows = [
        [
            name,
            middle(cells.values(f"{key} seed {{seed}}", "guide_reading")),
            middle(cells.values(f"{key} seed {{seed}}", "mean_cosine")),
            middle(cells.values(f"{key} seed {{seed}}", "effective_rank"), 1),
        ]
        for name, key in (
            ("Gaussian noise", "noise"),
            ("Gaussian noise after ReLU (theory 1/π)", "noise after relu"),
            ("uniform noise in 0 … 1", "uniform noise"),
            ("Gaussian noise of mean 1", "noise with mean 1"),
            ("two opposite points, nothing else left", "two opposite points"),
            ("a dead layer, all rows zero", "dead"),
        )
    ]
    best = collapse.values("gcn 2 seed {seed}", "guide_reading")
    worse = collapse.values("gcn 8 longer seed {seed}", "guide_reading")
    require(median(b[-1] for b in best) > 0.7, "the best network reads high")
    cosine, accuracy = trained_networks(collapse, skips)
    rank = float(spearmanr(cosine, accuracy).statistic)
    require(rank > 0, "higher cosine, higher accuracy")
    limits = {
        name: limit.cells[f"{name} graph"]["limit_cosine"]
        for name in ("cora", "citeseer", "pubmed")
    }
    found = [*collapse.cells.values(), *skips.cells.values()]
    deep = skips.values("branch norm 32 seed {seed}", "test")
    normed = [
        layers[-1]
        for layers in skips.values("branch norm 32 seed {seed}", "mean_cosine")
    ]
    ends = [cell["mean_cosine"][-1] for cell in found if cell["train"] < 0.35]
    last = cells.values("last epoch seed {seed}", "listing")
    zeros = [sum(value < 0.01 for value in values) for values in last]
    return Section(
        name="3",
        title="Below 0.5 is healthy, near 1 is smoothed",
        says=f"Compute the mean cosine of each layer; below {healthy} the network is "
        "healthy, towards 1 it is over-smoothed.",
        verdict=FAILS,
        short=f"The best networks read {median(b[-1] for b in best):.2f}, noise "
        f"without a graph up to {rows[2][1]}, a dead layer {rows[5][1]}.",
        measured="Matrices that no graph has touched "
        f"({NODES:,} × {CHANNELS}, {len(SEEDS)} seeds):\n\n"
        + table(["rows", "guide's gauge", "Benthic's cosine", "effective rank"], rows)
        + f"\n\nTrained on Cora, the 2-layer GCN of claim 1 "
        f"({share(median(collapse.values('gcn 2 seed {seed}', 'test')))}) reads "
        f"{middle([b[-1] for b in best])} in its hidden layer and the 8-layer one, "
        "trained three times as long "
        f"({share(median(collapse.values('gcn 8 longer seed {seed}', 'test')))}), "
        f"{middle([w[-1] for w in worse])}. Over the {len(cosine)} networks of claims "
        "1 and 8 that fit their training nodes (90 % and more), cosine and test "
        f"accuracy rise *together*: rank correlation {rank:.2f}, for both fall with "
        "depth. The gauge orders working networks backwards. With LayerNorm, 32 layers "
        f"read {middle(normed)} at {share(median(deep))}: it sees the norm, not health."
        "\n\n![Test accuracy against mean cosine of the last hidden layer, one dot a "
        "network](figures/guide-cosine.svg)\n\nNetworks "
        f"that collapsed read {min(ends):.2f} to {max(ends):.2f} at their best "
        "validation epoch: that half holds. At the *last* epoch the guide's network of "
        f"{LAST_EPOCH['num_layers']} layers, at "
        f"{percent(cells.values('last epoch seed {seed}', 'test'))} % on test, has, by "
        f"the guide's own gauge, {' / '.join(map(str, zeros))} of its "
        f"{LAST_EPOCH['num_layers']} layers below 0.01 "
        f"({len(zeros)} seeds): their rows are zero ([D002](checks.md#d002) says how "
        "that comes about), and dead reads as healthiest.\n\nNor is 1 the limit: "
        "features propagated for ever reach "
        + ", ".join(f"{value:.2f} on {name}" for name, value in limits.items())
        + ", by the number of components.",
        means="Show the cosine, never judge by it. `benthic.measure_smoothing` gives "
        "it from the true states, `None` for a dead layer; `benthic.diagnose` decides "
        "by controls.",
        script="c03_thresholds",
    )


def trained_networks(collapse: Cells, skips: Cells) -> tuple[list[float], list[float]]:
    """Cosine and accuracy of the networks that fit their training nodes."""
    found = [*collapse.cells.values(), *skips.cells.values()]
    fit = [cell for cell in found if cell["train"] >= 0.9]
    return [cell["mean_cosine"][-1] for cell in fit], [cell["test"] for cell in fit]
