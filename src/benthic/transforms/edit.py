"""What a rewiring may meet in a graph, and what it leaves there."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch_geometric.data import Batch, Data, HeteroData

from benthic.errors import InputError
from benthic.transforms.simple_graph import SimpleGraph
from benthic.typing import EdgeIndex, Mask

# What is known of an edge that a rewiring adds. Everything else about edges is not.
_KNOWN = ("edge_index", "edge_weight", "edge_type")


def check_graph(data: Any, *, needs_edges: bool = True) -> None:
    """Refuses what is not one homogeneous graph, and names what comes nearest.

    Args:
        data: Anything.
        needs_edges: Whether ``data.edge_index`` must be there.

    Raises:
        InputError: If ``data`` is heterogeneous, a batch, or without ``edge_index``.

    Example:
        >>> check_graph(HeteroData())
        Traceback (most recent call last):
        ...
        benthic.errors.InputError: data: found a heterogeneous graph; rewire \
data.to_homogeneous(), where VirtualNode works too, or join types by \
torch_geometric.transforms.AddMetaPaths
    """
    if isinstance(data, HeteroData):
        raise InputError(
            "data",
            "a heterogeneous graph",
            "rewire data.to_homogeneous(), where VirtualNode works too, or join types "
            "by torch_geometric.transforms.AddMetaPaths",
        )
    if isinstance(data, Batch):
        raise InputError(
            "data",
            f"a batch of {data.num_graphs} graphs",
            "rewire each graph before batching, as a dataset's pre_transform",
        )
    if not isinstance(data, Data):
        raise InputError(
            "data", f"an object of type {type(data).__name__}", "give a PyG Data"
        )
    if needs_edges and data.get("edge_index") is None:
        keys = ", ".join(data.keys()) or "nothing"
        raise InputError(
            "edge_index",
            f"no edges (data has {keys})",
            "set data.edge_index to an int64 tensor of shape [2, num_edges]",
        )


def check_added_edges(data: Data) -> None:
    """Refuses a graph whose edges have features: nobody knows those of an added one.

    Raises:
        InputError: If an edge-level tensor is there besides ``edge_index``,
            ``edge_weight`` and ``edge_type``.
    """
    for key in _edge_tensors(data):
        if key not in _KNOWN:
            raise InputError(
                key,
                f"features of {data.num_edges} edges",
                f"delete data.{key}, which added edges lack, or use EGP, whose edges "
                "are a set of their own",
            )


def write_edges(data: Data, after: SimpleGraph) -> Data:
    """Gives ``data`` the edges of another graph on the same nodes.

    Edges that stay keep their order and all that is known of them, self-loops and
    repetitions too. Added edges follow, both directions, with ``edge_weight`` 1 and,
    where there is an ``edge_type``, a type of their own: one more than the largest.

    Args:
        data: The graph, which is edited; its tensors are not.
        after: The edges it shall have.

    Example:
        >>> edge_index = torch.tensor([[0, 1, 1, 2], [1, 0, 2, 1]])
        >>> data = Data(edge_index=edge_index, edge_type=torch.zeros(4).long())
        >>> data.num_nodes = 3
        >>> after = SimpleGraph.of(edge_index).without_edge(0, 1).with_edge(0, 2)
        >>> write_edges(data, after).edge_index
        tensor([[1, 2, 0, 2],
                [2, 1, 2, 0]])
        >>> data.edge_type
        tensor([0, 0, 1, 1])
    """
    edge_index = data.edge_index.as_subclass(Tensor).long()  # may be an EdgeIndex
    source, target = edge_index.cpu().numpy()
    stays = torch.from_numpy((source == target) | after.adjacent(source, target))
    before = SimpleGraph.of(edge_index, after.num_nodes)
    is_added = ~before.adjacent(after.source, after.target)
    added = torch.stack(
        [torch.from_numpy(end[is_added]) for end in (after.source, after.target)]
    )
    if not bool(stays.all()) or added.shape[1]:
        _replace(data, stays, added)
    return data


def append_edges(data: Data, edge_index: EdgeIndex) -> Data:
    """Adds those edges that ``data`` lacks, as a type of their own.

    Args:
        data: The graph, which is edited; its tensors are not.
        edge_index: Edges to add, none of them twice.

    Example:
        >>> data = Data(edge_index=torch.tensor([[0], [1]]), num_nodes=2)
        >>> data = append_edges(data, torch.tensor([[0, 1], [1, 0]]))
        >>> data.edge_index, data.edge_type
        (tensor([[0, 1],
                [1, 0]]), tensor([0, 1]))
    """
    present = data.edge_index.as_subclass(Tensor).long()
    size = int(data.num_nodes or 0)
    known = present[0] * size + present[1]
    added = edge_index.to(present.device)
    added = added[:, ~torch.isin(added[0] * size + added[1], known)]
    add_edge_type(data)
    if added.shape[1]:
        _replace(data, torch.ones(present.shape[1], dtype=torch.bool), added)
    return data


def add_edge_type(data: Data) -> None:
    """Calls the edges that are there type 0, unless they have their types.

    Example:
        >>> data = Data(edge_index=torch.tensor([[0, 1], [1, 0]]), num_nodes=2)
        >>> add_edge_type(data)
        >>> data.edge_type
        tensor([0, 0])
    """
    if data.get("edge_type") is None:
        data.edge_type = torch.zeros_like(data.edge_index[0].as_subclass(Tensor))


def _replace(data: Data, stays: Mask, added: EdgeIndex) -> None:
    edge_tensors = {key: data[key] for key in _edge_tensors(data)}
    for key, value in edge_tensors.items():
        dim = data.__cat_dim__(key, value)
        place = stays.nonzero().flatten().to(value.device)
        kept = value.as_subclass(Tensor).index_select(dim, place)
        if key == "edge_index":
            data[key] = torch.cat([kept, added.to(value.device)], dim=1)
        else:
            data[key] = _extended(key, value, kept, added.shape[1])


def _extended(key: str, value: Tensor, kept: Tensor, num_added: int) -> Tensor:
    if not num_added:
        return kept
    fill = 1
    if key == "edge_type":
        fill = int(value.max()) + 1 if value.numel() else 1
    return torch.cat([kept, kept.new_full((num_added, *kept.shape[1:]), fill)])


def _edge_tensors(data: Data) -> list[str]:
    """Names of the tensors with an entry per edge; other lists of edges are not."""
    return [
        key
        for key in data.keys()
        if isinstance(data[key], Tensor)
        and (key == "edge_index" or not key.endswith("_index"))
        and not key.startswith("edge_label")
        and data.is_edge_attr(key)
    ]
