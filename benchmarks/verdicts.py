"""Verdicts on networks whose illness is known: real training, real data, 3 seeds.

``python benchmarks/verdicts.py`` trains and diagnoses every network and writes
``benchmarks/results/verdicts.json`` after each, so that an interrupted run resumes.
"""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import nn
from torch_geometric.data import Data
from torch_geometric.nn import GATConv

if __name__ == "__main__":  # run as a script, not as a module of the checkout
    sys.path.insert(0, str(Path(__file__).parents[1]))

from benchmarks.networks import GCNII, SGC, DeepGCN, PairNormGCN, seeded

from benthic import Diagnosis, bank, diagnose, load
from benthic.nn import DeepGNN, IdentityMap, InitialResidual
from benthic.training import build, train

RESULTS = Path(__file__).parent / "results" / "verdicts.json"
SEEDS = (0, 1, 2)


@dataclass(frozen=True)
class Known:
    """A network, how it is trained, and the verdicts that are right.

    Args:
        network: Builds it for a graph and a seed.
        right: Verdicts that are right; with ``wrong``, every other one is.
        wrong: Verdicts that are wrong.
        data: The graph.
        protocol: Arguments of :func:`benthic.training.train`.
        kill: What to do to the trained network.
        influence: Whether to measure influence by hop; 1,024 hops take minutes.
    """

    network: Callable[[Data, int], nn.Module]
    right: frozenset[str] = frozenset()
    wrong: frozenset[str] = frozenset()
    data: Callable[[], Data] = lambda: cora()
    protocol: dict[str, Any] | None = None
    kill: Callable[[nn.Module, Data], None] | None = None
    influence: bool = True

    def accepts(self, verdict: str) -> bool:
        """Whether a verdict is right."""
        return verdict in self.right if self.right else verdict not in self.wrong


@cache
def cora() -> Data:
    """Cora, public split."""
    return load("cora")


@cache
def cora_in_tens() -> Data:
    """Cora, whose rows sum to 10: Adam gets on faster than with 1."""
    graph = load("cora")
    graph.x = graph.x * 10
    return graph


@cache
def demand() -> Data:
    """The bank's demand labels, four hops away."""
    return bank().to_homogeneous("demand")


def gcn(num_layers: int) -> Callable[[Data, int], nn.Module]:
    """PyG's plain GCN, 64 wide."""

    def network(data: Data, seed: int) -> nn.Module:
        classes = int(data.y.max()) + 1
        return build(
            "gcn", data.num_features, 64, classes, num_layers=num_layers, seed=seed
        )

    return network


def published(
    factory: type[nn.Module], *sizes: int
) -> Callable[[Data, int], nn.Module]:
    """A network of ``benchmarks/networks.py``."""

    def network(data: Data, seed: int) -> nn.Module:
        classes = int(data.y.max()) + 1
        wide = () if factory is SGC else (64,)
        return seeded(seed, factory, data.num_features, *wide, classes, *sizes)

    return network


