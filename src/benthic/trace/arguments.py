"""Finds node states, edges and relations among the inputs of a layer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch_geometric.nn import HeteroConv

from benthic.trace.layers import Layer


def node_states(
    args: Sequence[Any], kwargs: Mapping[str, Any], relation: str = ""
) -> list[tuple[str | None, Tensor]]:
    """The node states that a layer was given, with their node types.

    The first argument counts: a tensor, a dictionary by node type, or the pair of
    a relation's source and target states.

    Args:
        args: Positional inputs of the layer.
        kwargs: Keyword inputs of the layer.
        relation: ``source__relation__target`` where the layer serves one relation.

    Example:
        >>> pair = (torch.zeros(2, 4), torch.zeros(3, 4))
        >>> [(t, len(x)) for t, x in node_states([pair], {}, "user__buys__item")]
        [('user', 2), ('item', 3)]
    """
    first = args[0] if args else next(iter(kwargs.values()), None)
    if isinstance(first, Mapping):
        return [(str(t), x) for t, x in first.items() if _is_state(x)]
    source, target = ends(relation)
    pair = first if isinstance(first, tuple | list) else (first, None)
    states = [
        (node_type, x)
        for node_type, x in zip((source, target), pair, strict=False)
        if _is_state(x)
    ]
    return states if relation else states[:1]


def edge_inputs(
    args: Sequence[Any], kwargs: Mapping[str, Any]
) -> list[tuple[str | None, Tensor, Tensor | None]]:
    """The edges that a message-passing module was given, with their weights.

    From a dictionary by edge type only relations within one node type are taken;
    a sparse matrix is PyG's transposed adjacency.

    Args:
        args: Positional inputs of the module.
        kwargs: Keyword inputs of the module.

    Example:
        >>> edge_index = torch.tensor([[0, 1], [1, 0]])
        >>> edge_inputs([torch.zeros(2, 4), edge_index], {})[0][1] is edge_index
        True
    """
    for value in [*args, *kwargs.values()]:
        if isinstance(value, Mapping):
            within = {
                str(key[0]): edges
                for key, edges in value.items()
                if isinstance(key, tuple) and key[0] == key[-1] and _is_edges(edges)
            }
            if within:
                return [(node_type, edges, None) for node_type, edges in within.items()]
        elif _is_edges(value):
            weights = [kwargs.get("edge_weight"), *args]
            return [
                (None, value, next((w for w in weights if _weighs(w, value)), None))
            ]
        elif torch.is_tensor(value) and value.layout != torch.strided:
            coo = value.to_sparse_coo().coalesce()
            return [(None, coo.indices().flip(0), coo.values())]
    return []


def relation_of(layer: Layer, conv: nn.Module) -> str:
    """The relation that one conv of a heterogeneous layer serves, or "".

    Args:
        layer: The layer.
        conv: One of its modules.
    """
    module = layer.modules.get("")
    members: Any = layer.modules
    if isinstance(module, HeteroConv):
        members = module.convs
    for key, member in members.items():
        if member is conv:
            return "__".join(key) if isinstance(key, tuple) else str(key)
    return ""


def ends(relation: str) -> tuple[str | None, str | None]:
    """Source and target node type of ``source__relation__target``.

    Args:
        relation: The relation; None and None for "".

    Example:
        >>> ends("user__buys__item")
        ('user', 'item')
    """
    if not relation:
        return None, None
    return relation.partition("__")[0], relation.rpartition("__")[2]


def _is_state(x: Any) -> bool:
    return torch.is_tensor(x) and x.is_floating_point() and x.dim() >= 2


def _is_edges(value: Any) -> bool:
    return (
        torch.is_tensor(value)
        and value.layout == torch.strided
        and value.dtype == torch.int64
        and value.dim() == 2
        and value.size(0) == 2
    )


def _weighs(value: Any, edge_index: Tensor) -> bool:
    return (
        torch.is_tensor(value)
        and value.is_floating_point()
        and value.dim() == 1
        and value.numel() == edge_index.size(1)
    )
