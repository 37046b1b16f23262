"""Claim 7: fresh stacks of attention layers, with and without what surrounds them."""

from __future__ import annotations

from collections.abc import Callable
from statistics import median
from typing import Any

import torch
from benchmarks.guide.cells import Cells
from benchmarks.guide.section import FAILS, Section, published, require, table
from benchmarks.guide.trained import HIDDEN, cora
from torch import Tensor, nn

from benthic.metrics import effective_rank, mean_cosine_similarity

TOKENS = 512  # nodes of Cora, each hearing all the others
DEPTHS = (0, 1, 2, 4, 8, 16, 24)
HEADS = 4
SEEDS = range(5)


class Attention(nn.Module):
    """Softmax attention and nothing else, or with a skip around it."""

    def __init__(self, skip: bool) -> None:
        super().__init__()
        self.attention = nn.MultiheadAttention(HIDDEN, HEADS, batch_first=True)
        self.skip = skip

    def forward(self, x: Tensor) -> Tensor:
        h, _ = self.attention(x, x, x, need_weights=False)
        return x + h if self.skip else h


def _block(norm_first: bool) -> nn.Module:
    return nn.TransformerEncoderLayer(
        HIDDEN, HEADS, 4 * HIDDEN, batch_first=True, norm_first=norm_first
    )


LAYERS: dict[str, Callable[[], nn.Module]] = {
    "attention": lambda: Attention(skip=False),
    "attention skip": lambda: Attention(skip=True),
    "block norm last": lambda: _block(norm_first=False),
    "block norm first": lambda: _block(norm_first=True),
}


def measure(cells: Cells) -> None:
    """Runs Cora's nodes through fresh stacks."""
    for name, layer in LAYERS.items():
        for seed in SEEDS:
            cells.measure(f"{name} seed {seed}", lambda f=layer, s=seed: _stack(f, s))


@torch.no_grad()
def _stack(layer: Callable[[], nn.Module], seed: int) -> dict[str, Any]:
    torch.manual_seed(seed)
    nodes = torch.randperm(cora().num_nodes)[:TOKENS]
    # No bias: a vector that all nodes share would be half of the answer.
    embed = nn.Linear(cora().num_features, HIDDEN, bias=False)
    x = nn.LayerNorm(HIDDEN)(embed(cora().x[nodes])).unsqueeze(0)
    rows = []
    for depth in range(max(DEPTHS) + 1):
        if depth:
            x = layer().eval()(x)
        if depth in DEPTHS:
            rows.append({"depth": depth, **_read(x[0].double())})
    return {"layers": rows}


def _read(x: Tensor) -> dict[str, float]:
    own = x - x.mean(0)
    return {
        "own_share": float(own.square().sum() / x.square().sum()),
        "mean_cosine": float(mean_cosine_similarity(x)),
        "effective_rank": float(effective_rank(x)),
    }


def section(cells: Cells) -> Section:
    """What it says about the claim."""
    names = {
        "attention": "attention only",
        "attention skip": "attention + skip",
        "block norm last": "transformer layer, norm last",
        "block norm first": "transformer layer, norm first",
    }
    shares = {
        key: [
            median(stack[k]["own_share"] for stack in stacks)
            for k in range(len(DEPTHS))
        ]
        for key in names
        if (stacks := cells.values(f"{key} seed {{seed}}", "layers"))
    }
    two = DEPTHS.index(2)
    require(shares["attention"][two] < 1e-3, "attention alone is gone by 2 layers")
    require(shares["block norm first"][-1] < 0.6, "whole layers lose too")
    return Section(
        name="7",
        title="Transformers avoid it entirely",
        says="Attention over all pairs does not diffuse, so that graph transformers "
        "do not over-smooth.",
        verdict=FAILS,
        short="Attention alone loses all but "
        f"{shares['attention'][two]:.0e} of what tells nodes apart in two layers; "
        "skips, norms and feed-forward parts hold it up.",
        measured=f"{TOKENS} nodes of Cora, every one hearing every other, fresh "
        f"layers, {HIDDEN} wide, {HEADS} heads, medians of {len(SEEDS)} seeds. Share "
        "of ‖X‖² that is not the mean row, by depth:\n\n"
        + table(
            ["stack", *DEPTHS],
            [
                [name, *(f"{share:.2g}" for share in shares[key])]
                for key, name in names.items()
            ],
        )
        + "\n\nSoftmax attention *is* a weighted mean over all nodes, on the densest "
        "graph there is. Untrained networks only: training may sharpen attention, and "
        "may not.",
        published=f"The authors of {published('attention')['source']} prove that "
        "attention, graph transformers included, loses expressive power "
        "exponentially with depth.",
        means="A graph transformer is protected by its skips, its norms and by being "
        "shallow. The same parts protect a GCN (claim 8).",
        script="c07_attention",
    )
