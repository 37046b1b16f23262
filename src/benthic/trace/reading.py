"""What one layer's states say: gauges, and reasons where there is none."""

from __future__ import annotations

import math
from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor
from torch.utils.hooks import RemovableHandle
from torchmetrics import Metric

from benthic.errors import InputError
from benthic.metrics.activity import DeadFraction, MeanNorm
from benthic.metrics.correlation import FeatureCorrelation
from benthic.metrics.cosine import CenteredCosineSimilarity, MeanCosineSimilarity
from benthic.metrics.dirichlet import RayleighQuotient
from benthic.metrics.rank import EffectiveRank
from benthic.metrics.rows import column_mean
from benthic.supervision import Supervision
from benthic.trace.layers import Normalization
from benthic.trace.probe import Probe


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

    def with_more(self, other: Edges) -> Edges:
        """The edges of both; unweighted ones weigh 1 beside weighted ones.

        Args:
            other: Edges between the same nodes.
        """
        weights = None
        if self.edge_weight is not None or other.edge_weight is not None:
            weights = torch.cat([self._weights(), other._weights()])
        edge_index = torch.cat([self.edge_index, other.edge_index], dim=1)
        return Edges(edge_index, weights, self.normalization)

    def _weights(self) -> Tensor:
        if self.edge_weight is not None:
            return self.edge_weight
        return torch.ones(self.edge_index.size(1), device=self.edge_index.device)


