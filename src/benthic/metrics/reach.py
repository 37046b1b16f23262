"""How far does influence travel, hop by hop?"""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch_geometric.data import Data, HeteroData
from torchmetrics import Metric

from benthic.errors import InputError
from benthic.forward import Forward, call_model, output_rows
from benthic.metrics.hops import HopOfNode, Hops
from benthic.metrics.left_as_found import left_as_found, own_randomness

SquaredJacobian = Float[Tensor, "nodes"]
PerHop = Float[Tensor, "hops"]


@dataclass(frozen=True)
class Influence:
    """Influence on a node's output from the features of nodes ``hop`` messages away.

    All influences are squared Frobenius norms of Jacobians, averaged over the target
    nodes that were measured; only :attr:`share` compares between models or layers.

    Args:
        hop: 0, 1, 2, …
        influence: From all nodes at each hop together.
        standard_error: Of each influence, over target nodes; NaN for one target node.
        share_standard_error: Of each share.
        beyond: From nodes farther than the last hop (0 unless ``max_hops`` cut them).
        unreachable: From nodes with no path of edges to the target: 0 for message
            passing, positive for global attention, a virtual node, graph-wide
            normalization, or a model whose messages run against the edges.
        num_nodes: How many target nodes were measured.
        exact: Whether the Jacobians are exact, not estimated with random probes.

    Example:
        >>> reach = Influence((0, 1), (3.0, 1.0), (0.0, 0.0), (0.0, 0.0), 0.0, 0.0, 5)
        >>> reach.share
        (0.75, 0.25)
    """

    hop: tuple[int, ...]
    influence: tuple[float, ...]
    standard_error: tuple[float, ...]
    share_standard_error: tuple[float, ...]
    beyond: float
    unreachable: float
    num_nodes: int
    exact: bool = True

    @property
    def total(self) -> float:
        """All influence, that from beyond and from unreachable nodes included."""
        return sum(self.influence) + self.beyond + self.unreachable

    @property
    def share(self) -> tuple[float, ...]:
        """Part of the total from each hop; NaN if nothing has any influence."""
        total = self.total
        return tuple(part / total if total else float("nan") for part in self.influence)


def influence_by_hop(
    model: nn.Module,
    data: Any,
    *,
    num_nodes: int | None = 16,
    num_probes: int | None = 1,
    max_hops: int | None = None,
    node_type: str | None = None,
    seed: int = 0,
    forward: Forward = call_model,
) -> Influence:
    r"""How much a node's output depends on the features of nodes ``h`` hops away.

    The Jacobian as a measure of reach is from `"Representation Learning on Graphs with
    Jumping Knowledge Networks" <https://arxiv.org/abs/1806.03536>`_; per hop, as in
    `"Towards Quantifying Long-Range Interactions in Graph Machine Learning"
    <https://arxiv.org/abs/2503.09008>`_ (there with the 1-norm). With
    :math:`\mathbf{J}_{vu} = \partial \mathbf{h}_v / \partial \mathbf{x}_u` of the
    model's output and :math:`S` the measured target nodes:

    .. math::
        I_h = \frac{1}{|S|} \sum_{v \in S} \; \sum_{u : \text{hop}(v, u) = h}
        {\| \mathbf{J}_{vu} \|}^2_F, \qquad {\| \mathbf{J}_{vu} \|}^2_F =
        \mathbb{E}_{\mathbf{z} \in {\{\pm 1\}}^C}
        {\| \mathbf{z}^{\top} \mathbf{J}_{vu} \|}^2_2

    so one backward pass with a random sign for each output channel estimates all nodes
    at once, without bias. The model runs once, in evaluation mode, on the *whole*
    graph, so that degrees at the border of a neighborhood are right. ``hop(v, u)`` is
    the number of messages from ``u`` to ``v`` (row 0 to row 1 of ``edge_index``); in a
    ``HeteroData`` along edges of all types.

    Compare shares with a null (such as :math:`\hat{A}^L` on the same graph), not with
    zero: most graphs have few nodes at hop 0 and many at hop 3. Trap: the size of an
    influence depends on the scale of weights and features; a model that ends in a
    (log-)softmax has little influence wherever it is certain, so give logits.

    Args:
        model: Any module whose output has one row per node.
        data: One graph with floating-point ``x``. Node types without are not listened
            to. ``adj_t`` serves where there is no ``edge_index``.
        num_nodes: How many target nodes to draw, without replacement; None for all.
        num_probes: Random probes (backward passes) per target node. None, or as many as
            there are output channels, takes the exact Jacobian instead.
        max_hops: Last hop listed; None for the farthest that reaches a target node.
        node_type: Target nodes of a ``HeteroData``; by default the type with labels.
        seed: Draws the nodes, the probes, and what the model itself draws.
        forward: How to call the model on the data.

    Raises:
        InputError: If there are no floating-point features, if the output does not
            depend on them or has not one row per node, or if a number is out of range.

    Example:
        >>> from torch_geometric.nn import SGConv
        >>> path = torch.tensor([[0, 1, 2], [1, 2, 3]])
        >>> data = Data(x=torch.randn(4, 2), edge_index=path)
        >>> reach = influence_by_hop(SGConv(2, 3, K=1), data, num_nodes=None)
        >>> reach.hop, [share > 0 for share in reach.share]
        ((0, 1, 2, 3), [True, True, False, False])
    """
    for name, value, least in (
        ("num_nodes", num_nodes, 1),
        ("num_probes", num_probes, 1),
        ("max_hops", max_hops, 0),
    ):
        if value is not None and value < least:
            raise InputError(name, str(value), f"give {least} or more, or None")
    node_type = _target_type(data, node_type)
    generator = torch.Generator().manual_seed(seed)
    with left_as_found(model), own_randomness(data, seed):
        features, output = _forward(model, data, node_type, forward)
        targets = torch.randperm(len(output), generator=generator)[:num_nodes].tolist()
        hops = Hops(data, node_type, list(features))
        if max_hops is None:
            max_hops = max([0, *(int(hops.into(node).max()) for node in targets)])
        metric = InfluenceByHop(max_hops).to(output.device)
        exact = num_probes is None or num_probes >= output.size(1)
        for node in targets:
            probes = _probes(output, None if exact else num_probes, generator)
            squared = _squared_jacobian(output[node], features, probes)
            squared = squared if exact else squared / len(probes)
            metric.update(squared, hops.into(node).to(squared.device))
    return metric.summary(population=len(output) if exact else None, exact=exact)


