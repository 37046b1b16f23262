"""How a network is trained, and what the training reached."""

from __future__ import annotations

from dataclasses import dataclass

from benthic.errors import InputError
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
