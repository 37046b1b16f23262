"""How a network is trained, and what the training reached."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Any

from benthic.errors import InputError, nearest
from benthic.ranges import ABOVE_ZERO, number, whole_number
from benthic.supervision import Measure, accuracy


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
        InputError: If a value is out of its range, or there are too few ``samples``.
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
        for name, low in {"epochs": 0, "warmup": 0, "samples": 1}.items():
            whole_number(name, getattr(self, name), low)
        for name in ("lr", "weight_decay", "consistency"):
            number(name, getattr(self, name), 0)
        if self.hidden_weight_decay is not None:
            number("hidden_weight_decay", self.hidden_weight_decay, 0)
        number("label_smoothing", self.label_smoothing, 0, 1)
        number("temperature", self.temperature, ABOVE_ZERO)
        if self.patience is not None:
            whole_number("patience", self.patience, 1)
        if not callable(self.metric):
            remedy = "give a function of logits and classes"
            raise InputError("metric", repr(self.metric), remedy)
        if self.consistency and self.samples < 2:
            raise InputError(
                "consistency", "one sample an epoch", "give samples=2 or more"
            )


def changed(protocol: Protocol | None, changes: Mapping[str, Any]) -> Protocol:
    """A protocol, the standard one by default, with some of its fields changed.

    Args:
        protocol: How to train; the standard protocol if None.
        changes: New values by field.

    Raises:
        InputError: If there is no such field, or a value is out of its range.

    Example:
        >>> changed(None, {"epochs": 50}).epochs
        50
        >>> changed(None, {"epoch": 50})
        Traceback (most recent call last):
        ...
        benthic.errors.InputError: epoch: found no such field of the protocol; \
did you mean epochs
    """
    if not isinstance(protocol, Protocol | None):
        found = f"an object of type {type(protocol).__name__}"
        raise InputError("protocol", found, "give a benthic.training.Protocol")
    known = [field.name for field in fields(Protocol)]
    for name in changes:
        if name not in known:
            found = "no such field of the protocol"
            raise InputError(name, found, nearest(name, known))
    return replace(protocol or Protocol(), **changes)


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
