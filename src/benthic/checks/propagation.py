"""The weights-off control: what pure propagation leaves a linear probe to read."""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from scipy.sparse.csgraph import connected_components
from torch import Tensor
from torch_geometric.data import Data, HeteroData
from torch_geometric.nn.conv.gcn_conv import gcn_norm
from torch_geometric.utils import (
    degree,
    to_edge_index,
    to_scipy_sparse_matrix,
    to_undirected,
)

from benthic.metrics.cosine import mean_cosine_similarity
from benthic.metrics.linear_probe import linear_probe_accuracy
from benthic.supervision import Supervision

# Wider features are projected to so many random directions first. That is faster, and
# the probe is no worse, since its standardized columns otherwise turn rare words up:
# at 2 hops 77 % and 75 in full on Cora, 70 and 63 on CiteSeer, 95 and 81 on Coauthor
# Physics (benchmarks/weights_off.py).
MAX_CHANNELS = 512


@dataclass(frozen=True)
class HopAccuracy:
    """Held-out probe accuracy after a number of propagation steps."""

    num_hops: int
    accuracy: float


def propagated_accuracy(
    data: Data | HeteroData, supervision: Supervision, num_hops: Sequence[int]
) -> list[HopAccuracy]:
    r"""Accuracy of a linear probe on :math:`\hat{\mathbf{A}}^K \mathbf{X}`.

    The symmetric operator with self-loops of `"Simplifying Graph Convolutional
    Networks" <https://arxiv.org/abs/1902.07153>`_. A heterogeneous graph is taken
    as one undirected graph whose node types have columns of their own.

    Args:
        data: The graph.
        supervision: Its labels and splits; the probe is scored on validation.
        num_hops: Ascending numbers of steps K.

    Example:
        >>> graph = Data(
        ...     x=torch.tensor([[1.0], [0.0], [-1.0], [0.0]]),
        ...     y=torch.tensor([0, 0, 1, 1]),
        ...     edge_index=torch.tensor([[0, 1, 2, 3], [1, 0, 3, 2]]),
        ...     train_mask=torch.tensor([True, False, True, False]),
        ...     val_mask=torch.tensor([False, True, False, True]),
        ... )
        >>> propagated_accuracy(graph, Supervision.of(graph), [1])
        [HopAccuracy(num_hops=1, accuracy=1.0)]
    """
    x, edge_index, rows = _one_graph(data, supervision.node_type)
    adjacency = _normalized(edge_index, x.size(0))
    held_out = supervision.held_out
    assert held_out is not None
    answers, done = [], 0
    for hops in num_hops:
        for _ in range(hops - done):
            x = torch.sparse.mm(adjacency, x)
        done = hops
        accuracy = linear_probe_accuracy(
            x[rows], supervision.y, supervision.masks["train"], held_out
        )
        answers.append(HopAccuracy(hops, float(accuracy)))
    return answers


def limit_cosine(data: Data) -> float | None:
    r"""Mean pairwise cosine after infinitely many propagation steps.

    In the limit every node of component :math:`c` points to
    :math:`\sum_{i \in c} \sqrt{d_i + 1} \, \mathbf{x}_i`, so that the mean cosine stays
    below 1 where components differ: complete smoothing reads 0.89 on Cora.

    Args:
        data: A graph with features, taken as undirected.

    Example:
        >>> two = torch.tensor([[0, 1, 2, 3], [1, 0, 3, 2]])
        >>> x = torch.tensor([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0], [0.0, 1.0]])
        >>> round(limit_cosine(Data(x=x, edge_index=two)), 3)
        0.333
    """
    x, edge_index, _ = _one_graph(data, None)
    size = x.size(0)
    adjacency = to_scipy_sparse_matrix(edge_index, num_nodes=size)
    count, component = connected_components(adjacency, directed=False)
    member = torch.from_numpy(component).long().to(x.device)
    weight = (degree(edge_index[1], size, x.dtype) + 1).sqrt().unsqueeze(1)
    limit = x.new_zeros(count, x.size(1))
    limit = limit.index_add_(0, member, weight * x)
    cosine = float(mean_cosine_similarity(limit[member]))
    return cosine if math.isfinite(cosine) else None


def _one_graph(
    data: Data | HeteroData, node_type: str | None
) -> tuple[Tensor, Tensor, slice]:
    """Features and edges as one graph, and where the labelled rows are in it."""
    if isinstance(data, HeteroData):
        return _joined(data, node_type)
    x = data.x.to_dense() if data.x.layout != torch.strided else data.x
    return _narrow(x.float()), _edges(data), slice(0, x.size(0))


def _edges(store: Any) -> Tensor:
    edge_index = store.get("edge_index")
    if edge_index is None:
        edge_index = to_edge_index(store["adj_t"])[0].flip(0)
    edges: Tensor = edge_index
    return edges


def _joined(data: HeteroData, node_type: str | None) -> tuple[Tensor, Tensor, slice]:
    blocks, start, first_row = [], 0, {}
    for store in data.node_stores:
        first_row[store._key] = start
        start += store.num_nodes
        x = store.x if "x" in store else torch.ones(store.num_nodes, 1)
        blocks.append(x.float())
    x = torch.block_diag(*blocks)
    edges = [
        _edges(store)
        + torch.tensor([[first_row[store._key[0]]], [first_row[store._key[-1]]]])
        for store in data.edge_stores
    ]
    edge_index = to_undirected(torch.cat(edges, dim=1), num_nodes=start)
    first = first_row[str(node_type)]
    return _narrow(x), edge_index, slice(first, first + data[node_type].num_nodes)


def _narrow(x: Tensor) -> Tensor:
    if x.size(1) <= MAX_CHANNELS:
        return x
    generator = torch.Generator().manual_seed(0)
    projection = torch.randn(
        x.size(1), MAX_CHANNELS, generator=generator, dtype=x.dtype
    )
    narrow: Tensor = x @ (projection / MAX_CHANNELS**0.5).to(x.device)
    return narrow


def _normalized(edge_index: Tensor, num_nodes: int) -> Tensor:
    edge_index, weight = gcn_norm(edge_index, num_nodes=num_nodes, dtype=torch.float32)
    matrix = torch.sparse_coo_tensor(
        edge_index.flip(0), weight, (num_nodes, num_nodes), check_invariants=False
    )
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Sparse CSR tensor support is in beta")
        csr: Tensor = matrix.to_sparse_csr()
    return csr
