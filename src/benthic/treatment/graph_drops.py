"""Drops edges and messages inside the layers of a model."""

from __future__ import annotations

import copy
import functools
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch_geometric.nn import MessagePassing
from torch_geometric.utils import is_sparse

from benthic.errors import InputError
from benthic.nn.drop import DropMessage, EdgeDrop
from benthic.nn.torch_func import is_wrapped
from benthic.treatment.arguments import (
    Inputs,
    Place,
    count_nodes,
    edge_place,
    is_state,
    name_of,
    state_place,
)
from benthic.treatment.passes import Pass, Running


class EdgeDrops(nn.Module):
    """Drops edges from what convolutions see, alike in all layers of one pass.

    Layers that are given the same ``edge_index`` object get the same dropped object,
    and what comes per edge (weights, attributes, types) is dropped with it. In
    ``eval()`` and at strength zero the graph is handed on as it is.

    Args:
        drops: One after the other.
        running: Knows the pass that runs.
    """

    def __init__(self, drops: Sequence[EdgeDrop], running: Running) -> None:
        super().__init__()
        self.drops = nn.ModuleList(drops)
        # Between two sets of nodes (3, 5) and (5, 3) are two edges.
        self.between_types = nn.ModuleList(map(_one_way, drops))
        self._running = running

    def attach(self, conv: MessagePassing) -> None:
        """Hangs on a convolution.

        Args:
            conv: One that takes ``edge_index``.
        """
        conv.register_forward_pre_hook(self.drop, with_kwargs=True)

    def drop(
        self, conv: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> tuple[tuple[Any, ...], dict[str, Any]] | None:
        """Takes the dropped edges out of a convolution's inputs."""
        current = self._running.inside(type(conv).__name__)
        if not any(drop.training and drop.p != 0 for drop in self.drops):
            return None
        inputs = Inputs(args, kwargs)
        place = edge_place(conv, inputs)
        if place is None:
            return None
        edge_index = inputs[place]
        if not isinstance(edge_index, Tensor) or is_sparse(edge_index):
            raise InputError(
                "edge_index",
                f"a sparse matrix in {type(conv).__name__}, of which "
                f"{type(self.drops[0]).__name__} cannot drop edges",
                "give edge_index as an int64 tensor [2, E], or use DropNode",
            )
        kept = self._kept(conv, current, edge_index, inputs)
        if kept is None:
            return None
        changes = {place: kept[0]}
        for other in _per_edge(conv, inputs, place):
            value = inputs[other]
            key = id(edge_index), id(value)
            if key not in current.edges:
                current.edges[key] = value, value.index_select(0, kept[1])
            changes[other] = current.edges[key][1]
        changed = inputs.replaced(changes)
        return changed.args, changed.kwargs

    def _kept(
        self, conv: nn.Module, current: Pass, edge_index: Tensor, inputs: Inputs
    ) -> tuple[Tensor, Tensor] | None:
        """The edges that stay and where they were; None if all stay."""
        key = id(edge_index), id(edge_index)
        if key not in current.edges:
            keep = self._keep(conv, edge_index, inputs)
            if is_wrapped(keep):
                raise InputError(
                    "treatments",
                    f"{type(self.drops[0]).__name__} under torch.func.vmap, where "
                    "each member would have another number of edges",
                    "drop edges before vmap, or use DropNode or DropMessage",
                )
            where = keep.nonzero().view(-1)
            stay = None
            if len(where) < edge_index.size(1):
                stay = edge_index.index_select(1, where), where
            current.edges[key] = edge_index, stay
        return current.edges[key][1]  # type: ignore[no-any-return]

    def _keep(self, conv: nn.Module, edge_index: Tensor, inputs: Inputs) -> Tensor:
        num_sources, num_targets = _num_nodes(conv, edge_index, inputs)
        drops, num_nodes = self.drops, num_sources
        if num_targets is not None:
            edge_index = edge_index + edge_index.new_tensor([[0], [num_sources]])
            drops, num_nodes = self.between_types, num_sources + num_targets
        masks: list[Tensor] = [drop(edge_index, num_nodes) for drop in drops]
        return functools.reduce(torch.logical_and, masks)


class MessageDrops(nn.Module):
    """Drops numbers of the messages that convolutions send.

    Args:
        drop: What drops.
    """

    def __init__(self, drop: DropMessage) -> None:
        super().__init__()
        self.drop = drop

    def attach(self, conv: MessagePassing) -> None:
        """Hangs on a convolution.

        Args:
            conv: One that forms messages.
        """
        if self.drop.p == 0:  # with a hook, layers form messages, and round otherwise
            return
        conv.register_message_forward_hook(self.drop_messages)
        conv.register_propagate_forward_pre_hook(self.refuse_sparse)

    def drop_messages(self, _: nn.Module, _inputs: Any, messages: Any) -> Any:
        """Drops from the messages of one propagation."""
        return self.drop(messages) if isinstance(messages, Tensor) else None

    def refuse_sparse(self, conv: MessagePassing, inputs: Any) -> None:
        """Refuses a propagation that forms no messages."""
        edge_index = inputs[0]
        fuses = conv.fuse and (
            not isinstance(edge_index, Tensor)
            or is_sparse(edge_index)
            or type(edge_index) is not Tensor
        )
        if fuses and self.drop.training and self.drop.p != 0:
            raise InputError(
                "edge_index",
                f"a sparse matrix in {type(conv).__name__}, which then forms no "
                "messages to drop",
                "give edge_index as an int64 tensor [2, E], or use DropNode",
            )


def _one_way(drop: EdgeDrop) -> EdgeDrop:
    one_way: Any = copy.deepcopy(drop)
    if hasattr(drop, "undirected"):
        one_way.undirected = False
    return one_way  # type: ignore[no-any-return]


def _num_nodes(
    conv: nn.Module, edge_index: Tensor, inputs: Inputs
) -> tuple[int, int | None]:
    """Sources and targets; None for targets that are the sources."""
    nodes: Any = conv.node_dim
    place = state_place(inputs)
    states = None if place is None else inputs[place]
    if isinstance(states, tuple | list) and len(states) == 2:
        source, target = states
        if source is not target:
            given = count_nodes(target, nodes) if is_state(target) else 0
            rows = [edge_index[0], edge_index[1]]
            low = [int(row.max()) + 1 if row.numel() else 0 for row in rows]
            num_sources = count_nodes(source, nodes) if is_state(source) else 0
            return max(num_sources, low[0]), max(given, low[1])
        states = source
    if is_state(states):
        return count_nodes(states, nodes), None  # type: ignore[arg-type]
    return int(edge_index.max()) + 1 if edge_index.numel() else 0, None


def _per_edge(conv: nn.Module, inputs: Inputs, edges: Place) -> list[Place]:
    """The inputs that have a row for each edge."""
    num_edges = inputs[edges].size(1)
    states = state_place(inputs)
    return [
        place
        for place in inputs.places
        if place not in (edges, states)
        and isinstance(value := inputs[place], Tensor)
        and value.dim() > 0
        and value.size(0) == num_edges
        and _is_per_edge(conv, inputs, place, num_edges)
    ]


def _is_per_edge(conv: nn.Module, inputs: Inputs, place: Place, num_edges: int) -> bool:
    if name_of(conv, place).startswith("edge_"):
        return True
    states = state_place(inputs)
    value = None if states is None else inputs[states]
    nodes: Any = conv.node_dim
    rows = [
        count_nodes(x, nodes)
        for x in (value if isinstance(value, tuple) else (value,))
        if is_state(x)
    ]
    return num_edges not in rows
