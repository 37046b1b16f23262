"""Listing A, ``measure_smoothing``: each fault with its evidence."""

from __future__ import annotations

from typing import Any

import torch
from benchmarks.guide.cells import Cells, middle
from benchmarks.guide.listing_a import guide_measure
from benchmarks.guide.section import FAILS, Section, require, table
from benchmarks.guide.trained import CLASSES, HIDDEN, cora
from benchmarks.networks import DeepGCN, seeded
from torch import Tensor, nn
from torch_geometric.data import Data
from torch_geometric.nn import GCNConv

from benthic import measure_smoothing

DEPTH = 8
SEEDS = range(3)
SMALL = 10
LARGE = 1_000_000
EXAMPLE = """```python
import torch
from torch_geometric.data import Data
from torch_geometric.nn import GCN

from benthic import measure_smoothing

graph = Data(x=torch.rand(4, 3), edge_index=torch.tensor([[0, 1, 2], [1, 2, 3]]))
model = GCN(3, 8, num_layers=2, out_channels=2)
for parameter in model.parameters():
    torch.nn.init.zeros_(parameter)
assert measure_smoothing(model, graph) == {"convs.0": None, "convs.1": None}  # dead
```"""


class Usual(nn.Module):
    """Two layers by name, as in the usual first example."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = GCNConv(cora().num_features, HIDDEN)
        self.conv2 = GCNConv(HIDDEN, CLASSES)

    def forward(self, x: Tensor, edge_index: Tensor) -> Tensor:
        return self.conv2(self.conv1(x, edge_index).relu(), edge_index)


def measure(cells: Cells) -> None:
    """Reads networks with the listing and with Benthic."""
    for seed in SEEDS:
        cells.measure(f"other network seed {seed}", lambda s=seed: _network(s))
        cells.measure(f"small graph seed {seed}", lambda s=seed: _small(s))
    cells.measure("dead network", _dead)
    cells.measure("layers by name", _by_name)
    cells.measure(
        "memory", lambda: {"cora": _bytes(cora().num_nodes), "million": _bytes(LARGE)}
    )


def _network(seed: int) -> dict[str, Any]:
    """A fresh ``DeepGCN``, whose skips the listing does not run."""
    data = cora()
    model = seeded(seed, DeepGCN, data.num_features, HIDDEN, CLASSES, DEPTH).eval()
    return {
        "listing": guide_measure(model, data.x, data.edge_index),
        "true": list(measure_smoothing(model, data).values()),
    }


def _dead() -> dict[str, Any]:
    data = cora()
    model = seeded(0, DeepGCN, data.num_features, HIDDEN, CLASSES, 2).eval()
    for parameter in model.parameters():
        nn.init.zeros_(parameter)
    return {
        "listing": guide_measure(model, data.x, data.edge_index),
        "benthic": list(measure_smoothing(model, data).values()),
    }


def _by_name() -> dict[str, Any]:
    model, data = Usual(), cora()
    try:
        listing: Any = guide_measure(model, data.x, data.edge_index)
    except AttributeError as error:
        listing = str(error)
    return {"listing": listing, "benthic": list(measure_smoothing(model, data))}


def _small(seed: int) -> dict[str, Any]:
    """Ten nodes without edges: what the diagonal adds."""
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(SMALL, HIDDEN, generator=generator)
    edges = torch.zeros(2, 0, dtype=torch.long)
    model = seeded(seed, DeepGCN, HIDDEN, HIDDEN, HIDDEN, 1).eval()
    graph = Data(x=x, edge_index=edges)
    return {
        "listing": guide_measure(model, x, edges),
        "after_relu_without_diagonal": _off_diagonal(model(x, edges).detach().relu()),
        "true": list(measure_smoothing(model, graph).values()),
    }


def _off_diagonal(x: Tensor) -> float:
    unit = torch.nn.functional.normalize(x, dim=1)
    cosine = unit @ unit.T
    return float(cosine[~torch.eye(len(x), dtype=torch.bool)].mean())


def _bytes(num_nodes: int) -> int:
    return 4 * num_nodes**2


def section(cells: Cells, speed: dict[str, Any], limit: Cells) -> Section:
    """What it says about the listing.

    Args:
        cells: Its own figures.
        speed: ``benchmarks/results/cosine.json``.
        limit: Those of claim 2.
    """
    listing = cells.values("other network seed {seed}", "listing")
    true = cells.values("other network seed {seed}", "true")
    apart = max(
        abs(a - b)
        for run, other in zip(listing, true, strict=True)
        for a, b in zip(run, other, strict=True)
    )
    require(apart > 0.05, "another network")
    dead, by_name = cells.cells["dead network"], cells.cells["layers by name"]
    require(max(dead["listing"]) == 0 and dead["benthic"][0] is None, "dead is 0.0")
    memory = cells.cells["memory"]
    small = [run[0] for run in cells.values("small graph seed {seed}", "listing")]
    alone = cells.values("small graph seed {seed}", "after_relu_without_diagonal")
    faster = speed["threads_1"]["cora_size_2708x64"]
    rows = [
        [
            "a dead network is healthy",
            f"all weights zero: {' / '.join(f'{v:.1f}' for v in dead['listing'])}",
            "`None`, never 0.0",
        ],
        [
            "runs the convolutions, not the model: no skips, no norms",
            f"fresh `DeepGCN`, {DEPTH} layers, seed 0, printed: {_list(listing[0])}; "
            f"true: {_list(true[0])}; up to {apart:.2f} apart over {len(SEEDS)} seeds",
            "reads what the next layer consumes",
        ],
        [
            "ReLU after the last layer",
            f"the logits read {listing[0][-1]:.2f}, and their true cosine is "
            f"{true[0][-1]:.2f}",
            "logits as they are",
        ],
        [
            "N × N matrix",
            f"{memory['cora'] / 2**20:.0f} MiB on Cora, "
            f"{memory['million'] / 1e12:.0f} TB at {LARGE:,} nodes",
            f"‖mean û‖²: {faster['times_faster']:.0f} times faster on Cora "
            "(`benchmarks/cosine.py`)",
        ],
        [
            "counts each node with itself",
            f"{SMALL} nodes of noise: {middle(small)} with the diagonal, "
            f"{middle(alone)} without",
            "pairs i ≠ j",
        ],
        [
            "wants `model.convs`",
            f"`conv1`, `conv2`: AttributeError, {by_name['listing']}",
            f"finds {', '.join(f'`{name}`' for name in by_name['benthic'])}",
        ],
        [
            "one limit for all graphs",
            f"{limit.cells['cora graph']['limit_cosine']:.2f} on Cora, "
            f"{limit.cells['citeseer graph']['limit_cosine']:.2f} on CiteSeer "
            "(claim 2)",
            "`component=` compares within components",
        ],
        [
            "no `eval()`, no `no_grad()`, `num_layers` unused",
            "read in the code",
            "evaluation mode, no gradients, model left as found",
        ],
        [
            "no batches, types or edge weights",
            "read in the code",
            "loaders, `HeteroData`, whatever `forward` takes",
        ],
    ]
    return Section(
        name="A",
        title="`measure_smoothing`",
        says="A function that prints one similarity per layer and tells healthy from "
        "smoothed.",
        verdict=FAILS,
        short="It runs, and measures another network than yours; a dead one it calls "
        "healthiest.",
        measured="Written again from its description "
        "(`benchmarks/guide/listing_a.py`), faults included:\n\n"
        + table(["fault", "evidence", "`benthic.measure_smoothing`"], rows),
        means="The same name, one import away:\n\n" + EXAMPLE,
        script="code_a",
    )


def _list(values: list[float]) -> str:
    return " ".join(f"{value:.2f}" for value in values)
