r"""Normalization of node states: what PyG has by its own name, and what PyG lacks.

All map ``[N, C]`` to ``[N, C]`` and are made for a width by :func:`make_norm`.

=========================== ==========================================================
``BatchNorm``               per channel, over all nodes of the batch
``InstanceNorm``            per channel, over the nodes of each graph
``LayerNorm``               over a whole graph; ``mode="node"`` over each row, which is
                            what most papers on depth mean by LayerNorm
``GraphNorm``               as ``InstanceNorm``, with a learned share of the mean
``GraphSizeNorm``           by the square root of the number of nodes
``MeanSubtractionNorm``     "MeanNorm": rows less their mean
``PairNorm``                rows less their mean, at a constant mean squared norm;
                            ``scale_individually=True`` is PairNorm-SI
``DiffGroupNorm``           "DGN", "GroupNorm": batch norm in learned soft groups
=========================== ==========================================================

PyG's ``MessageNorm`` is none of them (it normalizes messages next to a state), and
``HeteroBatchNorm`` and ``HeteroLayerNorm`` ask for a type of each node.
"""

from __future__ import annotations

import copy
import inspect
import math
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float
from scipy.sparse import coo_matrix
from scipy.sparse.linalg import eigsh
from torch import Tensor, nn
from torch_geometric.nn import (
    BatchNorm,
    DiffGroupNorm,
    GraphNorm,
    GraphSizeNorm,
    InstanceNorm,
    LayerNorm,
    MeanSubtractionNorm,
    PairNorm,
)
from torch_geometric.nn.conv.gcn_conv import gcn_norm
from torch_geometric.utils import scatter

from benthic.errors import InputError
from benthic.typing import EdgeIndex, NodeFeatures

__all__ = [
    "BatchNorm",
    "ContraNorm",
    "DiffGroupNorm",
    "GraphNorm",
    "GraphNormv2",
    "GraphSizeNorm",
    "InstanceNorm",
    "LayerNorm",
    "MeanSubtractionNorm",
    "NodeNorm",
    "PairNorm",
    "dominant_basis",
    "make_norm",
]

_GROUPS = 10  # of DiffGroupNorm: the default of its authors' code


class NodeNorm(nn.Module):
    r"""Divides each node's features by their own standard deviation.

    From the `"Understanding and Resolving Performance Degradation in Deep Graph
    Convolutional Networks" <https://arxiv.org/abs/2006.07107>`_ paper:

    .. math::
        \mathbf{x}_i^{\prime} = \frac{\mathbf{x}_i}{\sigma_i^{1/p}}, \qquad
        \sigma_i = \sqrt{\frac{1}{C} \sum_c {\left( x_{ic} - \mu_i \right)}^2
        + \epsilon}

    It answers features whose spread within a node grows from layer to layer. The mean
    :math:`\mu_i` stays; a version in wide use subtracts it too, which is LayerNorm
    over rows. The trap is the row of equal numbers, which :math:`\epsilon` alone
    divides: up to 316 times larger at :math:`p = 1`. A dead row stays dead.

    Args:
        p: Root :math:`p`, 1 or more; the larger, the milder.
        eps: Keeps the division finite.

    Raises:
        InputError: If ``p`` is below 1.

    Example:
        >>> NodeNorm()(torch.tensor([[0.0, 4.0], [0.0, 40.0]]))
        tensor([[0.0000, 2.0000],
                [0.0000, 2.0000]])
    """

    def __init__(self, p: float = 1.0, eps: float = 1e-5) -> None:
        super().__init__()
        if not p >= 1:
            raise InputError("p", str(p), "give a root of 1 or more")
        self.p = p
        self.eps = eps

    def forward(self, x: NodeFeatures, batch: Tensor | None = None) -> NodeFeatures:
        """Each row by itself, so that ``batch`` does not matter."""
        centered = x - x.mean(dim=1, keepdim=True)
        variance = centered.square().mean(dim=1, keepdim=True) + self.eps  # [N, 1]
        return x / variance ** (0.5 / self.p)

    def extra_repr(self) -> str:
        return "" if self.p == 1 else f"p={self.p}"


