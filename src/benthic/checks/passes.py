"""One pass over the data: every gauge, one backward pass a batch, accuracy."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from benthic.forward import Forward, iterate_batches, output_rows
from benthic.supervision import SPLITS, Supervision
from benthic.trace import LayerReading, RelationReading, Trace

Loss = Callable[[Any, Any], Tensor]
"""A scalar loss from a model's output and the batch that produced it."""


@dataclass(frozen=True)
class Reading:
    """What one pass over the data showed.

    Args:
        layers: Gauges by layer and node type, in the order of the forward pass.
        relations: How alike the messages of two relations are.
        num_hops: How far the model reaches in edges; None if everywhere.
        metrics: Accuracy by split; None where undefined.
    """

    layers: tuple[LayerReading, ...]
    relations: tuple[RelationReading, ...]
    num_hops: int | None
    metrics: dict[str, float | None]

    @property
    def gradient_ratio(self) -> float | None:
        """Loss gradient by the first layer's states over that by the last layer's."""
        return _first_over_last([layer.state_gradient_norm for layer in self.layers])

    @property
    def weight_gradient_ratio(self) -> float | None:
        """Loss gradient by the first layer's weights over that by the last layer's."""
        return _first_over_last([layer.gradient_norm for layer in self.layers])


def _first_over_last(norms: Sequence[float | None]) -> float | None:
    known = [norm for norm in norms if norm is not None]
    if len(known) < 2:
        return None
    if known[-1] == 0.0:
        return 0.0 if known[0] == 0.0 else float("inf")
    return known[0] / known[-1]


@dataclass(frozen=True)
class Pass:
    """How to run a model over the data.

    Args:
        data: A graph, a batch, or a loader.
        forward: How to call the model on a batch.
        loss: Loss of an output and its batch; cross-entropy if None.
        layers: Names of the layers to read instead of those found.
        seed: Seeds what is random in the pass.
    """

    data: Any
    forward: Forward
    loss: Loss | None
    layers: Sequence[str] | None
    seed: int

    def read(
        self,
        model: nn.Module,
        *,
        change: Callable[[Any], Any] = lambda batch: batch,
        with_probe: bool = True,
    ) -> Reading:
        """Runs ``model`` forward and backward once, in the mode it is in.

        Args:
            model: The model or a copy; its ``.grad`` is not touched.
            change: What to do to each batch before the model sees it.
            with_probe: Whether to fit a linear probe to each layer.
        """
        right = dict.fromkeys(SPLITS, 0)
        total = dict.fromkeys(SPLITS, 0)
        with (
            torch.random.fork_rng(devices=[]),
            torch.enable_grad(),
            Trace(model, layers=self.layers) as trace,
        ):
            torch.manual_seed(self.seed)
            for batch in iterate_batches(self.data):
                supervision = Supervision.of(batch)
                trace.supervision = supervision if with_probe else None
                output = self.forward(model, change(batch))
                self._backward(model, output, batch, supervision)
                if supervision is not None and _is_per_node(output, supervision):
                    for split, (hits, count) in supervision.correct(output).items():
                        right[split] += hits
                        total[split] += count
        metrics = {s: right[s] / total[s] if total[s] else None for s in SPLITS}
        return Reading(
            tuple(trace.layers), tuple(trace.relations), trace.num_hops, metrics
        )

    def _backward(
        self, model: nn.Module, output: Any, batch: Any, labels: Supervision | None
    ) -> None:
        parameters = [p for p in model.parameters() if p.requires_grad]
        loss = self._loss_of(output, batch, labels)
        if parameters and loss.requires_grad:
            torch.autograd.grad(loss, parameters, allow_unused=True)

    def _loss_of(self, output: Any, batch: Any, labels: Supervision | None) -> Tensor:
        if self.loss is not None:
            return self.loss(output, batch)
        if labels is not None and _is_per_node(output, labels):
            return labels.loss(output)
        # Without labels, a random direction of the output stands for the loss.
        rows = next(iter(output.values())) if isinstance(output, dict) else output
        rows = output_rows(rows)
        signs = torch.randint_like(rows, 2).mul(2).sub(1)
        loss: Tensor = (rows * signs).sum() / max(rows.numel(), 1) ** 0.5
        return loss


def _is_per_node(output: Any, labels: Supervision) -> bool:
    if isinstance(output, dict) and labels.node_type not in output:
        return False
    rows = output_rows(output, labels.node_type)
    return rows.dim() == 2 and rows.size(0) == labels.y.size(0)
