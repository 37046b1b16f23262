"""The one training loop, for one model or for several seeds of it at once."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn
from torch_geometric.data import Data, HeteroData

from benthic.errors import InputError
from benthic.forward import Forward, call_model, output_rows
from benthic.nn.dropout import streams
from benthic.supervision import Measure, Supervision, class_logits
from benthic.training.members import Alone, Output, Together, can_be_stacked
from benthic.training.protocol import Protocol, Training, changed

Progress = Callable[[int, int], None]
"""Called after each epoch with the epochs done and the epochs planned."""

_CONSISTENCY_WARMUP = 50  # epochs

Score = tuple[float, float]


def train(
    model: nn.Module,
    data: Data | HeteroData,
    protocol: Protocol | None = None,
    *,
    seed: int = 0,
    forward: Forward = call_model,
    progress: Progress | None = None,
    **changes: Any,
) -> Training:
    """Trains a model on one graph by the protocol that most published tables use.

    Full batch, Adam with L2 on every parameter, cross-entropy on the training
    nodes. Afterwards the model carries the weights of the epoch with the highest
    validation score (the lowest validation loss breaks ties), or the last
    epoch's where there is no validation split.

    Args:
        model: Any module that gives a row of logits per node; trained in place.
        data: A graph with ``y`` and masks.
        protocol: How to train.
        seed: Seeds the dropout; the caller's random state is left as it was.
        forward: How to call the model on the graph, where the names of its arguments
            are not those of the data.
        progress: Called after each epoch.
        changes: Fields of :class:`Protocol` to change, such as ``epochs=50``.

    Raises:
        InputError: If ``data`` has no class labels or no training nodes, or the model
            has nothing to train.

    Example:
        >>> from benthic.training import build
        >>> graph = Data(
        ...     x=torch.eye(4),
        ...     y=torch.tensor([0, 0, 1, 1]),
        ...     edge_index=torch.tensor([[0, 1, 2, 3], [1, 0, 3, 2]]),
        ... )
        >>> model = build("gcn", 4, 8, 2, num_layers=2, dropout=0.0)
        >>> train(model, graph, epochs=50).metrics["train"]
        1.0
    """
    protocol = changed(protocol, changes)
    supervision = _supervision(data)
    with _seeded(model, seed):
        return _fit(Alone(model, data, forward), supervision, protocol, progress)[0]


def train_together(
    models: Sequence[nn.Module],
    data: Data | HeteroData,
    protocol: Protocol | None = None,
    *,
    seeds: Sequence[int],
    forward: Forward = call_model,
    progress: Progress | None = None,
    **changes: Any,
) -> list[Training]:
    """Trains copies of one network, which differ in their seeds, as cheaply as it can.

    On graphs of up to 1,000 nodes the copies are stacked (``torch.func.vmap``), so that
    they share what each step costs beside its arithmetic. Each copy ends as it would
    alone: the same protocol, its own random stream where the dropout is Benthic's, its
    own best epoch. Larger graphs, and what cannot be stacked (random edges, which make
    another graph for every copy), are trained one after the other: arithmetic is not
    shared, and the caches of a processor hold one copy better than ten.

    Args:
        models: Networks of one make; trained in place.
        data: A graph with ``y`` and masks.
        protocol: How to train.
        seeds: Seeds the dropout of each.
        forward: How to call a model on the graph.
        progress: Called after each epoch.
        changes: Fields of :class:`Protocol` to change.

    Returns:
        A run for each model, in order.

    Raises:
        InputError: If there is not one seed for each model, or as in :func:`train`.

    Example:
        >>> from benthic.training import build
        >>> graph = Data(
        ...     x=torch.eye(4),
        ...     y=torch.tensor([0, 0, 1, 1]),
        ...     edge_index=torch.tensor([[0, 1, 2, 3], [1, 0, 3, 2]]),
        ... )
        >>> pair = [build("gcn", 4, 8, 2, num_layers=2, seed=seed) for seed in (0, 1)]
        >>> runs = train_together(pair, graph, seeds=[0, 1], epochs=50)
        >>> [run.metrics["train"] for run in runs]
        [1.0, 1.0]
    """
    if len(models) != len(seeds):
        found = f"{len(seeds)} seeds for {len(models)} models"
        raise InputError("seeds", found, "give one for each model")
    protocol = changed(protocol, changes)
    supervision = _supervision(data)
    if len(models) < 2 or not can_be_stacked(models, data, forward):
        return [
            train(model, data, protocol, seed=seed, forward=forward, progress=progress)
            for model, seed in zip(models, seeds, strict=True)
        ]
    generators = [torch.Generator().manual_seed(seed) for seed in seeds]
    with _seeded(models[0], seeds[0]), streams(generators):
        return _fit(Together(models, data, forward), supervision, protocol, progress)


def _supervision(data: Data | HeteroData) -> Supervision:
    supervision = Supervision.needed(data)
    if not _trains(supervision):
        raise InputError(
            "data",
            "no labelled training nodes",
            "give a train_mask that selects some",
        )
    return supervision


def _trains(supervision: Supervision) -> bool:
    return "train" in supervision.masks and bool(supervision.masks["train"].any())


@contextmanager
def _seeded(model: nn.Module, seed: int) -> Iterator[None]:
    devices = list({p.device for p in model.parameters() if p.is_cuda})
    with torch.random.fork_rng(devices=devices):
        torch.manual_seed(seed)
        yield


def _fit(
    members: Alone | Together,
    supervision: Supervision,
    protocol: Protocol,
    progress: Progress | None,
) -> list[Training]:
    optimizer = _optimizer(members, protocol)
    runs = [_Run() for _ in range(len(members))]
    for epoch in range(1, protocol.epochs + 1):
        for group in optimizer.param_groups:
            group["lr"] = protocol.lr * min(1.0, epoch / max(protocol.warmup, 1))
        optimizer.zero_grad(set_to_none=True)
        passes = [members.outputs(training=True) for _ in range(protocol.samples)]
        losses = [
            _loss(outputs, supervision, protocol, epoch)
            for outputs in zip(*passes, strict=True)
        ]
        torch.stack(losses).sum().backward()
        optimizer.step()
        with torch.no_grad():
            outputs = members.outputs(training=False)
        for index, run in enumerate(runs):
            if run.goes_on(epoch, protocol.patience):
                run.losses.append(losses[index].item())
                if run.improves(epoch, outputs[index], supervision, protocol.metric):
                    members.keep(index)
        if progress is not None:
            progress(epoch, protocol.epochs)
        if not any(run.goes_on(epoch + 1, protocol.patience) for run in runs):
            break
    optimizer.zero_grad(set_to_none=True)
    members.finish()
    return _trainings(runs, members, supervision, protocol)


def _loss(
    outputs: Sequence[Output], supervision: Supervision, protocol: Protocol, epoch: int
) -> Tensor:
    """Loss of one member's random passes."""
    losses = [
        supervision.loss(output, label_smoothing=protocol.label_smoothing)
        for output in outputs
    ]
    loss = torch.stack(losses).mean()
    if protocol.consistency == 0 or len(outputs) < 2:
        return loss
    rows = [output_rows(output, supervision.node_type) for output in outputs]
    chances = class_logits(torch.stack(rows)).softmax(-1)  # [samples, N, C]
    sharp = chances.detach().mean(0) ** (1 / protocol.temperature)
    sharp = sharp / sharp.sum(-1, keepdim=True)
    apart = (chances - sharp).square().sum(-1).mean()
    # What untrained passes agree on is noise; their say grows with training.
    share = min(1.0, epoch / _CONSISTENCY_WARMUP)
    return loss + protocol.consistency * share * apart