def deep_gat(dropout: float) -> Callable[[Data, int], nn.Module]:
    """GAT of 64 layers with GCNII's treatments."""

    def network(data: Data, seed: int) -> nn.Module:
        return seeded(
            seed,
            DeepGNN,
            lambda ins, outs: GATConv(ins, outs // 8, heads=8),
            *(data.num_features, 64, int(data.y.max()) + 1),
            num_layers=64,
            residual=InitialResidual(0.1),
            identity_map=IdentityMap(),
            dropout=dropout,
        )

    return network


def zero_weights(model: nn.Module, _: Data) -> None:
    """Every weight and bias of the first layer becomes zero."""
    for parameter in model.convs[0].parameters():
        nn.init.zeros_(parameter)


def negative_bias(model: nn.Module, _: Data) -> None:
    """The first layer's bias goes so low that no unit fires."""
    nn.init.constant_(model.convs[0].bias, -1e3)


def dying_relu(model: nn.Module, data: Data) -> None:
    """Twenty steps of plain gradient descent that are far too large."""
    optimizer = torch.optim.SGD(model.parameters(), lr=100.0)
    for _ in range(20):
        optimizer.zero_grad()
        logits = model(data.x, data.edge_index)[data.train_mask]
        F.cross_entropy(logits, data.y[data.train_mask]).backward()
        optimizer.step()


SGC_PROTOCOL = {"epochs": 100, "lr": 0.2, "weight_decay": 5e-5}
HEALTHY = frozenset({"healthy"})
DEAD = frozenset({"D002"})

KNOWN: dict[str, Known] = {
    "gcn-2": Known(gcn(2), right=HEALTHY),
    "gcn-16": Known(gcn(16), right=frozenset({"D002", "D003"})),
    "guide-deep-gcn-16": Known(
        published(DeepGCN, 16), right=frozenset({"D004", "D010"})
    ),
    "sgc-16": Known(
        published(SGC, 16), wrong=frozenset({"D001"}), protocol=SGC_PROTOCOL
    ),
    "sgc-1024": Known(
        published(SGC, 1024),
        right=frozenset({"D001"}),
        protocol=SGC_PROTOCOL,
        influence=False,
    ),
    "gcnii-64": Known(published(GCNII, 64), right=HEALTHY, protocol={"epochs": 150}),
    "pair-norm-32": Known(published(PairNormGCN, 32), wrong=HEALTHY),
    "bank-demand-gcn-2": Known(
        gcn(2), right=frozenset({"D007"}), data=demand, protocol={"epochs": 50}
    ),
    "gat-64-dropout-0.2": Known(
        deep_gat(0.2), right=HEALTHY, data=cora_in_tens, protocol={"epochs": 60}
    ),
    "gat-64-dropout-0.6": Known(
        deep_gat(0.6),
        right=frozenset({"D012"}),
        data=cora_in_tens,
        protocol={"epochs": 60},
    ),
    "dead-by-weights": Known(gcn(2), right=DEAD, kill=zero_weights),
    "dead-by-bias": Known(gcn(2), right=DEAD, kill=negative_bias),
    "dead-by-dying-relu": Known(gcn(2), right=DEAD, kill=dying_relu),
}


def examine(name: str, seed: int) -> Diagnosis:
    """Trains one network and diagnoses it."""
    known = KNOWN[name]
    data = known.data()
    model = known.network(data, seed)
    train(model, data, seed=seed, **(known.protocol or {}))
    if known.kill is not None:
        known.kill(model, data)
    return diagnose(model, data, name=name, influence=known.influence)


def row(name: str, seed: int) -> dict[str, Any]:
    """What a reader of the result file wants to know."""
    diagnosis = examine(name, seed)
    hidden = diagnosis.layers[:-1] or diagnosis.layers
    fresh = diagnosis.controls["fresh"]
    weights = [
        layer.weight_norm / before["weight_norm"]
        for layer, before in zip(diagnosis.layers, fresh, strict=False)
        if layer.weight_norm and before["weight_norm"]
    ]
    return {
        "network": name,
        "seed": seed,
        "verdict": diagnosis.verdict,
        "right": KNOWN[name].accepts(diagnosis.verdict),
        "findings": [finding.code for finding in diagnosis.findings],
        **diagnosis.metrics,
        "mean_cosine_last_hidden": hidden[-1].mean_cosine,
        "largest_dead_fraction": max(x.dead_fraction or 0.0 for x in hidden),
        "smallest_weight_norm_ratio": min(weights, default=None),
        "largest_feature_correlation": max(
            x.feature_correlation or 0.0 for x in hidden
        ),
        "norm_growth_fresh": _growth([layer["norm"] for layer in fresh]),
        "evidence": {f.code: _finite(f.evidence) for f in diagnosis.findings},
        "seconds": round(diagnosis.seconds, 1),
    }


def _growth(norms: list[float | None]) -> float | None:
    known = [norm for norm in norms[:-1] if norm]
    return known[-1] / known[0] if len(known) > 1 else None


def _finite(evidence: dict[str, Any]) -> dict[str, Any]:
    return {
        key: None if isinstance(v, float) and not math.isfinite(v) else v
        for key, v in evidence.items()
    }


def main() -> None:
    """Fills in the rows that are missing."""
    rows = json.loads(RESULTS.read_text())["rows"] if RESULTS.exists() else []
    done = {(entry["network"], entry["seed"]) for entry in rows}
    for name in KNOWN:
        for seed in SEEDS:
            if (name, seed) in done:
                continue
            rows.append(row(name, seed))
            entry = rows[-1]
            print(f"{name:24} seed {seed}  {entry['verdict']:8} {entry['right']}")
            RESULTS.parent.mkdir(exist_ok=True)
            versions = {"torch": torch.__version__, "threads": torch.get_num_threads()}
            RESULTS.write_text(json.dumps({**versions, "rows": rows}, indent=1) + "\n")


if __name__ == "__main__":
    main()
