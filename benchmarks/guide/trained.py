"""One training run on Cora by the usual protocol, and what its layers then say."""

from __future__ import annotations

from functools import cache
from typing import Any

import torch
from benchmarks.guide.listing_a import guide_value
from torch import Tensor, nn
from torch_geometric.data import Data

from benthic import Trace, load
from benthic.training import train

EPOCHS = 150
HIDDEN = 64
CLASSES = 7
GAUGES = ("mean_cosine", "dead_fraction", "effective_rank", "rayleigh_quotient")


@cache
def cora() -> Data:
    """Cora, public split, row-normalized features."""
    return load("cora")


def without_edges(data: Data) -> Data:
    """The same nodes, where a GCN of any depth is an MLP with the same weights."""
    bare = data.clone()
    bare.edge_index = data.edge_index[:, :0]
    return bare


def trained(
    model: nn.Module,
    data: Data,
    *,
    seed: int,
    epochs: int = EPOCHS,
    weight_decay: float = 5e-4,
) -> dict[str, Any]:
    """Accuracies at the best validation epoch, and the hidden layers' gauges there."""
    run = train(model, data, epochs=epochs, weight_decay=weight_decay, seed=seed)
    hidden = states(model, data)[:-1]
    cosine = [layer["mean_cosine"] for layer in hidden]
    dead = [layer["dead_fraction"] for layer in hidden]
    return {
        **run.metrics,
        "best_epoch": run.best_epoch,
        "epochs": epochs,
        **{gauge: [layer[gauge] for layer in hidden] for gauge in GAUGES},
        "guide_reading": [
            guide_value(value, share, data.num_nodes)
            for value, share in zip(cosine, dead, strict=True)
        ],
    }


def states(model: nn.Module, data: Data) -> list[dict[str, float | None]]:
    """Gauges of the states that each layer hands on, in evaluation mode."""
    model.eval()
    with torch.no_grad(), Trace(model, gauges=GAUGES) as trace:
        model(data.x, data.edge_index)
    return [
        {gauge: getattr(layer, gauge) for gauge in GAUGES} for layer in trace.layers
    ]


def last_hidden(model: nn.Module, data: Data) -> Tensor:
    """What the last layer consumes, ``[N, C]``."""
    seen = []
    hook = model.convs[-1].register_forward_pre_hook(lambda _, args: seen.append(args))
    model.eval()
    with hook, torch.no_grad():
        model(data.x, data.edge_index)
    return seen[0][0]
