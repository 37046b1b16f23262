"""Dirichlet energy and Rayleigh quotient, matched to the layer's operator."""

from __future__ import annotations

from typing import Any, Literal, NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor
from torchmetrics import Metric

from benthic.errors import InputError
from benthic.metrics.rows import (
    EDGE_BLOCK,
    block_length,
    check_edges,
    row_blocks,
    row_norms,
    zero_if_finite,
)
from benthic.typing import EdgeIndex, EdgeWeight, NodeFeatures, Scalar

Relation = tuple[Float[Tensor, "sources channels"], Float[Tensor, "targets channels"]]
Normalization = Literal["sym", "rw", None]


def dirichlet_energy(
    x: NodeFeatures | Relation,
    edge_index: EdgeIndex,
    edge_weight: EdgeWeight | None = None,
    *,
    normalization: Normalization = "sym",
) -> Scalar:
    r"""How much features differ across edges, as the layer's own operator sees it.

    From `"A Note on Over-Smoothing for Graph Neural Networks"
    <https://arxiv.org/abs/2006.13318>`_, here the sum, not averaged over nodes:

    .. math::
        E_{\text{sym}}(\mathbf{X}) = \operatorname{tr}(\mathbf{X}^{\top}
        \tilde{\boldsymbol{\Delta}} \mathbf{X}) = \frac{1}{2} \sum_{i, j} a_{ij}
        {\left\| \frac{\mathbf{x}_i}{\sqrt{\tilde{d}_i}}
        - \frac{\mathbf{x}_j}{\sqrt{\tilde{d}_j}} \right\|}^2_2, \qquad
        E_{\text{rw}} = E_{\text{None}} = \frac{1}{2} \sum_{i, j} a_{ij}
        {\| \mathbf{x}_i - \mathbf{x}_j \|}^2_2

    ``"sym"`` is the operator of a GCN: :math:`\tilde{d}_i = a_{ii} + \sum_{j \neq i}
    a_{ij}` with a self-loop of weight 1 where the graph has none (a loop that is there
    keeps its weight and is not added again). Zero at :math:`\mathbf{x}_i \propto
    \sqrt{\tilde{d}_i}`, not at equal rows. ``"rw"`` (mean aggregation) and ``None``
    (sum) are zero at equal rows and ignore self-loops, as PyG's ``get_laplacian``
    does. The random-walk operator is symmetric only under :math:`\langle \mathbf{x},
    \mathbf{y} \rangle = \sum_i d_i x_i y_i`; there its energy is that of ``None``, and
    only the :func:`rayleigh_quotient` differs. The :math:`\frac{1}{N}
    \sum_i \sum_{j \in \mathcal{N}_i}` of `"A Survey on Oversmoothing in Graph Neural
    Networks" <https://arxiv.org/abs/2303.10993>`_ is :math:`2 / N` times ``None``.

    Grows with :math:`{\| \mathbf{X} \|}^2`: a fading network has a falling energy
    without any smoothing, and all-zero features have energy 0. Compare layers by
    :func:`rayleigh_quotient`. Differences are taken edge by edge in float64, so an
    energy of 1e-12 of the norm is not lost. NaN without nodes, or with a row that
    holds NaN or an infinity.

    Args:
        x: Node features, or ``(x_src, x_dst)`` of a bipartite relation.
        edge_index: Both directions of every undirected edge. The list is read as
            :math:`(\mathbf{A} + \mathbf{A}^{\top}) / 2`, so an edge listed in one
            direction only counts half. A bipartite relation lists each edge once, and
            each counts in full.
        edge_weight: Weight of each edge, not negative; 1 if None.
        normalization: Operator of the layer, as in PyG's ``get_laplacian``.

    Raises:
        InputError: If an edge names a node that ``x`` lacks, or the normalization is
            not one of the three.

    Example:
        >>> x = torch.tensor([[1.0], [-1.0]])
        >>> dirichlet_energy(x, torch.tensor([[0, 1], [1, 0]]))
        tensor(2.0000, dtype=torch.float64)
    """
    reading = _read(x, edge_index, edge_weight, normalization)
    return _energy_or_nan(reading.energy, reading.num_nodes)


