"""Reads and replaces node states and edges among the inputs of a layer."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from benthic.nn.forward_inputs import parameter_names

Place = tuple[bool, Any]
"""Whether an input was given by position, and its position or name."""


@dataclass(frozen=True)
class Inputs:
    """What a module was called with."""

    args: tuple[Any, ...]
    kwargs: dict[str, Any]

    def __getitem__(self, place: Place) -> Any:
        by_position, key = place
        return self.args[key] if by_position else self.kwargs[key]

    def replaced(self, changes: Mapping[Place, Any]) -> Inputs:
        """The same inputs but for some.

        Args:
            changes: New values by place.
        """
        args, kwargs = list(self.args), dict(self.kwargs)
        for (by_position, key), value in changes.items():
            if by_position:
                args[key] = value
            else:
                kwargs[key] = value
        return Inputs(tuple(args), kwargs)

    @property
    def kind(self) -> frozenset[Any]:
        """What was given, with the words and switches that may choose an answer."""
        return frozenset(
            (place, value)
            if isinstance(value := self[place], str | bool | None)
            else place
            for place in self.places
        )

    @property
    def places(self) -> list[Place]:
        """Every input, by position first."""
        positions: list[Place] = [(True, i) for i in range(len(self.args))]
        return positions + [(False, key) for key in self.kwargs]


def state_place(inputs: Inputs) -> Place | None:
    """Where the node states are: the first tensor of them, pair or dictionary.

    Args:
        inputs: What a layer was called with.

    Example:
        >>> edge_index = torch.tensor([[0], [1]])
        >>> state_place(Inputs((edge_index,), {"x": torch.ones(2, 3)}))
        (False, 'x')
    """
    return next((p for p in inputs.places if _holds_states(inputs[p])), None)


def _holds_states(value: Any) -> bool:
    if isinstance(value, Mapping):
        return any(map(is_state, value.values()))
    if isinstance(value, tuple | list):
        return any(map(is_state, value))
    return is_state(value)


def is_state(x: Any) -> bool:
    """Whether this may be states of nodes: numbers, a row for each node.

    Args:
        x: Anything.
    """
    return (
        isinstance(x, Tensor)
        and x.layout == torch.strided
        and x.is_floating_point()
        and x.dim() >= 2
    )


def target_states(value: Any) -> dict[str, Tensor]:
    """The states at which messages arrive, by node type or by "".

    Args:
        value: States, a pair for sources and targets, or states by node type.

    Example:
        >>> pair = torch.zeros(5, 2), torch.zeros(3, 2)
        >>> len(target_states(pair)[""])
        3
    """
    if isinstance(value, Mapping):
        return {str(key): x for key, x in value.items() if is_state(x)}
    if isinstance(value, tuple | list):
        value = value[-1] if value else None
    return {"": value} if is_state(value) else {}


def count_nodes(x: Tensor, node_dim: int) -> int:
    """Nodes of states; of two dimensions the first, whatever a layer says of more.

    Args:
        x: States, ``[N, C]`` or more.
        node_dim: Where the layer has nodes (PyG's name).

    Example:
        >>> count_nodes(torch.ones(5, 2), -3), count_nodes(torch.ones(7, 5, 2), -2)
        (5, 5)
    """
    return x.size(node_dim if x.dim() > 2 else 0)


def is_of_one_kind(value: Any) -> bool:
    """Whether messages come from the very rows that they go to.

    Args:
        value: States, or a pair for sources and targets.

    Example:
        >>> x = torch.zeros(5, 2)
        >>> is_of_one_kind(x), is_of_one_kind((x, x)), is_of_one_kind((x, x[:3]))
        (True, True, False)
    """
    if not isinstance(value, tuple | list):
        return True
    source, target = value[0], value[-1]
    return source is target or (
        is_state(source)
        and is_state(target)
        and source.shape == target.shape
        and source.data_ptr() == target.data_ptr()
    )


def map_tensors(value: Any, function: Callable[[Tensor], Tensor]) -> Any:
    """States, pairs or dictionaries of them, each tensor mapped.

    Args:
        value: What :func:`state_place` points to.
        function: What to do with each tensor.

    Example:
        >>> map_tensors((torch.ones(1, 1), None), torch.neg)
        (tensor([[-1.]]), None)
    """
    if isinstance(value, Mapping):
        return {key: map_tensors(item, function) for key, item in value.items()}
    if isinstance(value, tuple | list):
        return type(value)(map_tensors(item, function) for item in value)
    return function(value) if is_state(value) else value


def edge_place(module: nn.Module, inputs: Inputs) -> Place | None:
    """Where the edges are, dense or sparse.

    Args:
        module: A message-passing module.
        inputs: What it was called with.

    Example:
        >>> from torch_geometric.nn import GCNConv
        >>> edge_index = torch.tensor([[0], [1]])
        >>> edge_place(GCNConv(3, 2), Inputs((torch.ones(2, 3), edge_index), {}))
        (True, 1)
    """
    for place in inputs.places:
        if name_of(module, place) == "edge_index":
            return place
    return next((p for p in inputs.places if is_edges(inputs[p])), None)


def is_edges(value: Any) -> bool:
    """Whether this is a list of edges, ``[2, E]``.

    Args:
        value: Anything.
    """
    return (
        isinstance(value, Tensor)
        and value.layout == torch.strided
        and value.dtype == torch.int64
        and value.dim() == 2
        and value.size(0) == 2
    )


def name_of(module: nn.Module, place: Place) -> str:
    """What a module calls one of its inputs; "" if that cannot be told.

    Args:
        module: Any module.
        place: The input.
    """
    by_position, key = place
    if not by_position:
        return str(key)
    names = parameter_names(type(module))
    return names[key] if key < len(names) else ""


def graph_of_nodes(module: nn.Module, inputs: Inputs) -> Any:
    """Which graph of a mini-batch each node belongs to; None for one graph.

    The input called ``batch``, or the ``batch`` of a PyG batch; by node type where
    there are several.

    Args:
        module: The model.
        inputs: What it was called with.
    """
    for place in inputs.places:
        value = inputs[place]
        if name_of(module, place) in ("batch", "batch_dict"):
            if is_graph(value) or isinstance(value, Mapping):
                return value
        for name in ("batch", "batch_dict"):
            found = getattr(value, name, None) if hasattr(value, "to_dict") else None
            if is_graph(found) or isinstance(found, Mapping):
                return found
    return None


def unnamed_graphs(module: nn.Module, inputs: Inputs) -> str:
    """The input that may number graphs under another name than ``batch``; "" if none.

    Args:
        module: The model.
        inputs: What it was called with.

    Example:
        >>> inputs = Inputs((torch.ones(3, 2),), {"graph_ids": torch.tensor([0, 0, 1])})
        >>> unnamed_graphs(nn.Identity(), inputs)
        'graph_ids'
    """
    if graph_of_nodes(module, inputs) is not None:
        return ""
    places = [place for place in inputs.places if may_be_graphs(inputs[place])]
    return next((name_of(module, place) or "one" for place in places), "")


def may_be_graphs(value: Any) -> bool:
    """Whether these may be graphs of nodes: numbers from 0 in order, several of them.

    Args:
        value: Anything.
    """
    if not is_graph(value) or value.numel() == 0:
        return False
    try:
        return bool(value[0] == 0 and value[-1] > 0 and (value.diff() >= 0).all())
    except RuntimeError:  # members of a vmap batch have each their own numbers
        return False


def is_graph(batch: Any) -> bool:
    """Whether this numbers graphs, ``[N]``.

    Args:
        batch: Anything.
    """
    return isinstance(batch, Tensor) and batch.dim() == 1 and batch.dtype == torch.int64
