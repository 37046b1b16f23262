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

    Of a dictionary by node type or the pair of a relation's source and target
    states, all; else every floating-point tensor with rows, the first of which is
    the likeliest.

    Args:
        args: Positional inputs of the layer.
        kwargs: Keyword inputs of the layer.
        relation: ``source__relation__target`` where the layer serves one relation.

    Example:
        >>> pair = (torch.zeros(2, 4), torch.zeros(3, 4))
        >>> [(t, len(x)) for t, x in node_states([pair], {}, "user__buys__item")]
        [('user', 2), ('item', 3)]
        >>> edge_index = torch.tensor([[0, 1], [1, 0]])
        >>> [len(x) for _, x in node_states([edge_index], {"x": torch.zeros(2, 4)})]
        [2]
    """
    states: list[tuple[str | None, Tensor]] = []
    for value in [*args, *kwargs.values()]:
        if isinstance(value, Mapping):
            return [(str(t), x) for t, x in value.items() if _is_state(x)] or states
        several = value if isinstance(value, tuple | list) else (value,)
        if relation:
            typed = zip(ends(relation), several, strict=False)
            return [(node_type, x) for node_type, x in typed if _is_state(x)]
        states += [(None, x) for x in several if _is_state(x)]
    return states


def output_states(out: Any, relation: str = "") -> list[tuple[str | None, Tensor]]:
    """The node states that a layer returned, with their node types.

    Args:
        out: What the layer returned: states, states by node type, or a tuple that
            begins with either.
        relation: ``source__relation__target`` where the layer serves one relation.

    Example:
        >>> attention = torch.zeros(5, 1)
        >>> [len(x) for _, x in output_states((torch.zeros(3, 4), attention))]
        [3]
    """
    if isinstance(out, tuple | list):
        out = out[0] if out else None
    if isinstance(out, Mapping):
        return [(str(t), x) for t, x in out.items() if _is_state(x)]
    return [(ends(relation)[1], out)] if _is_state(out) else []


def edge_inputs(
    args: Sequence[Any], kwargs: Mapping[str, Any]
) -> list[tuple[str | None, Tensor, Tensor | None]]:
    """The edges that a message-passing module was given, with their weights.

    From a dictionary by edge type only relations within one node type are taken,
    all those of one type together; a sparse matrix is PyG's transposed adjacency.
    Edges between two sets of nodes (a pair of states of different length) are none.

    Args:
        args: Positional inputs of the module.
        kwargs: Keyword inputs of the module.

    Example:
        >>> edge_index = torch.tensor([[0, 1], [1, 0]])
        >>> edge_inputs([torch.zeros(2, 4), edge_index], {})[0][1] is edge_index
        True
    """
    values = [*args, *kwargs.values()]
    if any(map(_is_bipartite, values)):
        return []
    for value in values:
        if isinstance(value, Mapping):
            within = _within_types(value)
            if within:
                return [(node_type, edges, None) for node_type, edges in within.items()]
        elif _is_edges(value):
            weights = [kwargs.get("edge_weight"), *args]
            return [
                (None, value, next((w for w in weights if _weighs(w, value)), None))
            ]
        elif torch.is_tensor(value) and value.layout != torch.strided:
            coo = value.detach().to_sparse_coo().coalesce()
            return [(None, coo.indices().flip(0), coo.values())]
    return []


def relation_of(layer: Layer, conv: nn.Module) -> str:
    """The relation that one conv of a heterogeneous layer serves, or "".

    Args:
        layer: The layer.
        conv: One of its modules.
    """
    members = [*layer.modules.items()] if layer.per_relation else []
    for module in layer.modules.values():
        for part in module.modules():
            members += part.convs.items() if isinstance(part, HeteroConv) else []
    for key, member in members:
        if any(part is conv for part in member.modules()):
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
    return (
        torch.is_tensor(x)
        and x.layout == torch.strided
        and x.is_floating_point()
        and x.dim() >= 2
    )


def _within_types(edge_index_dict: Mapping[Any, Any]) -> dict[str, Tensor]:
    within: dict[str, list[Tensor]] = {}
    for key, edges in edge_index_dict.items():
        if isinstance(key, tuple) and key[0] == key[-1] and _is_edges(edges):
            within.setdefault(str(key[0]), []).append(edges)
    return {
        node_type: torch.cat(parts, dim=1) if len(parts) > 1 else parts[0]
        for node_type, parts in within.items()
    }


def _is_bipartite(value: Any) -> bool:
    return (
        isinstance(value, tuple | list)
        and len(value) == 2
        and all(map(_is_state, value))
        and value[0].size(0) != value[1].size(0)
    )


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
