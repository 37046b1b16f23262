"""A random graph, and the two ways in which it propagates."""

from __future__ import annotations

import numpy as np
import torch
from torch_geometric.utils import to_undirected


def some_graph(num_nodes: int = 30, num_edges: int = 60) -> torch.Tensor:
    """Connected, undirected, of uneven degrees."""
    ring = torch.stack([torch.arange(num_nodes), torch.arange(num_nodes).roll(-1)])
    return to_undirected(torch.cat([ring, torch.randint(num_nodes, (2, num_edges))], 1))


def adjacency(edge_index: torch.Tensor, num_nodes: int = 30) -> np.ndarray:
    matrix = np.zeros((num_nodes, num_nodes))
    matrix[edge_index[0], edge_index[1]] = 1
    np.fill_diagonal(matrix, 1)
    return matrix


def symmetric(edge_index: torch.Tensor, num_nodes: int = 30) -> torch.Tensor:
    matrix = adjacency(edge_index, num_nodes)
    root = np.sqrt(matrix.sum(1))
    return torch.from_numpy(matrix / root[:, None] / root[None])


def row_stochastic(edge_index: torch.Tensor, num_nodes: int = 30) -> torch.Tensor:
    matrix = adjacency(edge_index, num_nodes)
    return torch.from_numpy(matrix / matrix.sum(1, keepdims=True))
