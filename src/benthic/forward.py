"""How a model is called on a graph, a batch or a loader of batches."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, TypeAlias

from torch import Tensor, nn
from torch_geometric.data import Data, HeteroData

from benthic.errors import InputError

Forward: TypeAlias = Callable[[nn.Module, Any], Any]
"""How to call a model on one batch; :func:`call_model` unless the user says so."""

# Optional arguments that are inputs of a graph. Anything else that a batch happens
# to carry (labels above all) is never handed to an optional argument.
_OPTIONAL_INPUTS = ("edge_weight", "edge_attr", "edge_type", "batch", "pos")
_WHOLE_BATCH = ("data", "graph", "g", "hetero_data")


def iterate_batches(data: Any) -> Iterator[Any]:
    """Yields the batches of a loader, or the one graph that was given.

    A graph is a PyG ``Data`` or ``HeteroData``, a tuple of positional inputs, or a
    mapping of keyword inputs. Any other iterable is taken as a loader.

    Args:
        data: A graph, a batch, or an iterable of them.

    Raises:
        InputError: If ``data`` is none of these.

    Example:
        >>> graph = Data(x=torch.ones(2, 1), edge_index=torch.tensor([[0], [1]]))
        >>> len(list(iterate_batches(graph))), len(list(iterate_batches([graph] * 3)))
        (1, 3)
    """
    if isinstance(data, Data | HeteroData | Tensor | tuple | Mapping):
        yield data
    elif isinstance(data, Iterable):
        yield from data
    else:
        raise InputError(
            "data",
            f"an object of type {type(data).__name__}",
            "give a PyG Data or HeteroData, a tuple of inputs, or a loader of them",
        )


def call_model(model: nn.Module, data: Any) -> Any:
    """Calls ``model`` on one batch, matching the names its ``forward`` asks for.

    A tuple is passed by position and a mapping by keyword. From a ``Data`` or
    ``HeteroData``, each required argument of ``forward`` is looked up by name
    (``x``, ``edge_index``, ``x_dict``, …); a model with one argument called
    ``data`` gets the whole batch. Optional arguments receive ``edge_weight``,
    ``edge_attr``, ``edge_type``, ``batch`` and ``pos`` where the batch has them.

    Args:
        model: Any module.
        data: One graph or batch.

    Raises:
        InputError: If ``forward`` asks for something that the batch has not.

    Example:
        >>> from torch_geometric.nn import GCNConv
        >>> graph = Data(x=torch.ones(3, 4), edge_index=torch.tensor([[0, 1], [1, 2]]))
        >>> call_model(GCNConv(4, 2), graph).shape
        torch.Size([3, 2])
    """
    if isinstance(data, Tensor):
        return model(data)
    if isinstance(data, tuple):
        return model(*data)
    if isinstance(data, Mapping):
        return model(**data)
    args, kwargs = _bind(model, data)
    return model(*args, **kwargs)


def _bind(
    model: nn.Module, data: Data | HeteroData
) -> tuple[list[Any], dict[str, Any]]:
    names, optional = _parameter_names(model)
    if len(names) == 1 and _lookup(data, names[0]) is None:
        return [data], {}
    args = []
    for name in names:
        value = data if name in _WHOLE_BATCH else _lookup(data, name)
        if value is None:
            raise InputError(
                "data",
                f"no attribute {name!r}, which {type(model).__name__}.forward needs "
                f"(it has {', '.join(map(str, data.keys()))})",
                "add it, or say how to call the model: forward=lambda model, data: …",
            )
        args.append(value)
    kwargs = {
        name: value
        for name in optional
        if name in _OPTIONAL_INPUTS and (value := _lookup(data, name)) is not None
    }
    return args, kwargs


def _parameter_names(model: nn.Module) -> tuple[list[str], list[str]]:
    """Names of the required and of the optional arguments of ``forward``."""
    signature = getattr(model, "signature", None)  # torch_geometric.nn.Sequential
    if signature is not None and hasattr(signature, "param_dict"):
        return list(signature.param_dict), []
    required: list[str] = []
    optional: list[str] = []
    for parameter in inspect.signature(model.forward).parameters.values():
        if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
            continue
        has_default = parameter.default is not parameter.empty
        (optional if has_default else required).append(parameter.name)
    return (required or ["x"]), optional


def _lookup(data: Data | HeteroData, name: str) -> Any:
    if isinstance(data, HeteroData):
        # to_hetero() keeps the homogeneous names but takes dictionaries.
        value = data.collect(name.removesuffix("_dict"), allow_empty=True)
        return value or None
    return data[name] if name in data else None


def output_rows(output: Any, node_type: str | None = None) -> Tensor:
    """The tensor of predictions in whatever a model returned.

    The first tensor of a tuple, and of a dictionary the entry of ``node_type``.

    Args:
        output: What ``forward`` returned.
        node_type: Which entry of a dictionary to take.

    Raises:
        InputError: If there is no tensor, or no entry for ``node_type``.

    Example:
        >>> output_rows({"user": torch.zeros(2, 3)}, "user").shape
        torch.Size([2, 3])
    """
    if isinstance(output, Mapping):
        if node_type not in output:
            raise InputError(
                "model",
                f"an output for {sorted(map(str, output))}, none for {node_type!r}",
                "label a node type that the model predicts",
            )
        return output_rows(output[node_type])
    if isinstance(output, tuple | list):
        output = next((item for item in output if isinstance(item, Tensor)), None)
    if not isinstance(output, Tensor):
        raise InputError(
            "model",
            f"an output of type {type(output).__name__}",
            "return a tensor, a tuple that holds one, or a dictionary of tensors",
        )
    return output