class Gauges:
    """Streams the states of one layer and node type into their metrics.

    Args:
        name: What the reading will be called.
        node_type: Node type of a heterogeneous graph.
        names: Which gauges to take.
    """

    def __init__(
        self, name: str, node_type: str | None, names: frozenset[str] | None = None
    ) -> None:
        self.name = name
        self.node_type = node_type
        self.num_nodes = 0
        self.channels = 0
        self._names = wanted(names)
        self._batches = 0
        self._metrics: dict[str, Metric] = {
            name: metric(sync_on_compute=False)
            for name, metric in _OF_ROWS.items()
            if name in self._names or name == "norm"
        }
        self._undefined = {
            name: "this gauge was not asked for" for name in NAMES - self._names
        }
        self._probe: Probe | None = None
        self._gradient_squares = (0.0, 0)
        self._values: dict[str, float] | None = None

    def update(
        self, x: Tensor, edges: Edges | None, supervision: Supervision | None
    ) -> RemovableHandle | None:
        """Takes the states of one batch; returns the handle of their gradient's hook.

        Args:
            x: States, ``[..., C]``; leading dimensions are flattened to rows.
            edges: The layer's graph, where its edges are known.
            supervision: Labels of the rows, where they are known.
        """
        handle = x.register_hook(self._add_gradient) if x.requires_grad else None
        x = x.detach()
        x = x.reshape(-1, x.size(-1)) if x.numel() else x.new_zeros(0, x.size(-1))
        self._batches += 1
        self._values = None
        self.num_nodes += x.size(0)
        if self._batches > 1 and self.channels != x.size(1):
            raise InputError(
                "model",
                f"{x.size(1)} channels in {self.name}, {self.channels} before",
                "trace batches of one width together",
            )
        self.channels = x.size(1)
        self._update_rows(x)
        if "centered_cosine" in self._names:
            self._update_centered(x)
        if "rayleigh_quotient" in self._names:
            self._update_rayleigh(x, edges)
        if "probe_accuracy" in self._names:
            self._update_probe(x, supervision)
        return handle

    def _add_gradient(self, gradient: Tensor) -> None:
        total, count = self._gradient_squares
        square = float(gradient.detach().double().square().sum())
        self._gradient_squares = total + square, count + 1

    def _update_rows(self, x: Tensor) -> None:
        if x.size(1) > _WIDEST:
            for name in _OF_PRODUCTS & self._names:
                self._metrics.pop(name, None)
                self._undefined[name] = (
                    f"it takes a matrix of {x.size(1):,} x {x.size(1):,} channels"
                )
        for name in _OF_ROWS:
            if name in self._metrics and not self._is_shared(name):
                self._metrics[name].to(x.device).update(x)

    def _is_shared(self, name: str) -> bool:
        """Whether another gauge sums the same: the rank's C x C products."""
        return name == "effective_rank" and "feature_correlation" in self._metrics

    def _update_centered(self, x: Tensor) -> None:
        if self._batches == 1 and x.size(0):
            metric = CenteredCosineSimilarity(column_mean(x), sync_on_compute=False)
            self._metrics["centered_cosine"] = metric.to(x.device)
            self._metrics["centered_cosine"].update(x)
        elif self._batches == 1:
            self._undefined["centered_cosine"] = "there are no rows"
        elif x.size(0):
            self._metrics.pop("centered_cosine", None)
            self._undefined["centered_cosine"] = (
                "several batches were read, and the mean of all rows was not known "
                "before the last"
            )

    def _update_rayleigh(self, x: Tensor, edges: Edges | None) -> None:
        if edges is None:
            self._undefined.setdefault(
                "rayleigh_quotient",
                "no edges between these rows are known to the layer",
            )
            return
        if "rayleigh_quotient" not in self._metrics:
            metric = RayleighQuotient(
                normalization=edges.normalization, sync_on_compute=False
            )
            self._metrics["rayleigh_quotient"] = metric.to(x.device)
        weight = edges.edge_weight
        try:
            self._metrics["rayleigh_quotient"].update(
                x, edges.edge_index, None if weight is None else weight.detach()
            )
        except InputError as error:
            del self._metrics["rayleigh_quotient"]
            self._undefined["rayleigh_quotient"] = str(error)

    def _update_probe(self, x: Tensor, supervision: Supervision | None) -> None:
        reason = _why_no_probe(x, self.node_type, supervision)
        if reason is not None or supervision is None:
            self._undefined.setdefault("probe_accuracy", str(reason))
            return
        if self._probe is None:
            self._probe = Probe(supervision.num_classes)
        self._probe.update(
            x, supervision.y, supervision.masks["train"], supervision.masks["val"]
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
        undefined = {**why}
        if self._values is None:
            self._values = self._computed()
        values: dict[str, float | None] = {}
        for name in sorted(NAMES):
            value = self._values.get(name) if name in self._names else None
            values[name] = value if value is not None and math.isfinite(value) else None
            if value is None:
                undefined[name] = self._undefined[name]
            elif values[name] is None:
                undefined[name] = self._why_undefined(name)
        state_gradient_norm, reason = self._state_gradient_norm()
        if reason:
            undefined["state_gradient_norm"] = reason
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

    def _computed(self) -> dict[str, float]:
        if "effective_rank" in self._metrics and self._is_shared("effective_rank"):
            gram: Any = self._metrics["feature_correlation"].gram
            rank = EffectiveRank(sync_on_compute=False).to(gram.device)
            rank.update(gram.new_zeros(0, self.channels))
            rank.merge_state({"gram": gram})
            self._metrics["effective_rank"] = rank
        values = {name: float(m.compute()) for name, m in self._metrics.items()}
        if self._probe is not None:
            values["probe_accuracy"] = self._probe.compute()
        return values

    def _state_gradient_norm(self) -> tuple[float | None, str]:
        total, count = self._gradient_squares
        if not count:
            return None, "no backward pass reached the states"
        norm = math.sqrt(total / count)
        if not math.isfinite(norm):
            return None, "the gradient holds NaN or infinite values"
        return norm, ""

    def _why_undefined(self, name: str) -> str:
        if self.num_nodes == 0:
            return "there are no rows"
        norm = float(self._metrics["norm"].compute())
        if not math.isfinite(norm):
            return "the states hold NaN or infinite values"
        if name == "probe_accuracy":
            return "a split has no labelled rows"
        if norm == 0.0:
            return "every row is zero: the layer is dead"
        return _WHY.get(name, "too few rows")


# The widest states whose C x C products are taken: 34 MB, and more than that would cost
# seconds per layer.
_WIDEST = 2048
_OF_PRODUCTS = frozenset({"effective_rank", "feature_correlation"})
_OF_ROWS: dict[str, type[Metric]] = {
    "dead_fraction": DeadFraction,
    "norm": MeanNorm,
    "mean_cosine": MeanCosineSimilarity,
    "effective_rank": EffectiveRank,
    "feature_correlation": FeatureCorrelation,
}
NAMES = frozenset({*_OF_ROWS, "centered_cosine", "rayleigh_quotient", "probe_accuracy"})
_WHY = {
    "mean_cosine": "fewer than two rows are not zero",
    "centered_cosine": "fewer than two rows differ from their mean",
    "rayleigh_quotient": "no row that is not zero has an edge, or weights are negative",
    "feature_correlation": "fewer than two columns vary",
}


def wanted(names: Collection[str] | None) -> frozenset[str]:
    """The gauges to take, checked.

    Args:
        names: Fields of a :class:`LayerReading` that describe states; None for all.

    Raises:
        InputError: If there is no such gauge.

    Example:
        >>> sorted(wanted(["norm", "mean_cosine"]))
        ['mean_cosine', 'norm']
    """
    unknown = sorted(set(names or ()) - NAMES)
    if unknown:
        raise InputError(
            "gauges", repr(unknown[0]), f"choose from {', '.join(sorted(NAMES))}"
        )
    return NAMES if names is None else frozenset(names)


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
