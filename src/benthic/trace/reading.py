"""What one layer's states say: gauges, and reasons where there is none."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import torch
from torch import Tensor
from torchmetrics import Metric

from benthic.metrics.activity import DeadFraction, MeanNorm
from benthic.metrics.correlation import FeatureCorrelation
from benthic.metrics.cosine import CenteredCosineSimilarity, MeanCosineSimilarity
from benthic.metrics.dirichlet import RayleighQuotient
from benthic.metrics.rank import EffectiveRank
from benthic.metrics.separation import LinearProbeAccuracy
from benthic.supervision import Supervision
from benthic.trace.layers import Normalization


@dataclass(frozen=True)
class LayerReading:
    """The gauges of one layer, for one node type.

    A gauge is None where it has no value, and ``undefined`` then says why.

    Args:
        name: Path of the layer; ``[k]`` marks the k-th propagation inside it and
            ``#n`` the n-th time it was called.
        node_type: Node type of a heterogeneous graph.
        num_nodes: Rows read, over all batches.
        channels: Width of the states.
        dead_fraction: Share of all-zero rows.
        norm: Mean 2-norm of a row.
        mean_cosine: Mean pairwise cosine of the non-zero rows.
        centered_cosine: The same after subtracting the mean row.
        rayleigh_quotient: Scale-free energy across edges, by the layer's operator.
        effective_rank: Number of directions in use.
        feature_correlation: Mean absolute correlation of two columns.
        probe_accuracy: Held-out accuracy of a linear probe on the states.
        weight_norm: 2-norm of the layer's weight matrices.
        gradient_norm: 2-norm of the loss gradient by the layer's parameters.
        state_gradient_norm: 2-norm of the loss gradient by the states.
        undefined: Why a gauge is None, by its name.
    """

    name: str
    node_type: str | None
    num_nodes: int
    channels: int
    dead_fraction: float | None
    norm: float | None
    mean_cosine: float | None
    centered_cosine: float | None
    rayleigh_quotient: float | None
    effective_rank: float | None
    feature_correlation: float | None
    probe_accuracy: float | None
    weight_norm: float | None
    gradient_norm: float | None
    state_gradient_norm: float | None
    undefined: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class RelationReading:
    """How alike the messages of two relations into one node type are.

    Args:
        name: Path of the layer.
        node_type: The node type that receives both.
        relations: The two relations.
        cosine: Mean over nodes of the cosine between their two messages; None
            where no node receives both.
    """

    name: str
    node_type: str
    relations: tuple[str, str]
    cosine: float | None


@dataclass(frozen=True)
class Edges:
    """The graph that a layer was called with, and the operator it applies."""

    edge_index: Tensor
    edge_weight: Tensor | None
    normalization: Normalization


class Gauges:
    """Streams the states of one layer and node type into their metrics."""

    def __init__(self, name: str, node_type: str | None) -> None:
        self.name = name
        self.node_type = node_type
        self.num_nodes = 0
        self.channels = 0
        self._batches = 0
        self._metrics: dict[str, Metric] = {
            "dead_fraction": DeadFraction(),
            "norm": MeanNorm(),
            "mean_cosine": MeanCosineSimilarity(),
            "effective_rank": EffectiveRank(),
            "feature_correlation": FeatureCorrelation(),
        }
        self._undefined: dict[str, str] = {}
        self._state_gradients: list[float] = []

    def update(
        self, x: Tensor, edges: Edges | None, supervision: Supervision | None
    ) -> None:
        """Takes the states of one batch.

        Args:
            x: States, ``[..., C]``; leading dimensions are flattened to rows.
            edges: The layer's graph, where its edges are known.
            supervision: Labels of the rows, where they are known.
        """
        if x.requires_grad:
            x.register_hook(
                lambda grad: self._state_gradients.append(float(grad.double().norm()))
            )
        x = x.detach().reshape(-1, x.size(-1))  # [N, C]
        self._batches += 1
        self.num_nodes += x.size(0)
        self.channels = x.size(1)
        for name in _OF_ROWS:
            self._metrics[name].to(x.device).update(x)
        self._update_centered(x)
        self._update_rayleigh(x, edges)
        self._update_probe(x, supervision)

    def _update_centered(self, x: Tensor) -> None:
        if self._batches == 1 and x.size(0):
            center = x.mean(0, dtype=torch.float64)
            self._metrics["centered_cosine"] = metric = CenteredCosineSimilarity(center)
            metric.to(x.device).update(x)
        elif self._metrics.pop("centered_cosine", None) is not None:
            self._undefined["centered_cosine"] = (
                "several batches were read, and the mean of all rows was not known "
                "before the last"
            )

    def _update_rayleigh(self, x: Tensor, edges: Edges | None) -> None:
        if edges is None:
            self._undefined["rayleigh_quotient"] = (
                "no edges between these nodes are known to the layer"
            )
            return
        if edges.edge_index.numel() and int(edges.edge_index.max()) >= x.size(0):
            self._undefined["rayleigh_quotient"] = "the edges reach beyond these rows"
            return
        if "rayleigh_quotient" not in self._metrics:
            metric = RayleighQuotient(normalization=edges.normalization)
            self._metrics["rayleigh_quotient"] = metric.to(x.device)
        self._metrics["rayleigh_quotient"].update(
            x, edges.edge_index, edges.edge_weight
        )

    def _update_probe(self, x: Tensor, supervision: Supervision | None) -> None:
        reason = _why_no_probe(x, self.node_type, supervision)
        if reason is not None or supervision is None:
            self._undefined["probe_accuracy"] = str(reason)
            return
        if "probe_accuracy" not in self._metrics:
            metric = LinearProbeAccuracy(num_classes=supervision.num_classes)
            self._metrics["probe_accuracy"] = metric.to(x.device)
        self._metrics["probe_accuracy"].update(
            x, supervision.y, supervision.masks["train"], supervision.held_out
        )

    def reading(
        self,
        weight_norm: float | None,
        gradient_norm: float | None,
        why: dict[str, str],
    ) -> LayerReading:
        """The gauges so far.

        Args:
            weight_norm: The layer's weight norm, which the states do not know.
            gradient_norm: The layer's gradient norm.
            why: Reasons for these two, where they are None.
        """
        undefined = {**self._undefined, **why}
        values: dict[str, float | None] = {}
        for name in _GAUGES:
            values[name] = None
            if name in self._metrics:
                value = float(self._metrics[name].compute())
                if math.isfinite(value):
                    values[name] = value
                else:
                    undefined[name] = self._why_undefined()
        state_gradient_norm = None
        if self._state_gradients:
            state_gradient_norm = math.hypot(*self._state_gradients) / math.sqrt(
                len(self._state_gradients)
            )
        else:
            undefined["state_gradient_norm"] = "no backward pass reached the states"
        return LayerReading(
            self.name,
            self.node_type,
            self.num_nodes,
            self.channels,
            **values,
            weight_norm=weight_norm,
            gradient_norm=gradient_norm,
            state_gradient_norm=state_gradient_norm,
            undefined=undefined,
        )

    def _why_undefined(self) -> str:
        if self.num_nodes == 0:
            return "there are no rows"
        norm = float(self._metrics["norm"].compute())
        if not math.isfinite(norm):
            return "the states hold NaN or infinite values"
        if norm == 0.0:
            return "every row is zero: the layer is dead"
        return "too few distinct rows or columns"


_OF_ROWS = (
    "dead_fraction",
    "norm",
    "mean_cosine",
    "effective_rank",
    "feature_correlation",
)
_GAUGES = (*_OF_ROWS, "centered_cosine", "rayleigh_quotient", "probe_accuracy")


def _why_no_probe(
    x: Tensor, node_type: str | None, supervision: Supervision | None
) -> str | None:
    if supervision is None:
        return "the data has no class labels"
    if supervision.node_type != node_type:
        return f"the labels are on nodes of type {supervision.node_type!r}"
    if supervision.y.size(0) != x.size(0):
        return f"there are {supervision.y.size(0)} labels for {x.size(0)} rows"
    if "train" not in supervision.masks or supervision.held_out is None:
        return "a probe needs a train_mask and a val_mask"
    return None
