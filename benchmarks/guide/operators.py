"""A graph's propagation matrix, and the space that its powers lead to."""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import torch
from scipy.sparse.csgraph import connected_components
from torch import Tensor
from torch_geometric.data import Data
from torch_geometric.nn.conv.gcn_conv import gcn_norm
from torch_geometric.utils import degree, to_scipy_sparse_matrix


def propagation(edge_index: Tensor, num_nodes: int) -> Tensor:
    """GCN's operator, symmetric with self-loops, as a float64 CSR matrix."""
    index, weight = gcn_norm(edge_index, num_nodes=num_nodes, dtype=torch.float64)
    return csr(index, weight, num_nodes)


def random_walk(edge_index: Tensor, num_nodes: int) -> Tensor:
    """The mean over a node and its neighbors: row-stochastic."""
    index, weight = gcn_norm(edge_index, num_nodes=num_nodes, dtype=torch.float64)
    root = (degree(edge_index[1], num_nodes, torch.float64) + 1).sqrt()
    return csr(index, weight * root[index[0]] / root[index[1]], num_nodes)


def csr(index: Tensor, weight: Tensor, num_nodes: int) -> Tensor:
    """A sparse matrix whose row is an edge's target."""
    matrix = torch.sparse_coo_tensor(
        index.flip(0), weight, (num_nodes, num_nodes), check_invariants=False
    )
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Sparse CSR tensor support is in beta")
        return matrix.to_sparse_csr()


def components(edge_index: Tensor, num_nodes: int) -> Tensor:
    """The connected component of each node, numbered from 0."""
    adjacency = to_scipy_sparse_matrix(edge_index, num_nodes=num_nodes)
    _, component = connected_components(adjacency, directed=False)
    return torch.from_numpy(component).long()


@dataclass(frozen=True)
class Limit:
    """The space of fully smoothed states: √(degree + 1) on each component.

    Args:
        component: Component of each node, ``[N]``.
        direction: Value of its component's unit vector at each node, ``[N]``.
    """

    component: Tensor
    direction: Tensor

    @classmethod
    def of(cls, data: Data) -> Limit:
        """The limit of GCN's operator on an undirected graph."""
        size = data.num_nodes
        component = components(data.edge_index, size)
        squares = degree(data.edge_index[1], size, torch.float64) + 1
        total = torch.zeros(int(component.max()) + 1, dtype=torch.float64)
        total.index_add_(0, component, squares)
        return cls(component, (squares / total[component]).sqrt())

    @property
    def dimension(self) -> int:
        """Number of directions: one for each connected component."""
        return int(self.component.max()) + 1

    def project(self, x: Tensor) -> Tensor:
        """The part of the states that propagation keeps for ever."""
        x = x.double()
        sums = x.new_zeros(self.dimension, x.size(1))
        sums.index_add_(0, self.component, self.direction[:, None] * x)
        return self.direction[:, None] * sums[self.component]

    def share(self, x: Tensor) -> float:
        """Share of ‖X‖² inside the space, 1 where smoothing is complete."""
        inside = self.project(x).square().sum() / x.double().square().sum()
        return float(inside)


def span_share(x: Tensor, direction: Tensor) -> float:
    """Share of ‖X‖² along one vector over the nodes."""
    direction = direction.double() / direction.double().norm()
    return float((direction @ x.double()).square().sum() / x.double().square().sum())