class DirichletEnergy(Metric):
    """:func:`dirichlet_energy` over mini-batches, added up.

    Each update is a graph of its own: its degrees are those of the edges it lists.
    Batches that keep components whole (a PyG batch of graphs) give exactly the value
    of the whole graph. An edge that a cut removed is not seen, in the energy or in
    the degrees of its two ends.

    Example:
        >>> metric = DirichletEnergy()
        >>> metric.update(torch.tensor([[1.0], [-1.0]]), torch.tensor([[0, 1], [1, 0]]))
        >>> metric.update(torch.tensor([[5.0]]), torch.empty(2, 0, dtype=torch.long))
        >>> metric.compute()
        tensor(2.0000, dtype=torch.float64)
    """

    full_state_update = False
    is_differentiable = False
    energy: Tensor
    num_nodes: Tensor

    def __init__(self, *, normalization: Normalization = "sym", **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.normalization = normalization
        for name in ("energy", "num_nodes"):
            zero = torch.zeros((), dtype=torch.float64)
            self.add_state(name, zero, dist_reduce_fx="sum")

    def update(
        self,
        x: NodeFeatures | Relation,
        edge_index: EdgeIndex,
        edge_weight: EdgeWeight | None = None,
    ) -> None:
        """Add a graph."""
        reading = _read(x, edge_index, edge_weight, self.normalization)
        self.energy = self.energy + reading.energy.to(self.device)
        self.num_nodes = self.num_nodes + reading.num_nodes

    def compute(self) -> Scalar:
        """Energy of all graphs seen so far."""
        return _energy_or_nan(self.energy, self.num_nodes)


def rayleigh_quotient(
    x: NodeFeatures | Relation,
    edge_index: EdgeIndex,
    edge_weight: EdgeWeight | None = None,
    *,
    normalization: Normalization = "sym",
) -> Scalar:
    r"""Dirichlet energy per unit of norm: smoothing told apart from fading.

    :func:`dirichlet_energy` over the squared norm in the inner product in which the
    layer's operator is symmetric:

    .. math::
        \frac{E_{\text{sym}}(\mathbf{X})}{\sum_i \| \mathbf{x}_i \|^2_2}
        \in [0, 2), \qquad
        \frac{E_{\text{rw}}(\mathbf{X})}{\sum_i d_i \| \mathbf{x}_i \|^2_2}
        \in [0, 2], \qquad
        \frac{E_{\text{None}}(\mathbf{X})}{\sum_i \| \mathbf{x}_i \|^2_2}
        \in [0, 2 d_{\max}]

    Zero means that nothing is left which the operator could still smooth; noise reads
    about 1 for ``"sym"`` and ``"rw"``. Match the normalization to the layer: the limit
    of a GCN reads 0 only with ``"sym"``, that of a mean aggregation only with
    ``"rw"``. All-zero features are 0/0: NaN, a *dead* layer, not a smooth one. An
    isolated node adds norm but no energy, except for ``"rw"``, whose degree weights
    leave it out (NaN if every live node is isolated). See :func:`dirichlet_energy` for
    self-loops, one-way edges, bipartite relations and NaN.

    Args:
        x: Node features, or ``(x_src, x_dst)`` of a bipartite relation.
        edge_index: Both directions of every undirected edge.
        edge_weight: Weight of each edge, not negative; 1 if None.
        normalization: Operator of the layer, as in PyG's ``get_laplacian``.

    Raises:
        InputError: If an edge names a node that ``x`` lacks, or the normalization is
            not one of the three.

    Example:
        >>> edge_index = torch.tensor([[0, 1], [1, 0]])
        >>> rayleigh_quotient(torch.tensor([[1.0], [-1.0]]), edge_index)
        tensor(1.0000, dtype=torch.float64)
        >>> rayleigh_quotient(torch.zeros(2, 1), edge_index)
        tensor(nan, dtype=torch.float64)
    """
    reading = _read(x, edge_index, edge_weight, normalization)
    return reading.energy / reading.squared_norm


class RayleighQuotient(Metric):
    """:func:`rayleigh_quotient` over mini-batches: energy and norm added up apart.

    Exact for batches that keep components whole, as :class:`DirichletEnergy` is.

    Example:
        >>> metric = RayleighQuotient()
        >>> metric.update(torch.tensor([[1.0], [-1.0]]), torch.tensor([[0, 1], [1, 0]]))
        >>> metric.update(torch.tensor([[1.0], [1.0]]), torch.tensor([[0, 1], [1, 0]]))
        >>> metric.compute()
        tensor(0.5000, dtype=torch.float64)
    """

    full_state_update = False
    is_differentiable = False
    energy: Tensor
    squared_norm: Tensor

    def __init__(self, *, normalization: Normalization = "sym", **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.normalization = normalization
        for name in ("energy", "squared_norm"):
            zero = torch.zeros((), dtype=torch.float64)
            self.add_state(name, zero, dist_reduce_fx="sum")

    def update(
        self,
        x: NodeFeatures | Relation,
        edge_index: EdgeIndex,
        edge_weight: EdgeWeight | None = None,
    ) -> None:
        """Add a graph."""
        reading = _read(x, edge_index, edge_weight, self.normalization)
        self.energy = self.energy + reading.energy.to(self.device)
        self.squared_norm = self.squared_norm + reading.squared_norm.to(self.device)

    def compute(self) -> Scalar:
        """Quotient of all graphs seen so far."""
        return self.energy / self.squared_norm


class _Reading(NamedTuple):
    energy: Tensor
    squared_norm: Tensor
    num_nodes: int


@torch.no_grad()
def _read(
    x: NodeFeatures | Relation,
    edge_index: EdgeIndex,
    edge_weight: Tensor | None,
    normalization: Normalization,
) -> _Reading:
    """Energy and squared norm of one graph; a relation is a graph with two sides."""
    if normalization not in ("sym", "rw", None):
        raise InputError(
            "normalization", repr(normalization), "choose 'sym', 'rw' or None"
        )
    sides = list(x) if isinstance(x, tuple) else [x]
    sizes = [side.shape[0] for side in sides]
    check_edges(edge_index, sizes[0], sizes[-1])
    weight = None if edge_weight is None else edge_weight.detach().double()
    degrees = _degrees(edge_index, weight, sizes) if normalization else None
    scales = None
    if degrees and normalization == "sym":
        loops = _loop_weights(edge_index, weight, sizes)
        scales = [
            (degree + loop).rsqrt() for degree, loop in zip(degrees, loops, strict=True)
        ]
    energy = _energy(sides, scales, edge_index, weight)
    masses = degrees if normalization == "rw" else None
    squared_norm = torch.zeros_like(energy)
    for k, side in enumerate(sides):
        energy += zero_if_finite(side)
        squared_norm += _squared_norm(side, masses[k] if masses else None)
    return _Reading(energy, squared_norm, sum(sizes))


def _degrees(
    edge_index: EdgeIndex, weight: Tensor | None, sizes: list[int]
) -> list[Tensor]:
    """Weighted degree of every node on every side, self-loops left out."""
    ends = [
        torch.bincount(edge_index[end], weight, minlength=sizes[side]).double()
        for end, side in ((0, 0), (1, -1))
    ]
    if len(sizes) == 2:
        return ends
    is_loop = edge_index[0] == edge_index[1]
    loop_weight = None if weight is None else weight[is_loop]
    loops = torch.bincount(edge_index[0][is_loop], loop_weight, minlength=sizes[0])
    return [(ends[0] + ends[1]) / 2 - loops]


def _loop_weights(
    edge_index: EdgeIndex, weight: Tensor | None, sizes: list[int]
) -> list[Tensor]:
    """Weight of each node's self-loop: 1, or what the graph already has.

    A repeated loop counts once, as in PyG's ``add_remaining_self_loops``.
    """
    loops = [
        torch.ones(n, dtype=torch.float64, device=edge_index.device) for n in sizes
    ]
    if len(sizes) == 1 and weight is not None:
        is_loop = edge_index[0] == edge_index[1]
        loops[0][edge_index[0][is_loop]] = weight[is_loop]
    return loops


def _energy(
    sides: list[Tensor],
    scales: list[Tensor] | None,
    edge_index: EdgeIndex,
    weight: Tensor | None,
) -> Tensor:
    """Σ a_ij ‖s_i x_i − s_j x_j‖² over the edges, half of it on a one-sided graph."""
    energy = torch.zeros((), dtype=torch.float64, device=edge_index.device)
    length = block_length(sides[0], EDGE_BLOCK)
    for start in range(0, edge_index.shape[1], length):
        edges = edge_index[:, start : start + length]
        ends = []
        for index, k in ((edges[0], 0), (edges[1], -1)):
            end = sides[k].detach().index_select(0, index).double()  # [E, C]
            ends.append(end.mul_(scales[k][index].unsqueeze(1)) if scales else end)
        difference = ends[0].sub_(ends[1]).square_().sum(dim=1)
        if weight is not None:
            difference *= weight[start : start + length]
        energy += difference.sum()
    return energy / 2 if len(sides) == 1 else energy


def _squared_norm(x: NodeFeatures, mass: Tensor | None) -> Tensor:
    """Σ m_i ‖x_i‖² in float64, m_i = 1 if not given."""
    norm = torch.cat([row_norms(block) for block in row_blocks(x)]).square_()
    return norm.sum() if mass is None else norm.dot(mass)


def _energy_or_nan(energy: Tensor, num_nodes: int | Tensor) -> Scalar:
    return energy if num_nodes > 0 else torch.full_like(energy, torch.nan)
