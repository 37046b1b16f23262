"""Mean pairwise cosine, raw and centred, O(N·C); mean average distance."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from jaxtyping import Float, Int64
from torch import Tensor
from torchmetrics import Metric

from benthic.errors import InputError
from benthic.metrics.rows import (
    EDGE_BLOCK,
    at_least_float32,
    block_length,
    check_edges,
    column_mean,
    row_blocks,
    row_norms,
    unit_row_sum,
    unit_rows,
    zero_if_finite,
)
from benthic.typing import EdgeIndex, NodeFeatures, Scalar

Center = Float[Tensor, "channels"]
Component = Int64[Tensor, "nodes"]
Relation = tuple[Float[Tensor, "sources channels"], Float[Tensor, "targets channels"]]

# A row nearer to the centre than its own rounding has no direction. Rounding the
# centre and subtracting costs 1 eps of it each; the rest is room for float64 sums.
CENTER_FLOOR = 16


def mean_cosine_similarity(
    x: NodeFeatures, component: Component | None = None
) -> Scalar:
    r"""How much all rows point the same way: the mean cosine over pairs of nodes.

    The gauge of `"Towards Deeper Graph Neural Networks"
    <https://arxiv.org/abs/2007.09296>`_ and of most over-smoothing guides, without
    their :math:`N \times N` matrix. With unit rows :math:`\hat{\mathbf{u}}_i =
    \mathbf{x}_i / \| \mathbf{x}_i \|_2` over the :math:`m` non-zero rows:

    .. math::
        \frac{1}{m (m - 1)} \sum_{i \neq j} \hat{\mathbf{u}}_i^{\top}
        \hat{\mathbf{u}}_j = \frac{\| \sum_i \hat{\mathbf{u}}_i \|^2_2 - m}{m (m - 1)}

    With ``component``, only pairs inside one component count, pooled over all such
    pairs: the limit of a smoothing network is then 1, also on a graph in pieces.

    One means one direction is left. A display, never a verdict: ReLU features of pure
    noise read :math:`1 / \pi = 0.318`, the best Cora network reads 0.8, two opposite
    collapsed clusters read 0, and the limit of a GCN is below 1 when the graph has
    several components. Zero rows have no direction and are left out; with fewer than
    two live rows the value is NaN, so a dead network is never called healthy. A row
    with NaN or an infinity makes the result NaN.

    Args:
        x: Node features; 16-bit rows are read as float32.
        component: Connected component of each node, numbered from 0. Keeps one float64
            row per component.

    Raises:
        InputError: If a component number is negative.

    Example:
        >>> mean_cosine_similarity(torch.tensor([[1.0, 0.0], [2.0, 0.0], [0.0, 1.0]]))
        tensor(0.3333, dtype=torch.float64)
        >>> mean_cosine_similarity(torch.zeros(3, 2))
        tensor(nan, dtype=torch.float64)
    """
    if component is None:
        return _pooled_cosine(*_direction_sum(x))
    num_components = int(component.max()) + 1 if component.numel() else 0
    return _pooled_cosine(*_component_sums(x, component, num_components))


class MeanCosineSimilarity(Metric):
    """:func:`mean_cosine_similarity` over shards of nodes.

    Shards may cut components: pass graph-wide numbers and ``num_components``. The
    first shard sets the width of the state, so before a sync every process must have
    seen at least one shard, which may have no rows.

    Args:
        num_components: Number of connected components; None reads all nodes as one.

    Example:
        >>> metric = MeanCosineSimilarity()
        >>> metric.update(torch.tensor([[1.0, 0.0], [2.0, 0.0]]))
        >>> metric.update(torch.tensor([[0.0, 1.0]]))
        >>> metric.compute()
        tensor(0.3333, dtype=torch.float64)
    """

    full_state_update = False
    is_differentiable = False
    direction_sum: Tensor
    num_rows: Tensor

    def __init__(self, num_components: int | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.num_components = num_components
        self.add_state("direction_sum", _zero(), dist_reduce_fx="sum")
        rows = (
            _zero() if num_components is None else torch.zeros(num_components).double()
        )
        self.add_state("num_rows", rows, dist_reduce_fx="sum")

    def update(self, x: NodeFeatures, component: Component | None = None) -> None:
        """Add a shard of nodes."""
        if (component is None) != (self.num_components is None):
            raise InputError(
                "component",
                "None" if component is None else "component numbers",
                f"this metric was built with num_components={self.num_components}; "
                "give both or neither",
            )
        if component is None:
            total, count = _direction_sum(x)
        else:
            total, count = _component_sums(x, component, self.num_components or 0)
        self.direction_sum = self.direction_sum + total.to(self.device)
        self.num_rows = self.num_rows + count.to(self.device)

    def compute(self) -> Scalar:
        """Mean cosine over the pairs seen so far."""
        return _pooled_cosine(self.direction_sum, self.num_rows)


def centered_cosine_similarity(x: NodeFeatures) -> Scalar:
    r"""How much all rows leave their mean in the same direction.

    :func:`mean_cosine_similarity` of :math:`\mathbf{x}_i - \bar{\mathbf{x}}`, in two
    passes over :math:`\mathbf{X}`.

    Centring takes the shared direction away that ReLU, a bias or a positive feature
    gives to every row (0.4 to 0.8 on trained Cora networks, 0.00 to 0.15 centred).
    Because centred rows add up to zero, rows on one line read about 0 when they spread
    evenly to both sides; values near 1 need a few far rows against many near ones.
    Rows nearer to the mean than rounding (16 units in the last place of its norm) have
    no direction; with fewer than two others, so also when all rows are equal, the
    value is NaN. A row with NaN or an infinity makes the result NaN.

    Args:
        x: Node features; 16-bit rows are read as float32.

    Example:
        >>> centered_cosine_similarity(torch.tensor([[1.0, 5.0], [-1.0, 5.0]]))
        tensor(-1., dtype=torch.float64)
    """
    return _pooled_cosine(*_direction_sum(x, column_mean(x)))


class CenteredCosineSimilarity(Metric):
    """:func:`centered_cosine_similarity` over shards of nodes.

    The mean must be known before the first row is read, so streaming takes two passes:
    one for the mean, one for this metric. Every process needs the same ``center``.

    Args:
        center: Mean row of the whole matrix, best in float64.

    Example:
        >>> metric = CenteredCosineSimilarity(torch.tensor([0.0, 5.0]))
        >>> metric.update(torch.tensor([[1.0, 5.0]]))
        >>> metric.update(torch.tensor([[-1.0, 5.0]]))
        >>> metric.compute()
        tensor(-1., dtype=torch.float64)
    """

    full_state_update = False
    is_differentiable = False
    center: Tensor
    direction_sum: Tensor
    num_rows: Tensor

    def __init__(self, center: Center, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.register_buffer("center", center.detach().double(), persistent=False)
        zeros = torch.zeros(center.shape, dtype=torch.float64, device=center.device)
        self.add_state("direction_sum", zeros, dist_reduce_fx="sum")
        self.add_state("num_rows", _zero(), dist_reduce_fx="sum")

    def update(self, x: NodeFeatures) -> None:
        """Add a shard of nodes."""
        total, count = _direction_sum(x, self.center.to(x.device))
        self.direction_sum = self.direction_sum + total.to(self.device)
        self.num_rows = self.num_rows + count.to(self.device)

    def compute(self) -> Scalar:
        """Centred mean cosine over the pairs seen so far."""
        return _pooled_cosine(self.direction_sum, self.num_rows)


def mean_average_distance(
    x: NodeFeatures | Relation, edge_index: EdgeIndex | None = None
) -> Scalar:
    r"""How far nodes point away from their neighbours, averaged node by node.

    MAD of `"Measuring and Relieving the Over-smoothing Problem for Graph Neural
    Networks from the Topological View" <https://arxiv.org/abs/1909.03211>`_, with
    :math:`D_{ij} = 1 - \cos(\mathbf{x}_i, \mathbf{x}_j)`:

    .. math::
        \bar{D}_i = \frac{1}{| \mathcal{N}_i |} \sum_{j \in \mathcal{N}_i} D_{ij},
        \qquad \text{MAD} = \frac{1}{| \mathcal{S} |} \sum_{i \in \mathcal{S}}
        \bar{D}_i, \qquad \mathcal{S} = \{ i : \mathcal{N}_i \neq \emptyset \}

    :math:`\mathcal{N}_i` holds the sources of the edges into :math:`i`, itself left
    out, whose row is not zero while :math:`\mathbf{x}_i` is not zero either. Without
    ``edge_index`` it holds all other live nodes and the value is one minus
    :func:`mean_cosine_similarity`: no :math:`N \times N` matrix.

    The paper divides by the number of :math:`D_{ij} > 0` instead. That count hangs on
    rounding, drops exactly the pairs that have become equal, and is 0/0 when all have;
    here an equal pair counts with distance 0. Both agree when no two rows are parallel.

    Zero means neighbours are collinear, 1 orthogonal, 2 opposite. A dead network is
    NaN, not the 1.0 ("perfectly diverse") of a normalized zero row. Blind to length,
    and in one channel only the sign is left. An edge listed twice counts twice;
    isolated nodes do not count; a row with NaN or an infinity makes the result NaN.
    Float32 rows resolve neighbours to about 1e-14, all pairs (without
    ``edge_index``) to about 1e-7.

    Args:
        x: Node features, or ``(x_src, x_dst)`` of a bipartite relation with
            ``edge_index``; the mean is then over target nodes.
        edge_index: Edges from row 0 to row 1; list both directions of an undirected
            edge.

    Raises:
        InputError: If an edge names a node that ``x`` lacks, or a pair of matrices
            comes without ``edge_index``.

    Example:
        >>> x = torch.tensor([[1.0, 0.0], [2.0, 0.0], [0.0, 1.0]])
        >>> mean_average_distance(x, torch.tensor([[0, 1, 1, 2], [1, 0, 2, 1]]))
        tensor(0.5000, dtype=torch.float64)
    """
    if edge_index is None:
        return 1.0 - _pooled_cosine(*_direction_sum(_all_pairs(x)))
    total, count = _neighbor_distances(x, edge_index)
    return total / count


class MeanAverageDistance(Metric):
    """:func:`mean_average_distance` over shards of nodes or mini-batches.

    With ``edge_index``, each update is a graph of its own (a PyG batch of graphs, a
    component, or a sampled neighbourhood): an edge that a cut removed is not seen.
    Without, rows of all updates are compared with each other. One metric does one of
    the two.

    Example:
        >>> metric = MeanAverageDistance()
        >>> metric.update(torch.tensor([[1.0, 0.0]]))
        >>> metric.update(torch.tensor([[0.0, 1.0]]))
        >>> metric.compute()
        tensor(1., dtype=torch.float64)
    """

    full_state_update = False
    is_differentiable = False
    distance_sum: Tensor
    num_nodes: Tensor
    direction_sum: Tensor
    num_rows: Tensor

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        for name in ("distance_sum", "num_nodes", "direction_sum", "num_rows"):
            self.add_state(name, _zero(), dist_reduce_fx="sum")

    def update(
        self, x: NodeFeatures | Relation, edge_index: EdgeIndex | None = None
    ) -> None:
        """Add a graph, or a shard of nodes that is compared with all others."""
        if edge_index is None:
            total, count = _direction_sum(_all_pairs(x))
            self.direction_sum = self.direction_sum + total.to(self.device)
            self.num_rows = self.num_rows + count.to(self.device)
        else:
            total, count = _neighbor_distances(x, edge_index)
            self.distance_sum = self.distance_sum + total.to(self.device)
            self.num_nodes = self.num_nodes + count.to(self.device)

    def compute(self) -> Scalar:
        """Mean average distance of the nodes seen so far."""
        if self.num_rows > 0 and self.num_nodes > 0:
            raise InputError(
                "edge_index",
                "updates with edges and updates without",
                "use one metric for neighbours and one for all pairs",
            )
        if self.num_rows > 0:
            return 1.0 - _pooled_cosine(self.direction_sum, self.num_rows)
        return self.distance_sum / self.num_nodes


def _zero() -> Tensor:
    return torch.zeros((), dtype=torch.float64)


def _all_pairs(x: NodeFeatures | Relation) -> NodeFeatures:
    if isinstance(x, tuple):
        raise InputError(
            "edge_index", "None for a bipartite relation", "give the relation's edges"
        )
    return x


@torch.no_grad()
def _direction_sum(
    x: NodeFeatures, center: Tensor | None = None
) -> tuple[Tensor, Tensor]:
    """Sum of unit rows and number of non-zero rows."""
    total = x.new_zeros(x.shape[1], dtype=torch.float64)
    count = 0
    for block, floor in _centered_blocks(x, center):
        part, live = unit_row_sum(block, floor)
        total += part
        count += live
    return total, total.new_tensor(count)


def _centered_blocks(
    x: NodeFeatures, center: Tensor | None
) -> Iterator[tuple[Tensor, float]]:
    """Blocks of rows minus the center, and the norm below which a row is zero."""
    if center is None:
        yield from ((block, 0.0) for block in row_blocks(x))
        return
    length = float(row_norms(center.unsqueeze(0)))
    for block in row_blocks(x):
        floor = CENTER_FLOOR * torch.finfo(block.dtype).eps * length
        yield block - center.to(block.dtype), floor


@torch.no_grad()
def _component_sums(
    x: NodeFeatures, component: Component, num_components: int
) -> tuple[Tensor, Tensor]:
    """Sum of unit rows and number of non-zero rows of every component."""
    if component.numel():
        low, high = (int(limit) for limit in component.aminmax())
        if low < 0 or high >= num_components:
            raise InputError(
                "component",
                f"number {low if low < 0 else high}",
                f"number components from 0 to {num_components - 1}",
            )
    total = x.new_zeros((num_components, x.shape[1]), dtype=torch.float64)
    count = x.new_zeros(num_components, dtype=torch.float64)
    for block, index in zip(
        row_blocks(x), component.split(block_length(x)), strict=True
    ):
        unit, norm = unit_rows(block)
        total.index_add_(0, index, unit.double())
        count.index_add_(0, index, (norm != 0).double())
    return total, count


def _pooled_cosine(direction_sum: Tensor, num_rows: Tensor) -> Scalar:
    """Mean cosine over the pairs of each group: (‖Σû‖² − m) / (m (m − 1))."""
    # Plain numbers: a tenth of the whole call at Cora's size.
    squares: Tensor = torch.linalg.vecdot(direction_sum, direction_sum)
    similarity = (squares - num_rows).sum().item()
    pairs = (num_rows * (num_rows - 1)).sum().item()
    value = similarity / pairs if pairs else torch.nan
    # Float32 directions miss the ends by 1e-7; NaN passes through.
    return squares.new_tensor(min(value, 1.0) if value > 0 else max(value, -1.0))


@torch.no_grad()
def _neighbor_distances(
    x: NodeFeatures | Relation, edge_index: EdgeIndex
) -> tuple[Tensor, Tensor]:
    """Sum over nodes of the mean distance to neighbours, and how many have one."""
    x_src, x_dst = x if isinstance(x, tuple) else (x, x)
    check_edges(edge_index, x_src.shape[0], x_dst.shape[0])
    distance = x_dst.new_zeros(x_dst.shape[0], dtype=torch.float64)
    degree = torch.zeros_like(distance)
    for edges in edge_index.split(block_length(x_src, EDGE_BLOCK), dim=1):
        src, src_norm = unit_rows(at_least_float32(x_src[edges[0]]))
        dst, dst_norm = unit_rows(at_least_float32(x_dst[edges[1]]))
        counts = (src_norm != 0) & (dst_norm != 0)
        if not isinstance(x, tuple):
            counts &= edges[0] != edges[1]
        # ½‖û_i − û_j‖² is 1 − cos without the cancellation.
        pair = (dst - src).double().square().sum(dim=1) / 2
        distance.index_add_(0, edges[1], pair.masked_fill(~counts, 0.0))
        degree.index_add_(0, edges[1], counts.double())
    heard = degree > 0
    total = (distance[heard] / degree[heard]).sum()
    for side in x if isinstance(x, tuple) else (x,):
        total = total + zero_if_finite(side)
    return total, heard.sum().double()