class InfluenceByHop(Metric):
    """Sums squared Jacobians by hop; each update is one target node.

    ``compute`` gives the influence per hop and its standard error over updates, two
    tensors of ``max_hops + 1`` numbers. Average the probes of a node before the update:
    probes of one node are not independent samples of the graph.

    Args:
        max_hops: Last hop kept apart.

    Example:
        >>> metric = InfluenceByHop(max_hops=1)
        >>> metric.update(torch.tensor([4.0, 1.0, 1.0]), torch.tensor([0, 1, 1]))
        >>> metric.update(torch.tensor([2.0, 2.0, 2.0]), torch.tensor([1, 0, 1]))
        >>> metric.compute()[0]
        tensor([3., 3.], dtype=torch.float64)
    """

    full_state_update = False
    is_differentiable = False

    influence: Tensor
    square: Tensor
    with_total: Tensor
    total_square: Tensor
    count: Tensor

    def __init__(self, max_hops: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.max_hops = max_hops
        for name in ("influence", "square", "with_total"):  # …, beyond, unreachable
            zeros = torch.zeros(max_hops + 3, dtype=torch.float64)
            self.add_state(name, zeros, "sum")
        for name in ("total_square", "count"):
            self.add_state(name, torch.zeros((), dtype=torch.float64), "sum")

    def update(self, squared_jacobian: SquaredJacobian, hop: HopOfNode) -> None:
        """Adds one target node.

        Args:
            squared_jacobian: Squared norm of the Jacobian for each source node.
            hop: Hops of each source node from the target; negative if unreachable.
        """
        bins = hop.clamp(max=self.max_hops + 1)
        bins = torch.where(hop < 0, self.max_hops + 2, bins)
        part = torch.zeros_like(self.influence)  # [H + 3]
        part.index_add_(0, bins, squared_jacobian.detach().to(part.dtype))
        total = part.sum()
        self.influence += part
        self.square += part.square()
        self.with_total += part * total
        self.total_square += total.square()
        self.count += 1

    def compute(self) -> tuple[PerHop, PerHop]:
        """Influence per hop, and its standard error."""
        mean, error, _ = self._moments()
        return mean[:-2], error[:-2]

    def summary(
        self, *, population: int | None = None, exact: bool = False
    ) -> Influence:
        """All that is known, as an :class:`Influence`.

        Args:
            population: How many nodes the targets were drawn from, if each is exact:
                the standard errors shrink to 0 as the draw becomes the whole.
            exact: Whether the Jacobians are exact.
        """
        mean, error, share_error = self._moments()
        count = int(self.count)
        if population == count:
            error, share_error = torch.zeros_like(mean), torch.zeros_like(mean)
        elif population is not None:
            left = (1 - count / population) ** 0.5  # drawn without replacement
            error, share_error = error * left, share_error * left
        *influence, beyond, unreachable = mean.tolist()
        return Influence(
            hop=tuple(range(self.max_hops + 1)),
            influence=tuple(influence),
            standard_error=tuple(error[:-2].tolist()),
            share_standard_error=tuple(share_error[:-2].tolist()),
            beyond=beyond,
            unreachable=unreachable,
            num_nodes=count,
            exact=exact,
        )

    def _moments(self) -> tuple[Tensor, Tensor, Tensor]:
        """Means, their standard errors, and those of the shares (delta method)."""
        n = self.count
        mean = self.influence / n  # [H + 3]
        total = mean.sum()
        share = mean / total
        # Σ (part − share·total)², whose mean is 0: the linearized error of a ratio.
        residual = self.square - 2 * share * self.with_total
        residual = residual + share.square() * self.total_square
        spread = self.square - n * mean.square()
        error = (spread.clamp(min=0) / (n * (n - 1))).sqrt()
        share_error = (residual.clamp(min=0) / (n * (n - 1))).sqrt() / total
        return mean, error, share_error


def _target_type(data: Any, node_type: str | None) -> str | None:
    if isinstance(data, Data):
        return None
    if not isinstance(data, HeteroData):
        raise InputError(
            "data",
            f"an object of type {type(data).__name__}",
            "give a PyG Data or HeteroData (one batch of a loader)",
        )
    if node_type in data.node_types:
        return node_type
    labeled: list[str] = [name for name in data.node_types if "y" in data[name]]
    if node_type is None and len(labeled) == 1:
        return labeled[0]
    raise InputError(
        "node_type",
        f"{node_type!r}, with labels on {labeled or 'no type'}",
        f"give one of {', '.join(data.node_types)}",
    )


def _forward(
    model: nn.Module, data: Data | HeteroData, node_type: str | None, forward: Forward
) -> tuple[dict[str | None, Tensor], Tensor]:
    """Float features that require a gradient, and the output rows [N, C_out]."""
    hetero = isinstance(data, HeteroData)
    copied = copy.copy(data)
    features: dict[str | None, Tensor] = {}
    for name in data.node_types if hetero else [None]:
        x = data[name].get("x") if hetero else data.x
        if isinstance(x, Tensor) and x.is_floating_point():
            x = x.detach().to_dense() if x.layout != torch.strided else x.detach()
            features[name] = x.clone().requires_grad_()
            # Not the leaf itself: a model may write into its input.
            (copied[name] if hetero else copied).x = features[name].clone()
    if not features:
        found = "no x" if hetero or data.x is None else f"x of {_kind(data.x)}"
        raise InputError(
            "data",
            found,
            "influence is a derivative: give a floating-point x (embed integer or "
            "tabular features first)",
        )
    output = output_rows(forward(model, copied), node_type)
    store = data[node_type] if hetero else data
    if output.dim() == 0 or len(output) != store.num_nodes:
        raise InputError(
            "model",
            f"an output of shape {tuple(output.shape)} for {store.num_nodes:,} nodes",
            "give a model with one output row per node",
        )
    if not output.requires_grad:
        raise _no_path()
    return features, output.flatten(1)


def _kind(x: Any) -> str:
    return str(x.dtype) if isinstance(x, Tensor) else type(x).__name__


def _no_path() -> InputError:
    return InputError(
        "model",
        "an output with no differentiable path to data.x",
        "let forward read x from the data it is given, without argmax or detach",
    )


def _probes(
    output: Tensor, num_probes: int | None, generator: torch.Generator
) -> Tensor:
    """Cotangents [P, C_out]: random signs, or None for the channels one by one."""
    channels = output.size(1)
    if num_probes is None:
        return torch.eye(channels, dtype=output.dtype, device=output.device)
    sign = torch.randint(0, 2, (num_probes, channels), generator=generator) * 2 - 1
    return sign.to(output)


def _squared_jacobian(
    row: Tensor, features: dict[str | None, Tensor], probes: Tensor
) -> Tensor:
    """Squared Jacobian norm of one output row for all nodes of all types [ΣN]."""
    inputs = list(features.values())
    squared = [x.new_zeros(len(x), dtype=torch.float64) for x in inputs]
    for probe in probes:
        gradients = torch.autograd.grad(
            row, inputs, probe, retain_graph=True, allow_unused=True
        )
        if all(gradient is None for gradient in gradients):
            raise _no_path()
        for total, gradient in zip(squared, gradients, strict=True):
            if gradient is not None:
                # float64, as squares of a deep model's float32 gradients underflow.
                rows = gradient.flatten(1)
                norm = torch.linalg.vector_norm(rows, dim=1, dtype=total.dtype)
                total += norm.square()
    return torch.cat(squared)
