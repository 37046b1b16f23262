"""The one training loop."""

from __future__ import annotations

import copy
import difflib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn
from torch_geometric.data import Data, HeteroData
from torch_geometric.nn.models import basic_gnn

from benthic.errors import InputError
from benthic.forward import call_model
from benthic.supervision import Supervision

Progress = Callable[[int, int], None]
"""Called after each epoch with the epochs done and the epochs planned."""


@dataclass(frozen=True)
class Training:
    """What a training run reached, at its best validation epoch.

    Args:
        metrics: Accuracy by split; None for a split without nodes.
        best_epoch: Epoch (from 1) whose weights the model carries.
        losses: Training loss of every epoch, in nats.
    """

    metrics: dict[str, float | None]
    best_epoch: int
    losses: tuple[float, ...]


def train(
    model: nn.Module,
    data: Data | HeteroData,
    *,
    epochs: int = 200,
    lr: float = 0.01,
    weight_decay: float = 5e-4,
    seed: int = 0,
    progress: Progress | None = None,
) -> Training:
    """Trains a model on one graph by the protocol that most published tables use.

    Full batch, Adam with L2 on every parameter, cross-entropy on the training
    nodes. Afterwards the model carries the weights of the epoch with the highest
    validation accuracy (the lowest validation loss breaks ties), or the last
    epoch's where there is no validation split.

    Args:
        model: Any module that gives a row of logits per node; trained in place.
        data: A graph with ``y`` and masks.
        epochs: Passes over the graph.
        lr: Adam's learning rate.
        weight_decay: Adam's coupled L2 factor.
        seed: Seeds the dropout; the caller's random state is left as it was.
        progress: Called after each epoch.

    Raises:
        InputError: If ``data`` has no class labels or no training nodes.

    Example:
        >>> graph = Data(
        ...     x=torch.eye(4),
        ...     y=torch.tensor([0, 0, 1, 1]),
        ...     edge_index=torch.tensor([[0, 1, 2, 3], [1, 0, 3, 2]]),
        ... )
        >>> model = build("gcn", 4, 8, 2, num_layers=2, dropout=0.0)
        >>> train(model, graph, epochs=50).metrics["train"]
        1.0
    """
    supervision = Supervision.of(data)
    if supervision is None or not _trains(supervision):
        raise InputError(
            "data",
            "no labelled training nodes",
            "give integer labels y and a train_mask that selects some of them",
        )
    devices = list({p.device for p in model.parameters() if p.is_cuda})
    with torch.random.fork_rng(devices=devices):
        torch.manual_seed(seed)
        return _fit(model, data, supervision, epochs, lr, weight_decay, progress)


def _trains(supervision: Supervision) -> bool:
    return "train" in supervision.masks and bool(supervision.masks["train"].any())


def _fit(
    model: nn.Module,
    data: Data | HeteroData,
    supervision: Supervision,
    epochs: int,
    lr: float,
    weight_decay: float,
    progress: Progress | None,
) -> Training:
    optimizer = torch.optim.Adam(model.parameters(), lr=lr, weight_decay=weight_decay)
    losses: list[float] = []
    best: tuple[float, float] = (-1.0, 0.0)
    best_epoch, best_state, best_metrics = 0, None, None
    for epoch in range(1, epochs + 1):
        model.train()
        optimizer.zero_grad(set_to_none=True)
        loss = supervision.loss(call_model(model, data))
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
        metrics, score = _evaluate(model, data, supervision)
        if score is None or score > best:
            best, best_epoch, best_metrics = score or best, epoch, metrics
            best_state = copy.deepcopy(model.state_dict())
        if progress is not None:
            progress(epoch, epochs)
    optimizer.zero_grad(set_to_none=True)
    if best_state is not None:
        model.load_state_dict(best_state)
    model.eval()
    if best_metrics is None:
        best_metrics, _ = _evaluate(model, data, supervision)
    return Training(best_metrics, best_epoch, tuple(losses))


@torch.no_grad()
def _evaluate(
    model: nn.Module, data: Data | HeteroData, supervision: Supervision
) -> tuple[dict[str, float | None], tuple[float, float] | None]:
    model.eval()
    output = call_model(model, data)
    metrics = supervision.accuracy(output)
    held_out = supervision.held_out
    if metrics["val"] is None or held_out is None:
        return metrics, None
    as_if_training = Supervision(
        supervision.y, {"train": held_out}, supervision.node_type
    )
    return metrics, (metrics["val"], -as_if_training.loss(output).item())


def build(
    conv: str,
    in_channels: int,
    hidden_channels: int,
    out_channels: int,
    *,
    num_layers: int,
    dropout: float = 0.5,
    seed: int = 0,
) -> nn.Module:
    """Builds one of PyG's basic GNNs by the name of its layer.

    Args:
        conv: ``"gcn"``, ``"sage"``, ``"gat"``, ``"gin"``, …: the class names of
            ``torch_geometric.nn.models.basic_gnn``, in any case; a tail of the
            name is enough. ``PNA`` is left out: it needs the degrees of a graph.
        in_channels: Features of a node.
        hidden_channels: Width of the hidden layers.
        out_channels: Classes.
        num_layers: Message passing layers, 1 or more.
        dropout: Share of hidden units that a training step drops.
        seed: Seeds the initial weights; the caller's random state stays.

    Raises:
        InputError: If no class has that name.

    Example:
        >>> build("SAGE", 3, 8, 2, num_layers=4)
        GraphSAGE(3, 2, num_layers=4)
    """
    classes: dict[str, Any] = {
        cls.__name__.lower(): cls
        for cls in basic_gnn.BasicGNN.__subclasses__()
        if cls.__module__ == basic_gnn.__name__ and cls is not basic_gnn.PNA
    }
    named = [name for name in classes if name.endswith(conv.lower())] if conv else []
    if conv.lower() in classes:
        named = [conv.lower()]
    if len(named) != 1:
        nearest = difflib.get_close_matches(conv.lower(), classes, len(classes), 0.0)
        raise InputError("conv", repr(conv), f"choose one of {', '.join(nearest)}")
    if num_layers < 1:
        raise InputError("num_layers", str(num_layers), "give a depth of 1 or more")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model: nn.Module = classes[named[0]](
            in_channels,
            hidden_channels,
            num_layers,
            out_channels,
            dropout=dropout,
        )
    return model
