"""What a layer's forward asks for, of what there is."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from torch import Tensor, nn

from benthic.errors import InputError

__all__ = ["convolve", "parameter_names", "refuse_untaken", "some_takes", "taken"]

_EDGE_INPUTS = ("edge_weight", "edge_attr", "edge_type")


def parameter_names(kind: type[nn.Module]) -> tuple[str, ...]:
    """What a class of modules calls its inputs.

    Args:
        kind: The class; where its ``forward`` only hands on what it is given, the
            class that it was made from is asked.

    Example:
        >>> from torch_geometric.nn import GCNConv
        >>> parameter_names(GCNConv)
        ('x', 'edge_index', 'edge_weight')
    """
    return next(
        (names for forward in _forwards(kind) if (names := _names(forward))), ()
    )


def taken(module: nn.Module, offered: Mapping[str, Any]) -> dict[str, Any]:
    """What a module's ``forward`` asks for, of what there is.

    Args:
        module: Any module.
        offered: By name; None where there is none.

    Example:
        >>> from torch_geometric.nn import GCNConv
        >>> taken(GCNConv(1, 1), {"edge_weight": 1, "edge_attr": 2, "batch": None})
        {'edge_weight': 1}
    """
    given = {name: value for name, value in offered.items() if value is not None}
    return {name: v for name, v in given.items() if _takes(type(module), name)}


def some_takes(modules: Iterable[nn.Module], name: str) -> bool:
    """Whether the ``forward`` of at least one module asks for an input.

    Args:
        modules: Any modules.
        name: Of the input.

    Example:
        >>> from torch_geometric.nn import GCNConv, SAGEConv
        >>> some_takes([SAGEConv(1, 1), GCNConv(1, 1)], "edge_weight")
        True
    """
    return any(_takes(type(module), name) for module in modules)


def refuse_untaken(layers: Sequence[nn.Module], given: Iterable[str]) -> None:
    """Refuses inputs of edges that no layer looks at.

    Args:
        layers: All that there are.
        given: Names of the inputs.

    Raises:
        InputError: If there is one.

    Example:
        >>> from torch_geometric.nn import SAGEConv
        >>> refuse_untaken([SAGEConv(1, 1)], ["edge_weight"])
        Traceback (most recent call last):
        ...
        benthic.errors.InputError: edge_weight: found values for SAGEConv, which \
takes none; leave them out, or take a layer that does, such as GCNConv
    """
    for name in given:
        if layers and not some_takes(layers, name):
            raise InputError(
                name,
                f"values for {_plain_name(type(layers[0]))}, which takes none",
                "leave them out, or take a layer that does, such as "
                f"{'GCNConv' if name == 'edge_weight' else 'GATv2Conv'}",
            )


def convolve(
    conv: nn.Module, x: Tensor, edge_index: Tensor, offered: Mapping[str, Any]
) -> Tensor:
    """What a layer computes from states and edges and whatever else it asks for.

    Args:
        conv: The layer.
        x: States, ``[N, C]``.
        edge_index: The graph, ``[2, E]``.
        offered: Further inputs by name; None where there is none.

    Raises:
        InputError: If the layer fails for want of features or types of edges.

    Example:
        >>> import torch
        >>> from torch_geometric.nn import GCNConv
        >>> x, edge_index = torch.ones(2, 3), torch.tensor([[0], [1]])
        >>> convolve(GCNConv(3, 2), x, edge_index, {"batch": None}).shape
        torch.Size([2, 2])
    """
    inputs = taken(conv, offered)
    try:
        if "x_0" in inputs:  # stands before the edges
            out: Tensor = conv(x, edge_index=edge_index, **inputs)
        else:
            out = conv(x, edge_index, **inputs)
    except (AssertionError, AttributeError, TypeError) as error:
        asked = (n for n in _EDGE_INPUTS[1:] if _takes(type(conv), n))
        missing = next((name for name in asked if name not in inputs), "")
        is_why = isinstance(error, AssertionError) or "None" in str(error)
        if not (missing and is_why):
            raise
        remedy = f"give it: {_plain_name(type(conv))} asks for it"
        raise InputError(missing, "None", remedy) from error
    return out


def _forwards(kind: type[nn.Module]) -> list[Callable[..., Any]]:
    forwards = (vars(ancestor).get("forward") for ancestor in kind.__mro__)
    return [forward for forward in forwards if inspect.isfunction(forward)]


@functools.cache
def _names(forward: Callable[..., Any]) -> tuple[str, ...]:
    parameters = list(inspect.signature(forward).parameters.values())[1:]
    if any(p.kind is p.VAR_POSITIONAL for p in parameters):
        return ()
    return tuple(p.name for p in parameters if p.kind is not p.VAR_KEYWORD)


def _takes(kind: type[nn.Module], name: str) -> bool:
    names = parameter_names(kind)
    if name in names:
        return True
    forward = next((f for f in _forwards(kind) if _names(f)), None)
    if forward is None or name not in _EDGE_INPUTS:
        return False
    parameters = inspect.signature(forward).parameters.values()
    return any(p.kind is p.VAR_KEYWORD for p in parameters)


def _plain_name(kind: type[nn.Module]) -> str:
    """The class, by PyG's name where it was accelerated."""
    return kind.__name__.removeprefix("Cached")