def _trainings(
    runs: list[_Run],
    members: Alone | Together,
    supervision: Supervision,
    protocol: Protocol,
) -> list[Training]:
    if not runs[0].metrics:  # no epoch was asked for
        with torch.no_grad():
            outputs = members.outputs(training=False)
        for run, output in zip(runs, outputs, strict=True):
            run.metrics = supervision.measure(output, protocol.metric)
    return [Training(run.metrics, run.best_epoch, tuple(run.losses)) for run in runs]


class _Run:
    """What one member has reached so far."""

    def __init__(self) -> None:
        self.losses: list[float] = []
        self.metrics: dict[str, float | None] = {}
        self.best: Score = (float("-inf"), 0.0)
        self.best_epoch = 0

    def goes_on(self, epoch: int, patience: int | None) -> bool:
        return patience is None or epoch - self.best_epoch <= patience

    def improves(
        self, epoch: int, output: Output, supervision: Supervision, metric: Measure
    ) -> bool:
        """Whether this epoch is the best so far; without validation, the last is."""
        metrics = supervision.measure(output, metric)
        held_out = supervision.held_out
        if metrics["val"] is None or held_out is None:
            score = self.best
        else:
            loss = replace(supervision, masks={"train": held_out}).loss(output)
            score = (metrics["val"], -loss.item())
            if not score > self.best:
                return False
        self.best, self.best_epoch, self.metrics = score, epoch, metrics
        return True


def _optimizer(members: Alone | Together, protocol: Protocol) -> torch.optim.Optimizer:
    ends: list[nn.Parameter] = []
    hidden: list[nn.Parameter] = []
    for name, parameter in members.parameters():
        inside = any(part in ("convs", "skips") for part in name.split("."))
        (hidden if inside else ends).append(parameter)
    if not any(parameter.requires_grad for parameter in ends + hidden):
        found = "no parameter to train"
        raise InputError("model", found, "unfreeze some: model.requires_grad_()")
    decay = protocol.hidden_weight_decay
    if decay is None:
        groups = [{"params": [*ends, *hidden], "weight_decay": protocol.weight_decay}]
    else:
        groups = [
            {"params": ends, "weight_decay": protocol.weight_decay},
            {"params": hidden, "weight_decay": decay},
        ]
    kind = torch.optim.AdamW if protocol.decoupled else torch.optim.Adam
    return kind([group for group in groups if group["params"]], lr=protocol.lr)
