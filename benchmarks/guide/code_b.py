"""Listing B, ``DeepGCN``: each fault with its evidence."""

from __future__ import annotations

from statistics import median
from typing import Any
from unittest import mock

import torch
from benchmarks.guide.cells import Cells, percent, share
from benchmarks.guide.mended import BranchDropout
from benchmarks.guide.section import FAILS, Section, published, require, table
from benchmarks.guide.trained import CLASSES, HIDDEN, cora
from benchmarks.networks import DeepGCN, seeded
from torch import nn
from torch_geometric.nn.conv import gcn_conv
from torch_geometric.utils import dropout_edge

from benthic import Trace
from benthic.checks.noise import training_noise
from benthic.forward import call_model

DEPTHS = (8, 16, 32)
SEEDS = range(3)
P = 0.2


def measure(cells: Cells) -> None:
    """Reads fresh networks, and counts what one pass does."""
    for name, network in (("listing", DeepGCN), ("branch", BranchDropout)):
        for num_layers in DEPTHS:
            for seed in SEEDS:
                cells.measure(
                    f"{name} {num_layers} seed {seed}",
                    lambda f=network, n=num_layers, s=seed: _fresh(f, n, s),
                )
    for num_layers in DEPTHS:
        for seed in SEEDS:
            cells.measure(
                f"norm {num_layers} seed {seed}",
                lambda n=num_layers, s=seed: _fresh(BranchDropout, n, s, norm=True),
            )
    for seed in SEEDS:
        cells.measure(f"edges seed {seed}", lambda s=seed: _edges(s))
    cells.measure("normalizations", _normalizations)


def _fresh(
    network: type[nn.Module], num_layers: int, seed: int, **kwargs: bool
) -> dict[str, Any]:
    """Signal over noise at the last layer's input, and growth of the stream."""
    data = cora()
    sizes = (data.num_features, HIDDEN, CLASSES, num_layers)
    model = seeded(seed, network, *sizes, **kwargs).eval()
    with torch.no_grad(), Trace(model, gauges=["norm"]) as trace:
        model(data.x, data.edge_index)
    norms = [layer.norm for layer in trace.layers[:-1]]
    noise = training_noise(model, lambda m: call_model(m, data), seed=seed)
    return {
        "norm_growth_per_layer": (norms[-1] / norms[0]) ** (1 / (len(norms) - 1)),
        "norm_growth": norms[-1] / norms[0],
        "signal_over_noise": noise[-1].all_paths,
        "signal_over_noise_of_skips": noise[-1].skip_only,
    }


def _edges(seed: int) -> dict[str, Any]:
    """Kept edges whose other direction was dropped."""
    data, found = cora(), {}
    for name, both in (("listing", False), ("both directions", True)):
        torch.manual_seed(seed)
        kept, _ = dropout_edge(data.edge_index, P, force_undirected=both)
        pairs = set(map(tuple, kept.T.tolist()))
        alone = sum((b, a) not in pairs for a, b in pairs)
        found[name] = alone / len(pairs)
    return found


def _normalizations() -> dict[str, Any]:
    data = cora()
    model = seeded(0, DeepGCN, data.num_features, HIDDEN, CLASSES, 16)
    with mock.patch.object(gcn_conv, "gcn_norm", wraps=gcn_conv.gcn_norm) as counted:
        model(data.x, data.edge_index)
    return {"layers": 16, "calls": counted.call_count}


def section(cells: Cells, skips: Cells) -> Section:
    """What it says about the listing.

    Args:
        cells: Its own figures.
        skips: Those of claim 8: accuracy before and after.
    """

    def median_of(name: str, figure: str, num_layers: int = 16) -> float:
        return median(cells.values(f"{name} {num_layers} seed {{seed}}", figure))

    skip = "signal_over_noise_of_skips"
    before, after = median_of("listing", skip), median_of("branch", skip)
    require(after > 1000 * before, "dropout eats the stream")
    growth = median_of("listing", "norm_growth_per_layer")
    normed = median_of("norm", "norm_growth_per_layer")
    alone = median(cells.values("edges seed {seed}", "listing"))
    paired = median(cells.values("edges seed {seed}", "both directions"))
    counted = cells.cells["normalizations"]
    kept = published("dropedge")["kept_on_cora"]
    accuracy = {
        (name, n): percent(tests)
        for name in ("listing", "branch", "branch norm")
        for n in (8, 16, 32)
        if (tests := skips.values(f"{name} {n} seed {{seed}}", "test"))
    }
    tests = {
        name: median(skips.values(f"{name} 16 seed {{seed}}", "test"))
        for name in ("listing", "branch")
    }
    rows = [
        [
            "dropout on the skip stream",
            "signal over noise that skips carry to layer 16, fresh network: "
            f"{before:.0e}",
            f"on the branch: {after:.2f}; test % at 16: {accuracy['listing', 16]} → "
            f"{accuracy['branch', 16]}",
        ],
        [
            "no norm",
            f"the stream grows {growth:.2f} times a layer, "
            f"{median_of('listing', 'norm_growth', 32):,.0f} times over 32",
            f"LayerNorm: what a layer reads grows {normed:.2f} times; test % at 32: "
            f"{accuracy['branch', 32]} → {accuracy['branch norm', 32]}",
        ],
        [
            "edges dropped one direction at a time",
            f"{share(alone)} of the kept edges have lost the other direction: the "
            "operator is not symmetric",
            f"`force_undirected=True`: {share(paired)}",
        ],
        [
            "normalises anew in each layer",
            f"{counted['calls']} calls of `gcn_norm` for one graph in "
            f"{counted['layers']} layers",
            "once",
        ],
        [
            "drops little",
            f"keeps {share(1 - P)} of the edges; DropEdge's authors keep "
            f"{share(kept)} on Cora",
            "choose it on validation",
        ],
        [
            "one mask for all layers",
            "read in the code",
            "the paper has both forms: choose, and say which",
        ],
        [
            "the first and last layer have no skip, unless widths happen to match",
            "read in the code: the test is on shapes",
            "a linear layer in front",
        ],
        ["`num_layers=1` builds two layers", "read in the code", "refuse or obey"],
        ["no dropout on the input", "read in the code", "as GCN's authors have it"],
    ]
    return Section(
        name="B",
        title="`DeepGCN`",
        says="Skips and DropEdge in one class, for deep networks.",
        verdict=FAILS,
        short="At 16 layers it has lost Cora "
        f"({share(tests['listing'])} of the test nodes); one line moved gives "
        f"{share(tests['branch'])}.",
        measured=f"The listing (`benchmarks/networks.py`), and its mends one after "
        "the other (`benchmarks/guide/mended.py`); fresh networks on Cora for the "
        f"signals, {len(SEEDS)} seeds, claim 8's training runs for the accuracy:\n\n"
        + table(["fault", "evidence", "mended"], rows)
        + "\n\nAccuracy before and after, test %, median (seeds):\n\n"
        + table(
            ["layers", "as printed", "dropout on the branch", "… and LayerNorm"],
            [
                [
                    n,
                    *(
                        accuracy.get((m, n), "–")
                        for m in ("listing", "branch", "branch norm")
                    ),
                ]
                for n in (8, 16, 32)
            ],
        ),
        means="If you copied the class, move the dropout first: inside the branch, "
        "before the sum. Diagnosis [D010](checks.md#d010) finds this fault in any "
        "model.",
        script="code_b",
    )