class ContraNorm(nn.Module):
    r"""Pushes each node away from the nodes that are like it.

    From the `"ContraNorm: A Contrastive Learning Perspective on Oversmoothing and
    Beyond" <https://arxiv.org/abs/2303.06562>`_ paper:

    .. math::
        \mathbf{X}^{\prime} = \operatorname{LayerNorm} \left( \mathbf{X}
        - s \operatorname{softmax} \left( \mathbf{U} \mathbf{U}^{\top} / \tau \right)
        \mathbf{X} \right), \qquad
        \mathbf{u}_i = \frac{\mathbf{x}_i}{{\| \mathbf{x}_i \|}_2}

    with the paper's step and, as in its code, similarities of rows of length 1 (raw
    products of wide rows make the softmax pick the node itself, and then nothing
    happens). Its code for graphs besides leaves out the neighbors of a node; a norm
    has no graph to look at, so here all nodes of the graph count.

    Every pair of nodes is compared: time grows with the square of the nodes (a
    20,000-node graph costs seconds a layer without a GPU), memory does not, in either
    direction, because torch's fused attention never holds the pairs. At
    ``tau=1`` and thousands of nodes the softmax is almost flat, so that the norm takes
    off about :math:`s` times the mean; a small ``tau`` looks at the nearest only.

    Args:
        channels: Width of the states.
        scale: Step :math:`s`, 0 or more. The authors search 0.2 … 1 and find that
            deep networks want more. At 0 only the LayerNorm is left.
        tau: Temperature :math:`\tau`, above 0.
        layer_norm: Whether to end with LayerNorm over rows, as the paper does. Without
            it a scale of 0 changes nothing at all.

    Raises:
        InputError: If ``scale`` is negative or ``tau`` not above 0.

    Example:
        >>> norm = ContraNorm(2, scale=0.5, layer_norm=False)
        >>> norm(torch.tensor([[1.0, 0.0], [1.0, 0.0]]))
        tensor([[0.5000, 0.0000],
                [0.5000, 0.0000]])
    """

    def __init__(
        self,
        channels: int,
        scale: float = 0.5,
        tau: float = 1.0,
        *,
        layer_norm: bool = True,
    ) -> None:
        super().__init__()
        if not scale >= 0:
            raise InputError("scale", str(scale), "give a step of 0 or more")
        if not tau > 0:
            raise InputError("tau", str(tau), "give a temperature above 0")
        self.scale = scale
        self.tau = tau
        self.layer_norm = nn.LayerNorm(channels) if layer_norm else None

    def reset_parameters(self) -> None:
        """LayerNorm as at the start."""
        if self.layer_norm is not None:
            self.layer_norm.reset_parameters()

    def forward(self, x: NodeFeatures, batch: Tensor | None = None) -> NodeFeatures:
        """Nodes of one graph are compared with each other only.

        Args:
            x: Node states.
            batch: Graph of each node; one graph if None.
        """
        if self.scale > 0 and len(x) > 0:
            x = torch.sub(x, self._alike(x, batch), alpha=self.scale)
        return x if self.layer_norm is None else self.layer_norm(x)

    def _alike(self, x: Tensor, batch: Tensor | None) -> Tensor:
        """For each node the mean of all, weighted by likeness."""
        if batch is None:
            return self._attend(x)
        order = batch.argsort(stable=True)
        graphs = x[order].split(batch.bincount().tolist())
        means = torch.cat([self._attend(rows) for rows in graphs if len(rows)])
        return means[order.argsort()]

    def _attend(self, x: Tensor) -> Tensor:
        # The fused kernels want four dimensions, and on a GPU aligned rows.
        padded = F.pad(x, (0, -x.size(1) % 8))[None, None]  # [1, 1, N, C]
        unit = F.normalize(padded, dim=-1)
        scale = 1 / self.tau
        means = F.scaled_dot_product_attention(unit, unit, padded, scale=scale)
        return means[0, 0, :, : x.size(1)]

    def extra_repr(self) -> str:
        return f"scale={self.scale}, tau={self.tau}"


