"""The one training loop, for one model or for several seeds of it at once."""

from __future__ import annotations

import copy
import difflib
import itertools
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call, stack_module_state, vmap
from torch_geometric.data import Data, HeteroData
from torch_geometric.nn.models import basic_gnn

from benthic.errors import InputError
from benthic.forward import call_model, output_rows
from benthic.nn.drop import EdgeDrop
from benthic.nn.dropout import streams
from benthic.supervision import Measure, Supervision, accuracy

Progress = Callable[[int, int], None]
"""Called after each epoch with the epochs done and the epochs planned."""

_CONSISTENCY_WARMUP = 50  # epochs
# Stacked states of larger graphs outgrow a processor's cache: ten members together take
# up to 1.4 times as long as one after the other (``benchmarks/propagation.py``).
_MOST_STACKED_NODES = 1_000

Output = Any
Score = tuple[float, float]


@dataclass(frozen=True)
class Protocol:
    """How a network is trained; by default as most published tables do.

    Args:
        epochs: Passes over the graph.
        lr: Adam's learning rate.
        weight_decay: L2 factor of every parameter.
        hidden_weight_decay: L2 factor of the message-passing layers instead, where it
            is given; GCNII takes 0.01 there and 5e-4 for its first and last map.
        decoupled: Decays weights beside the gradient (AdamW), not through it. Coupled
            decay (Adam) drives weights that get no gradient to zero, whatever its
            factor (diagnosis D002).
        warmup: Epochs in which the learning rate rises linearly to ``lr``.
        label_smoothing: Share of each label spread over all classes, from
            `"Rethinking the Inception Architecture" <https://arxiv.org/abs/1512.00567>`_.
        samples: Random passes (dropout, dropped nodes) of an epoch; their losses are
            averaged.
        consistency: Weight of a loss that pulls the passes together on all nodes,
            labelled or not, from `"Graph Random Neural Networks for Semi-Supervised
            Learning on Graphs" <https://arxiv.org/abs/2005.11079>`_ (GRAND):
            the squared distance of each pass's class probabilities from their mean,
            sharpened. It takes 2 ``samples`` or more.
        temperature: Of the sharpening: probabilities to the power of one over it.
        patience: Epochs without a better validation score after which to stop.
        metric: What the scores of the splits measure.

    Raises:
        InputError: If there are too few ``samples``.
    """

    epochs: int = 200
    lr: float = 0.01
    weight_decay: float = 5e-4
    hidden_weight_decay: float | None = None
    decoupled: bool = False
    warmup: int = 0
    label_smoothing: float = 0.0
    samples: int = 1
    consistency: float = 0.0
    temperature: float = 0.5
    patience: int | None = None
    metric: Measure = accuracy

    def __post_init__(self) -> None:
        if self.samples < 1:
            raise InputError("samples", str(self.samples), "give 1 or more")
        if self.consistency and self.samples < 2:
            raise InputError(
                "consistency", "one sample an epoch", "give samples=2 or more"
            )


@dataclass(frozen=True)
class Training:
    """What a training run reached, at its best validation epoch.

    Args:
        metrics: Score by split; None for a split without nodes.
        best_epoch: Epoch (from 1) whose weights the model carries.
        losses: Training loss of every epoch, in nats.
    """

    metrics: dict[str, float | None]
    best_epoch: int
    losses: tuple[float, ...]


