"""Claim 13: depth on a grid, with and without what made image networks deep."""

from __future__ import annotations

from itertools import pairwise
from statistics import median
from typing import Any

import torch
import torch.nn.functional as F
from benchmarks.guide.cells import Cells, percent
from benchmarks.guide.section import FAILS, Section, published, require, table
from benchmarks.networks import seeded
from sklearn.datasets import load_digits
from torch import Tensor, nn
from torch_geometric.data import Data
from torch_geometric.nn import GCNConv
from torch_geometric.utils import grid, remove_self_loops

from benthic.metrics import rayleigh_quotient
from benthic.training import train

SIDE = 32
WIDTH = 64
STACK = 16
IMAGES = 600
DIGIT_WIDTH = 8
DEPTHS = (4, 32)
EPOCHS = 80
SEEDS = range(3)


class ImageNetwork(nn.Module):
    """3 × 3 convolutions on 8 × 8 digits, plain or with a skip and a norm.

    Args:
        num_layers: Convolutions at full size.
        skip: Whether each adds to its input, which it reads through a GroupNorm.
    """

    def __init__(self, num_layers: int, skip: bool) -> None:
        super().__init__()
        widths = [1, *[DIGIT_WIDTH] * num_layers]
        self.convs = nn.ModuleList(
            nn.Conv2d(before, after, 3, padding=1) for before, after in pairwise(widths)
        )
        self.norm = nn.GroupNorm(1, DIGIT_WIDTH)
        self.head = nn.Linear(DIGIT_WIDTH * 8 * 8, 10)
        self.skip = skip

    def forward(self, x: Tensor) -> Tensor:
        x = self.convs[0](x)
        for conv in self.convs[1:]:
            x = x + conv(self.norm(x).relu()) if self.skip else conv(x.relu())
        return self.head(x.relu().flatten(1))


def measure(cells: Cells) -> None:
    """Averages a noise image by graph and by image layers, and trains on digits."""
    for seed in SEEDS:
        cells.measure(f"grid seed {seed}", lambda s=seed: _grid(s))
    for num_layers in DEPTHS:
        for skip in (False, True):
            kind = "skip norm" if skip else "plain"
            for seed in SEEDS:
                cells.measure(
                    f"digits {kind} {num_layers} seed {seed}",
                    lambda n=num_layers, k=skip, s=seed: _train(n, k, s),
                )


@torch.no_grad()
def _grid(seed: int) -> dict[str, Any]:
    """Rayleigh quotient on the grid, layer by layer, of two fresh stacks."""
    torch.manual_seed(seed)
    edge_index, _ = remove_self_loops(grid(SIDE, SIDE)[0])
    rows = by_graph = torch.randn(SIDE * SIDE, WIDTH)
    image = rows.T.reshape(1, WIDTH, SIDE, SIDE)
    found = {"graph_layers": [], "image_layers": []}
    for _ in range(STACK):
        by_graph = GCNConv(WIDTH, WIDTH)(by_graph, edge_index).relu()
        image = F.relu(nn.Conv2d(WIDTH, WIDTH, 3, padding=1, bias=False)(image))
        by_image = image.reshape(WIDTH, -1).T
        for name, x in (("graph_layers", by_graph), ("image_layers", by_image)):
            found[name].append(float(rayleigh_quotient(x.contiguous(), edge_index)))
    return found


def _train(num_layers: int, skip: bool, seed: int) -> dict[str, Any]:
    digits = load_digits()
    order = torch.randperm(
        len(digits.target), generator=torch.Generator().manual_seed(0)
    )[:IMAGES]
    mask = torch.arange(IMAGES) % 3
    data = Data(
        x=torch.tensor(digits.images, dtype=torch.float)[order].unsqueeze(1) / 16,
        y=torch.tensor(digits.target)[order],
        train_mask=mask == 0,
        val_mask=mask == 1,
        test_mask=mask == 2,
    )
    model = seeded(seed, ImageNetwork, num_layers, skip)
    run = train(model, data, epochs=EPOCHS, lr=0.003, weight_decay=0.0, seed=seed)
    return {**run.metrics, "best_epoch": run.best_epoch}


def section(cells: Cells) -> Section:
    """What it says about the claim."""
    runs = {
        (kind, n): f"digits {kind} {n} seed {{seed}}"
        for kind in ("plain", "skip norm")
        for n in DEPTHS
    }
    tests = {run: cells.values(key, "test") for run, key in runs.items()}
    trains = {run: median(cells.values(key, "train")) for run, key in runs.items()}
    deep = DEPTHS[-1]
    require(max(tests["plain", deep]) < 0.2, "a plain stack fails on a grid")
    require(min(tests["skip norm", deep]) > 0.85, "skip and norm carry it")
    by_graph, by_image = (
        [
            median(layer)
            for layer in zip(*cells.values("grid seed {seed}", name), strict=True)
        ]
        for name in ("graph_layers", "image_layers")
    )
    resnet = published("resnet")
    return Section(
        name="13",
        title="Image networks go deep because pixels lie on a grid",
        says="CNNs can be deep where GNNs cannot, because a grid is regular.",
        verdict=FAILS,
        short=f"On the same grid a plain stack of {deep} image layers reads "
        f"{100 * median(tests['plain', deep]):.0f} %; with skip and norm "
        f"{100 * median(tests['skip norm', deep]):.0f} %.",
        measured=f"{IMAGES} handwritten digits of 8 × 8 pixels, 3 × 3 convolutions, "
        f"{DIGIT_WIDTH} channels, {EPOCHS} epochs, {len(SEEDS)} seeds:\n\n"
        + table(
            ["network", "layers", "train %", "test %, median (seeds)"],
            [
                [
                    kind.replace(" ", " + "),
                    n,
                    f"{100 * trains[kind, n]:.0f}",
                    percent(tests[kind, n]),
                ]
                for kind, n in runs
            ],
        )
        + f"\n\nNor does a grid protect a GNN. Noise on {SIDE} × {SIDE} pixels, fresh "
        "layers, Rayleigh quotient along the grid's edges (0 is smooth): after "
        f"{STACK} GCN layers {by_graph[-1]:.4f}, after {STACK} image layers "
        f"{by_image[-1]:.2f}. What differs is the layer: an image kernel has a weight "
        "for each direction and can subtract, GCN's average has one for all.",
        published=f"{resnet['source']}: plain networks of 18 and 34 layers "
        f"{resnet['plain_18']} and {resnet['plain_34']}, with skips "
        f"{resnet['residual_18']} and {resnet['residual_34']}.",
        means="What made image networks deep is at your disposal: a clean skip and a "
        "norm.",
        script="c13_grids",
    )
