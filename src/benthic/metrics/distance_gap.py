"""How much less alike remote nodes are than neighbors (MADGap)."""

from __future__ import annotations

from typing import Any

import torch
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components
from torch import Tensor
from torchmetrics import Metric

from benthic.errors import InputError
from benthic.metrics.rows import float64_blocks, row_blocks, row_norms, unit_rows
from benthic.typing import EdgeIndex, NodeFeatures, Scalar

_PAIRS = 2**22  # pairs held at a time
_EXACT_NODES = 4096  # all nodes are sources up to here (0.2 s on Cora)
_SAMPLED_NODES = 256  # sources beyond that


def mean_average_distance_gap(
    x: NodeFeatures, edge_index: EdgeIndex, *, near_hops: int = 3, far_hops: int = 8
) -> Scalar:
    r"""How much less alike remote nodes are than neighbors (MADGap).

    From the `"Measuring and Relieving the Over-smoothing Problem for Graph Neural
    Networks from the Topological View" <https://arxiv.org/abs/1909.03211>`_ paper, with
    :math:`\text{hop}` the distance along edges taken in both directions:

    .. math::
        \text{MADGap} = \text{MAD}(\text{hop} \geq 8) - \text{MAD}(1 \leq \text{hop}
        \leq 3), \qquad \text{MAD}(M) = \operatorname{mean}_i \operatorname{mean}_{j
        \in M(i)} \left( 1 - \cos(\mathbf{x}_i, \mathbf{x}_j) \right)

    Two choices the paper leaves open: remote pairs are in one component, and pairs at
    distance 0 count (the authors' code leaves them out, so a graph in which all but one
    pair had collapsed would read as diverse). The limits 3 and 8 are the paper's.

    In [-2, 2]. Above 0, neighbors are more alike than strangers, as a label-friendly
    layer should be; at or below 0 the difference is gone. Trap: raw cosines, so any
    common offset (a ReLU's) shrinks it, and low is not harmful by itself: compare with
    the linear probe. NaN if no pair of non-zero rows is ``far_hops`` away or none is
    near, or if a row is not finite. Exact up to 4,096 nodes; beyond, 256 source nodes
    are drawn with a fixed seed. Memory is a fixed number of sources × nodes.

    Args:
        x: Node features of one layer.
        edge_index: Edges of the graph; their direction does not matter.
        near_hops: Neighbors are at most so many hops away.
        far_hops: Remote nodes are at least so many hops away.

    Raises:
        InputError: Unless ``1 <= near_hops < far_hops``.

    Example:
        >>> path = torch.stack([torch.arange(9), torch.arange(1, 10)])
        >>> angle = torch.arange(10) / 9 * 3.1416
        >>> x = torch.stack([angle.cos(), angle.sin()], dim=1)
        >>> mean_average_distance_gap(x, path)
        tensor(1.7096, dtype=torch.float64)
    """
    metric = MeanAverageDistanceGap(near_hops=near_hops, far_hops=far_hops)
    metric = metric.to(x.device)
    metric.update(x, edge_index)
    return metric.compute()


