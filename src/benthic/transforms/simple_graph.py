"""An undirected graph without loops or repeated edges, that edges join and leave."""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Bool, Float64, Int64
from torch import Tensor

from benthic.errors import InputError
from benthic.typing import EdgeIndex

Nodes = Int64[np.ndarray, "_"]
Flags = Bool[np.ndarray, "_"]
Ends = Int64[np.ndarray, "2 _"]
Curvatures = Float64[np.ndarray, "_"]  # of the edges that Ends name
PerEdge = Float64[Tensor, "edges"]


class SimpleGraph:
    """Neighbors in sorted order, in memory proportional to nodes and edges.

    It never changes: an edit returns another graph, in time proportional to nodes and
    edges. Self-loops and repetitions of an edge are not in it.

    Args:
        keys: ``source * num_nodes + target`` of both directions of every edge, sorted.
        num_nodes: Number of nodes.

    Example:
        >>> triangle = torch.tensor([[0, 1, 0, 2, 1, 2], [1, 0, 2, 0, 2, 1]])
        >>> graph = SimpleGraph.of(triangle, num_nodes=4)
        >>> graph.neighbors(0), graph.degree
        (array([1, 2]), array([2, 2, 2, 0]))
    """

    def __init__(self, keys: Nodes, num_nodes: int) -> None:
        self.keys = keys
        self.num_nodes = num_nodes
        self.source, self.target = np.divmod(keys, max(num_nodes, 1))
        self.degree: Nodes = np.bincount(self.source, minlength=num_nodes)
        self._pointer = np.concatenate([[0], np.cumsum(self.degree)])

    @classmethod
    def of(cls, edge_index: EdgeIndex, num_nodes: int | None = None) -> SimpleGraph:
        """The graph of an edge list that has both directions of every edge.

        Args:
            edge_index: Both directions of every undirected edge, in any order.
            num_nodes: Number of nodes; one more than the largest index if None.

        Raises:
            InputError: If an edge names a node that is not there, or comes in one
                direction only.
        """
        source, target = _columns(edge_index)
        largest = int(edge_index.max()) if edge_index.numel() else -1
        num_nodes = largest + 1 if num_nodes is None else num_nodes
        if edge_index.numel() and (largest >= num_nodes or int(edge_index.min()) < 0):
            wrong = largest if largest >= num_nodes else int(edge_index.min())
            raise InputError(
                "edge_index",
                f"node {wrong} among {num_nodes} nodes",
                f"number the nodes from 0 to {num_nodes - 1}",
            )
        proper = source != target
        source, target = source[proper], target[proper]
        keys = np.unique(source * num_nodes + target)
        missing = np.setdiff1d(target * num_nodes + source, keys)
        if len(missing):
            raise InputError(
                "edge_index",
                f"{len(missing)} edges in one direction only",
                "make the graph undirected first, "
                "with torch_geometric.transforms.ToUndirected()",
            )
        return cls(keys, num_nodes)

    @property
    def ends(self) -> Ends:
        """Smaller and larger node of every edge, in order."""
        first = self.source < self.target
        return np.stack([self.source[first], self.target[first]])

    def neighbors(self, node: int) -> Nodes:
        """Neighbors of a node, in order."""
        return self.target[self._pointer[node] : self._pointer[node + 1]]

    def walk(self, nodes: Nodes) -> tuple[Nodes, Nodes]:
        """One step from each of the nodes to all of its neighbors.

        Returns the position in ``nodes`` where the step starts, and the node that it
        reaches.
        """
        begin = self._pointer[nodes]
        count = self._pointer[nodes + 1] - begin
        shift = np.repeat(begin - (np.cumsum(count) - count), count)
        position = np.repeat(np.arange(len(nodes)), count)
        return position, self.target[shift + np.arange(len(shift))]

    def adjacent(self, source: Nodes, target: Nodes) -> Flags:
        """Which pairs are edges; nobody is adjacent to itself."""
        if not len(self.keys):
            return np.zeros(len(source), dtype=bool)
        wanted = source * self.num_nodes + target
        place = np.searchsorted(self.keys, wanted)
        found: Flags = self.keys[np.minimum(place, len(self.keys) - 1)] == wanted
        return found

    def with_edge(self, u: int, v: int) -> SimpleGraph:
        """The graph with one more edge, between nodes that were not adjacent."""
        keys = self._both_keys(u, v)
        joined = np.insert(self.keys, np.searchsorted(self.keys, keys), keys)
        return SimpleGraph(joined, self.num_nodes)

    def without_edge(self, u: int, v: int) -> SimpleGraph:
        """The graph with an edge less."""
        place = np.searchsorted(self.keys, self._both_keys(u, v))
        return SimpleGraph(np.delete(self.keys, place), self.num_nodes)

    def _both_keys(self, u: int, v: int) -> Nodes:
        return np.sort(np.array([u * self.num_nodes + v, v * self.num_nodes + u]))


def per_column(
    curvature: Curvatures, graph: SimpleGraph, edge_index: EdgeIndex
) -> PerEdge:
    """Curvature of every column of an edge list; NaN for a loop.

    Example:
        >>> edge_index = torch.tensor([[0, 2, 1, 2, 1], [1, 1, 0, 2, 2]])
        >>> per_column(np.array([0.5, 0.25]), SimpleGraph.of(edge_index), edge_index)
        tensor([0.5000, 0.2500, 0.5000,    nan, 0.2500], dtype=torch.float64)
    """
    columns = _columns(edge_index)
    low, high = columns.min(axis=0), columns.max(axis=0)
    ends = graph.ends
    known = ends[0] * graph.num_nodes + ends[1]
    place = np.searchsorted(known, low * graph.num_nodes + high)
    padded = np.append(curvature, np.nan)
    result = np.where(low == high, np.nan, padded[np.minimum(place, len(curvature))])
    return torch.from_numpy(result).to(edge_index.device)


def _columns(edge_index: Tensor) -> Ends:
    columns: Ends = edge_index.as_subclass(Tensor).long().cpu().numpy()
    return columns