def train(
    model: nn.Module,
    data: Data | HeteroData,
    protocol: Protocol | None = None,
    *,
    seed: int = 0,
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
        progress: Called after each epoch.
        changes: Fields of :class:`Protocol` to change, such as ``epochs=50``.

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
    protocol = replace(protocol or Protocol(), **changes)
    supervision = _supervision(data)
    with _seeded(model, seed):
        return _fit(_Alone(model, data), supervision, protocol, progress)[0]


def train_together(
    models: Sequence[nn.Module],
    data: Data | HeteroData,
    protocol: Protocol | None = None,
    *,
    seeds: Sequence[int],
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
        progress: Called after each epoch.
        changes: Fields of :class:`Protocol` to change.

    Returns:
        A run for each model, in order.

    Raises:
        InputError: If there is not one seed for each model, or as in :func:`train`.

    Example:
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
    protocol = replace(protocol or Protocol(), **changes)
    supervision = _supervision(data)
    if len(models) < 2 or not _can_be_stacked(models, data):
        return [
            train(model, data, protocol, seed=seed, progress=progress)
            for model, seed in zip(models, seeds, strict=True)
        ]
    generators = [torch.Generator().manual_seed(seed) for seed in seeds]
    with _seeded(models[0], seeds[0]), streams(generators):
        return _fit(_Together(models, data), supervision, protocol, progress)


def _supervision(data: Data | HeteroData) -> Supervision:
    supervision = Supervision.of(data)
    if supervision is None or not _trains(supervision):
        raise InputError(
            "data",
            "no labelled training nodes",
            "give integer labels y and a train_mask that selects some of them",
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


class _Alone:
    """One model: its parameters, its outputs, its best state."""

    def __init__(self, model: nn.Module, data: Data | HeteroData) -> None:
        self.model, self.data = model, data
        self.best: list[dict[str, Tensor] | None] = [None]

    def __len__(self) -> int:
        return 1

    def parameters(self) -> Iterator[tuple[str, nn.Parameter]]:
        return self.model.named_parameters()

    def outputs(self, *, training: bool) -> list[Output]:
        self.model.train(training)
        return [call_model(self.model, self.data)]

    def keep(self, index: int) -> None:
        self.best[index] = copy.deepcopy(self.model.state_dict())

    def finish(self) -> None:
        for best in self.best:
            if best is not None:
                self.model.load_state_dict(best)
        self.model.eval()


class _Call(nn.Module):
    """A model on its graph, as a module without arguments."""

    def __init__(self, model: nn.Module, data: Data | HeteroData) -> None:
        super().__init__()
        self.model, self.data = model, data

    def forward(self) -> Output:
        return call_model(self.model, self.data)


class _Together:
    """Models of one make, stacked."""

    def __init__(self, models: Sequence[nn.Module], data: Data | HeteroData) -> None:
        self.models = models
        self.call = _Call(copy.deepcopy(models[0]), data)
        calls = [_Call(model, data) for model in models]
        parameters, self.buffers = stack_module_state(calls)
        self.stacked = {
            name: nn.Parameter(value.detach(), requires_grad=value.requires_grad)
            for name, value in parameters.items()
        }
        self.best = [self._state(index) for index in range(len(models))]

    def __len__(self) -> int:
        return len(self.models)

    def parameters(self) -> Iterator[tuple[str, nn.Parameter]]:
        return ((name.removeprefix("model."), p) for name, p in self.stacked.items())

    def outputs(self, *, training: bool) -> list[Output]:
        self.call.train(training)

        def one(parameters: Any, buffers: Any) -> Output:
            return functional_call(self.call, (parameters, buffers), ())

        output = vmap(one, randomness="different")(self.stacked, self.buffers)
        return [_member(output, index) for index in range(len(self))]

    def keep(self, index: int) -> None:
        self.best[index] = self._state(index)

    def _state(self, index: int) -> dict[str, Tensor]:
        both = itertools.chain(self.stacked.items(), self.buffers.items())
        return {name: value[index].detach().clone() for name, value in both}

    def finish(self) -> None:
        for model, best in zip(self.models, self.best, strict=True):
            state = {name.removeprefix("model."): best[name] for name in best}
            model.load_state_dict(state, strict=False)
            model.eval()


def _member(output: Output, index: int) -> Output:
    if isinstance(output, Tensor):
        return output[index]
    if isinstance(output, dict):
        return {key: _member(value, index) for key, value in output.items()}
    return type(output)(_member(value, index) for value in output)


def _can_be_stacked(models: Sequence[nn.Module], data: Data | HeteroData) -> bool:
    """Whether one stacked pass goes through; nothing is changed by the attempt."""
    if (data.num_nodes or 0) > _MOST_STACKED_NODES:
        return False
    if any(isinstance(part, EdgeDrop) for part in models[0].modules()):
        return False  # another graph for every copy: there is nothing to share
    try:
        with torch.random.fork_rng(devices=[]), torch.no_grad():
            _Together(models[:2], data).outputs(training=True)
    except RuntimeError:  # an operation without a batching rule
        return False
    return True


def _fit(
    members: _Alone | _Together,
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
    chances = torch.stack(rows).softmax(-1)  # [samples, N, C]
    sharp = chances.detach().mean(0) ** (1 / protocol.temperature)
    sharp = sharp / sharp.sum(-1, keepdim=True)
    apart = (chances - sharp).square().sum(-1).mean()
    # What untrained passes agree on is noise; their say grows with training.
    share = min(1.0, epoch / _CONSISTENCY_WARMUP)
    return loss + protocol.consistency * share * apart


def _trainings(
    runs: list[_Run],
    members: _Alone | _Together,
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


def _optimizer(
    members: _Alone | _Together, protocol: Protocol
) -> torch.optim.Optimizer:
    ends: list[nn.Parameter] = []
    hidden: list[nn.Parameter] = []
    for name, parameter in members.parameters():
        inside = any(part in ("convs", "skips") for part in name.split("."))
        (hidden if inside else ends).append(parameter)
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