class GraphNormv2(nn.Module):
    r"""Learns, per channel, which smooth direction of the graph to take out.

    From the `"Residual Connections and Normalization Can Provably Prevent
    Oversmoothing in GNNs" <https://arxiv.org/abs/2406.02997>`_ paper. Per column
    :math:`\mathbf{x}` of the states:

    .. math::
        \hat{\mathbf{x}} = \mathbf{x} - \mathbf{V}^+_k \boldsymbol{\tau}
        \boldsymbol{\tau}^{\top} {\mathbf{V}^+_k}^{\top} \mathbf{x}, \qquad
        \mathbf{x}^{\prime} = \gamma \frac{\hat{\mathbf{x}}}
        {\sqrt{{\| \hat{\mathbf{x}} \|}^2_2 / N + \epsilon}} + \beta

    where :math:`\mathbf{V}^+_k` holds the :math:`k` dominant eigenvectors of the
    propagation and what they leave of the constant vector (:func:`dominant_basis`), and
    :math:`\boldsymbol{\tau} \in \mathbb{R}^{k + 1}`, :math:`\gamma` and :math:`\beta`
    are learned. Public code reads the centering in two ways, as this projection and
    as a weight for each eigenvector; this one contains the ordinary centering, at
    :math:`\mathbf{V}^+_k \boldsymbol{\tau} = \mathbf{1} / \sqrt{N}`, and starts there.

    Ordinary centering bends the signal: the constant is no eigenvector of the
    propagation, so that taking it out mixes the others. Without a basis
    :math:`k = 0`, and all that is learned is the share of the mean, as in GraphNorm.

    Args:
        channels: Width of the states.
        basis: :math:`\mathbf{V}^+_k` of the one graph that the norm is for,
            ``[N, k + 1]``; None for any graph. Layers may share it; it is not saved
            with the weights.
        eps: Keeps the division finite.

    Raises:
        InputError: If the norm has a basis and sees another number of nodes, or
            several graphs.

    Example:
        >>> edge_index = torch.tensor([[0, 1, 1, 2], [1, 0, 2, 1]])
        >>> norm = GraphNormv2(4, dominant_basis(edge_index, num_nodes=3, k=1))
        >>> norm(torch.randn(3, 4)).shape
        torch.Size([3, 4])
    """

    basis: Tensor | None

    def __init__(
        self,
        channels: int,
        basis: Float[Tensor, "nodes vectors"] | None = None,
        eps: float = 1e-5,
    ) -> None:
        super().__init__()
        self.eps = eps
        self.register_buffer("basis", basis, persistent=False)
        vectors = 1 if basis is None else basis.size(1)
        self.tau = nn.Parameter(torch.empty(vectors, channels))
        self.weight = nn.Parameter(torch.empty(channels))
        self.bias = nn.Parameter(torch.empty(channels))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Ordinary centering, no scale and no shift."""
        nn.init.ones_(self.weight)
        nn.init.zeros_(self.bias)
        nn.init.ones_(self.tau)
        if self.basis is not None:
            constant = self.basis.sum(dim=0) / math.sqrt(len(self.basis))
            with torch.no_grad():
                self.tau.copy_(constant[:, None].expand_as(self.tau))

    def forward(self, x: NodeFeatures, batch: Tensor | None = None) -> NodeFeatures:
        """Each graph by itself.

        Args:
            x: Node states.
            batch: Graph of each node; one graph if None.
        """
        size = _total(x.new_ones(len(x), 1), batch)  # [N, 1] or [1, 1]
        if self.basis is None:
            direction = self.tau / size.sqrt()  # [N, C] or [1, C]
        else:
            _check_one_graph(self.basis, x, batch)
            direction = self.basis @ self.tau  # [N, C]
        out = x - direction * _total(direction * x, batch)
        deviation = (_total(out**2, batch) / size + self.eps).sqrt()
        return self.weight * out / deviation + self.bias

    def extra_repr(self) -> str:
        return f"{len(self.weight)}, k={len(self.tau) - 1}"


def dominant_basis(
    edge_index: EdgeIndex, num_nodes: int, *, k: int
) -> Float[Tensor, "nodes vectors"]:
    r"""The directions that a graph's propagation keeps longest, and the constant.

    For :class:`GraphNormv2`: the eigenvectors of GCN's
    :math:`\tilde{\mathbf{D}}^{-1/2} (\mathbf{A} + \mathbf{I})
    \tilde{\mathbf{D}}^{-1/2}` with the :math:`k` largest :math:`|\lambda|`, then the
    part of the constant vector that they do not span, all orthonormal. Edges listed in
    one direction are read as :math:`(\mathbf{A} + \mathbf{A}^{\top}) / 2`.

    Args:
        edge_index: Both directions of every undirected edge.
        num_nodes: Number of nodes.
        k: Number of eigenvectors, 1 to ``num_nodes``.

    Returns:
        ``[N, k + 1]``, or ``[N, k]`` if the eigenvectors span the constant, as they do
        on a graph whose nodes all have the same degree.

    Raises:
        InputError: If ``k`` is out of range.

    Example:
        >>> edge_index = torch.tensor([[0, 1, 1, 2], [1, 0, 2, 1]])
        >>> basis = dominant_basis(edge_index, num_nodes=3, k=1)
        >>> torch.allclose(basis.T @ basis, torch.eye(2), atol=1e-6)
        True
    """
    if not 1 <= k <= num_nodes:
        raise InputError("k", str(k), f"give a number from 1 to {num_nodes}")
    loops, weight = gcn_norm(edge_index, None, num_nodes, dtype=torch.float64)
    entries = (weight.cpu().numpy(), tuple(loops.cpu().numpy()))
    operator = coo_matrix(entries, shape=(num_nodes, num_nodes)).tocsr()
    operator = (operator + operator.T) / 2
    if k < num_nodes - 1:
        # A start of our own: eigsh would draw one from the caller's generator.
        start = np.cos(np.arange(1, num_nodes + 1))
        vectors = eigsh(operator, k=k, which="LM", v0=start)[1]
    else:
        values, vectors = np.linalg.eigh(operator.toarray())
        vectors = vectors[:, np.argsort(-np.abs(values), kind="stable")[:k]]
    constant = np.full(num_nodes, num_nodes**-0.5)
    rest = constant - vectors @ (vectors.T @ constant)
    length = np.linalg.norm(rest)
    if length > 1e-6:
        vectors = np.column_stack([vectors, rest / length])
    return torch.from_numpy(np.ascontiguousarray(vectors)).to(
        edge_index.device, torch.get_default_dtype()
    )


def make_norm(norm: Any, channels: int) -> nn.Module:
    """A fresh norm for states of a width.

    A class or function is called with the width if its first argument has no default,
    and without arguments if it can be: so ``LayerNorm`` and ``PairNorm`` both work as
    they are, and what else they need is bound with ``functools.partial``. A module is
    copied and its parameters drawn anew; it must have been made for this width.
    PyG's ``DiffGroupNorm`` gets 10 groups where none are given, and PyG's ``LayerNorm``
    ``mode="node"``, each row on its own; its ``mode="graph"`` takes one mean and one
    variance of the whole graph.

    Args:
        norm: A class, a function of the width, a ``functools.partial`` of either, or
            a module.
        channels: Width of the states.

    Raises:
        InputError: If ``norm`` is none of these, or what it makes is not a module.

    Example:
        >>> make_norm(GraphNorm, 64)
        GraphNorm(64)
        >>> make_norm(partial(PairNorm, scale=2.0), 64)
        PairNorm()
        >>> make_norm(lambda channels: DiffGroupNorm(channels, groups=5), 64)
        DiffGroupNorm(64, groups=5)
    """
    if isinstance(norm, nn.Module):
        return _fresh_copy(norm)
    if not callable(norm):
        found = f"{norm!r}" if isinstance(norm, str) else f"a {type(norm).__name__}"
        raise InputError("norm", found, "give a class such as PairNorm, or a module")
    made = _call(norm, channels)
    if not isinstance(made, nn.Module):
        found = f"a function that makes a {type(made).__name__}"
        raise InputError("norm", found, "return a module")
    return made


_AS_USED: dict[type, Callable[..., Any]] = {
    DiffGroupNorm: partial(DiffGroupNorm, groups=_GROUPS),
    LayerNorm: partial(LayerNorm, mode="node"),
}


def _call(make: Callable[..., Any], channels: int) -> Any:
    make = _AS_USED.get(make, make) if isinstance(make, type) else make
    signature = inspect.signature(make)
    first = next(iter(signature.parameters.values()), None)
    takes_width = (
        first is not None
        and first.kind in (first.POSITIONAL_ONLY, first.POSITIONAL_OR_KEYWORD)
        and first.default is first.empty
    )
    arguments = (channels,) if takes_width else ()
    try:
        signature.bind(*arguments)
    except TypeError as error:
        name = getattr(getattr(make, "func", make), "__name__", repr(make))
        found = f"{name}: {error}"
        raise InputError("norm", found, "bind it with functools.partial") from None
    return make(*arguments)


def _fresh_copy(norm: nn.Module) -> nn.Module:
    fresh = copy.deepcopy(norm)
    for module in fresh.modules():
        if callable(reset := getattr(module, "reset_parameters", None)):
            reset()
    return fresh


def _total(values: Tensor, batch: Tensor | None) -> Tensor:
    """The sum over each graph, told to each of its nodes."""
    if batch is None:
        return values.sum(dim=0, keepdim=True)  # [1, C]
    totals: Tensor = scatter(values, batch, dim=0, reduce="sum")
    return totals.index_select(0, batch)


def _check_one_graph(basis: Tensor, x: Tensor, batch: Tensor | None) -> None:
    if len(x) != len(basis):
        found = f"{len(x):,} nodes for a basis of {len(basis):,}"
        raise InputError("x", found, "make the norm with the basis of this graph")
    if batch is not None and bool((batch != batch[:1]).any()):
        found = "several graphs for the basis of one"
        raise InputError("batch", found, "leave the basis out")