class MeanAverageDistanceGap(Metric):
    """Streaming :func:`mean_average_distance_gap`; each update is one whole graph.

    Hops need the graph, so a shard is a graph with no edge to other shards; the result
    is that of all graphs as one.

    Args:
        near_hops: Neighbors are at most so many hops away.
        far_hops: Remote nodes are at least so many hops away.

    Raises:
        InputError: Unless ``1 <= near_hops < far_hops``.

    Example:
        >>> path = torch.stack([torch.arange(9), torch.arange(1, 10)])
        >>> metric = MeanAverageDistanceGap()
        >>> metric.update(torch.ones(10, 1), path)
        >>> metric.compute()
        tensor(0., dtype=torch.float64)
    """

    full_state_update = False
    is_differentiable = False
    higher_is_better = True

    distance: Tensor
    num_nodes: Tensor

    def __init__(self, near_hops: int = 3, far_hops: int = 8, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if not 1 <= near_hops < far_hops:
            raise InputError(
                "near_hops, far_hops",
                f"{near_hops} and {far_hops}",
                "give 1 <= near_hops < far_hops",
            )
        self.near_hops, self.far_hops = near_hops, far_hops
        zeros = torch.zeros(2, dtype=torch.float64)  # near, far
        self.add_state("distance", zeros, "sum")
        self.add_state("num_nodes", zeros.clone(), "sum")

    def update(self, x: NodeFeatures, edge_index: EdgeIndex) -> None:
        """Adds one graph."""
        x = x.detach()
        norm = torch.cat([row_norms(rows) for rows in row_blocks(x)])
        usable = norm.ne(0)  # [N]
        adjacency, component = _undirected(edge_index, x.size(0))
        for source in _sources(x.size(0)).to(x.device).split(_width(x.size(0))):
            source = source[usable[source]]
            unit = unit_rows(x[source].double())[0]  # [B, C]
            bands = _hop_bands(
                adjacency, component, source, self.near_hops, self.far_hops
            )
            cosine = _cosines(x, unit)  # [N, B]
            for band, mask in enumerate(bands):
                mask &= usable.unsqueeze(1)  # [N, B]
                heard = mask.any(0)
                mean = (cosine * mask).sum(0) / mask.sum(0)  # [B]
                self.distance[band] += (1 - mean[heard]).sum()
                self.num_nodes[band] += heard.sum()

    def compute(self) -> Scalar:
        """The gap over all graphs seen."""
        near, far = self.distance / self.num_nodes
        gap: Tensor = far - near
        return gap


def _undirected(edge_index: Tensor, num_nodes: int) -> tuple[Tensor, Tensor]:
    """Sparse symmetric adjacency [N, N] and the component of each node [N]."""
    both = torch.cat([edge_index, edge_index.flip(0)], dim=1)
    adjacency = torch.sparse_coo_tensor(
        both,
        torch.ones(both.size(1), device=both.device),
        (num_nodes, num_nodes),
        check_invariants=False,
    ).coalesce()
    row, col = edge_index.cpu().numpy()
    graph = coo_matrix(([True] * len(row), (row, col)), shape=(num_nodes, num_nodes))
    _, component = connected_components(graph, directed=False)
    return adjacency, torch.from_numpy(component).to(edge_index.device)


def _hop_bands(
    adjacency: Tensor, component: Tensor, source: Tensor, near_hops: int, far_hops: int
) -> tuple[Tensor, Tensor]:
    """Which nodes are near, and which far from, each source: two masks [N, B]."""
    column = torch.arange(len(source), device=source.device)
    reached = torch.zeros(len(component), len(source), device=source.device)
    reached[source, column] = 1
    near = reached
    for hop in range(1, far_hops):
        reached = torch.sparse.mm(adjacency, reached).add_(reached).clamp_(max=1)
        near = reached if hop == near_hops else near
    is_near = near.bool()
    is_near[source, column] = False
    together = component.unsqueeze(1) == component[source]
    return is_near, together & ~reached.bool()


def _cosines(x: Tensor, unit: Tensor) -> Tensor:
    """Cosine of each row of ``x`` with each unit row [B, C]: [N, B]."""
    return torch.cat([unit_rows(rows)[0] @ unit.T for rows in float64_blocks(x)])


def _sources(num_nodes: int) -> Tensor:
    if num_nodes <= _EXACT_NODES:
        return torch.arange(num_nodes)
    generator = torch.Generator().manual_seed(0)
    return torch.randperm(num_nodes, generator=generator)[:_SAMPLED_NODES]


def _width(num_nodes: int) -> int:
    """How many sources at a time keep sources × nodes within the chunk."""
    return max(1, min(512, _PAIRS // max(1, num_nodes)))
