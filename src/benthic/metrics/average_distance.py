"""How far nodes point away from their neighbours, averaged node by node (MAD)."""

from __future__ import annotations

from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor
from torchmetrics import Metric

from benthic.errors import InputError
from benthic.metrics.directions import pooled_cosine, sum_directions
from benthic.metrics.rows import (
    EDGE_BLOCK,
    at_least_float32,
    block_length,
    check_edges,
    unit_rows,
    zero_if_finite,
)
from benthic.typing import EdgeIndex, NodeFeatures, Scalar

Relation = tuple[Float[Tensor, "sources channels"], Float[Tensor, "targets channels"]]


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
        return 1.0 - pooled_cosine(*sum_directions(_all_pairs(x)))
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
            zero = torch.zeros((), dtype=torch.float64)
            self.add_state(name, zero, dist_reduce_fx="sum")

    def update(
        self, x: NodeFeatures | Relation, edge_index: EdgeIndex | None = None
    ) -> None:
        """Add a graph, or a shard of nodes that is compared with all others."""
        if edge_index is None:
            total, count = sum_directions(_all_pairs(x))
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
            return 1.0 - pooled_cosine(self.direction_sum, self.num_rows)
        return self.distance_sum / self.num_nodes


def _all_pairs(x: NodeFeatures | Relation) -> NodeFeatures:
    if isinstance(x, tuple):
        raise InputError(
            "edge_index", "None for a bipartite relation", "give the relation's edges"
        )
    return x


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
