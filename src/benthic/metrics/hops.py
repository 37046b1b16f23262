"""How many messages lie between two nodes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from jaxtyping import Int64
from torch import Tensor
from torch_geometric.data import Data, HeteroData
from torch_geometric.utils import to_edge_index

from benthic.errors import InputError
from benthic.typing import EdgeIndex

HopOfNode = Int64[Tensor, "nodes"]


class Hops:
    """Counts the messages from every node to one, along the edges.

    A message goes from row 0 to row 1 of ``edge_index``, or from column to row of
    ``adj_t``. A ``HeteroData`` is one graph of all its edge types.

    Args:
        data: The graph.
        node_type: Type of the nodes asked about, in a ``HeteroData``.
        heard: Types of the nodes counted from, in a ``HeteroData``; all by default.

    Raises:
        InputError: If ``data`` has no edges stored as one of these two.

    Example:
        >>> path = Data(edge_index=torch.tensor([[0, 1], [1, 2]]), num_nodes=4)
        >>> Hops(path).into(1)
        tensor([ 1,  0, -1, -1])
    """

    def __init__(
        self,
        data: Data | HeteroData,
        node_type: str | None = None,
        heard: Sequence[str | None] | None = None,
    ) -> None:
        if isinstance(data, HeteroData):
            sizes = [int(data[name].num_nodes or 0) for name in data.node_types]
            starts = [sum(sizes[:i]) for i in range(len(sizes))]
            first = dict(zip(data.node_types, starts, strict=True))
            parts = [
                _edges(store) + torch.tensor([[first[source]], [first[target]]])
                for (source, _, target), store in data.edge_items()
            ]
            self._start, num_nodes = first[node_type], sum(sizes)
            nodes = torch.arange(num_nodes).split(sizes)
            types = zip(data.node_types, nodes, strict=True)
            ranges = [ids for name, ids in types if heard is None or name in heard]
            self._heard = torch.cat(ranges)
        else:
            parts = [_edges(data)]
            self._start, num_nodes = 0, int(data.num_nodes or 0)
            self._heard = torch.arange(num_nodes)
        edge_index = torch.cat([torch.empty(2, 0, dtype=torch.long), *parts], dim=1)
        target, order = edge_index[1].sort()
        self._source = edge_index[0, order]
        degree = torch.bincount(target, minlength=num_nodes)
        self._pointer = torch.cat([degree.new_zeros(1), degree.cumsum(0)])

    def into(self, node: int) -> HopOfNode:
        """Hops from each node to ``node``; -1 where no path leads to it."""
        hop = torch.full((len(self._pointer) - 1,), -1)
        fresh, depth = torch.tensor([self._start + node]), 0
        while len(fresh):
            hop[fresh] = depth
            senders = self._senders(fresh)
            fresh = senders[hop[senders] < 0].unique()
            depth += 1
        return hop[self._heard]

    def _senders(self, nodes: Tensor) -> Tensor:
        begin = self._pointer[nodes]
        count = self._pointer[nodes + 1] - begin
        skipped = count.cumsum(0) - count
        shift = (begin - skipped).repeat_interleave(count)
        return self._source[shift + torch.arange(len(shift))]


def _edges(store: Any) -> EdgeIndex:
    """Source and target of each message, on the CPU."""
    if store.get("edge_index") is not None:
        edge_index: Tensor = store["edge_index"].as_subclass(Tensor).cpu()
        return edge_index
    if store.get("adj_t") is not None:
        edge_index = to_edge_index(store["adj_t"])[0].flip(0).cpu()
        return edge_index
    raise InputError("data", "neither edge_index nor adj_t", "give the edges")
