"""How a model is called on a graph, a batch or a loader of batches."""

from __future__ import annotations

import copy
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
_EDGE_INPUTS = ("edge_weight", "edge_attr", "edge_type")
_OPTIONAL_INPUTS = ("x", "edge_index", *_EDGE_INPUTS, "batch", "pos")
_WHOLE_BATCH = ("data", "graph", "g", "hetero_data")
_TORCH_NAMES = {"input": "x", "src": "x"}  # of nn.Linear, nn.Sequential, nn.Transformer


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

    A tuple or list is passed by position and a mapping by keyword. From a ``Data``
    or ``HeteroData``, each required argument of ``forward`` is looked up by name
    (``x``, ``edge_index``, ``x_dict``, …); a model with one argument of another
    name, such as ``data``, gets a shallow copy of the whole batch. Optional
    arguments receive ``x``, ``edge_index``, ``edge_weight``, ``edge_attr``,
    ``edge_type``, ``batch`` and ``pos`` where the batch has them, but for a model that
    says ``supports_edge_weight = False`` or the like, as PyG's basic models and
    :class:`~benthic.nn.deep_gnn.DeepGNN` do where no layer looks at it: a graph may
    carry more than a model takes, as after a rewiring. A wrapper that only forwards
    ``*args`` (``torch.compile``, ``DataParallel``) is asked for the names of what it
    wraps. Anything else is handed over as it is.

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
    if isinstance(data, tuple | list):
        return model(*data)
    if isinstance(data, Mapping):
        return model(**data)
    if not isinstance(data, Data | HeteroData):
        return model(data)
    args, kwargs = _bind(model, data)
    return model(*args, **kwargs)


def _bind(
    model: nn.Module, data: Data | HeteroData
) -> tuple[list[Any], dict[str, Any]]:
    parameters = _parameters(model)
    required = [p.name for p in parameters if p.default is p.empty]
    args: list[Any] = []
    kwargs: dict[str, Any] = {}
    for parameter in parameters:
        value = _value(data, parameter, required)
        if value is None and parameter.name in required:
            raise InputError(
                "data",
                f"no attribute {parameter.name!r}, which "
                f"{type(model).__name__}.forward needs "
                f"(it has {', '.join(sorted(map(str, data.keys())))})",
                "add it, or say how to call the model: forward=lambda model, data: …",
            )
        if parameter.name in required and parameter.kind is not parameter.KEYWORD_ONLY:
            args.append(value)
        elif value is not None:
            kwargs[parameter.name] = value
    return args, kwargs


def _value(
    data: Data | HeteroData, parameter: inspect.Parameter, required: list[str]
) -> Any:
    name = parameter.name
    if name not in required:
        is_input = name.removesuffix("_dict") in _OPTIONAL_INPUTS
        return _lookup(data, name) if is_input else None
    # A model that is given the whole batch may set attributes on it: on a copy.
    if name in _WHOLE_BATCH or required == ["batch"]:
        return copy.copy(data)
    value = _lookup(data, name)
    if value is None and len(required) == 1 and not _is_attribute(name):
        return copy.copy(data)
    return value


def _is_attribute(name: str) -> bool:
    return name in _TORCH_NAMES or name.removesuffix("_dict") in _OPTIONAL_INPUTS


def _parameters(model: nn.Module) -> list[inspect.Parameter]:
    """The named arguments of ``forward``, or of what a wrapper wraps."""
    signature = getattr(model, "signature", None)  # torch_geometric.nn.Sequential
    if signature is not None and hasattr(signature, "param_dict"):
        return _positional(signature.param_dict)
    parameters = inspect.signature(model.forward).parameters.values()
    named = [p for p in parameters if p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD)]
    if named:
        return [p for p in named if p.default is p.empty or _supports(model, p.name)]
    children = list(model.children())
    return _parameters(children[0]) if len(children) == 1 else _positional(["x"])


def _supports(model: nn.Module, name: str) -> bool:
    return bool(getattr(model, f"supports_{name.removesuffix('_dict')}", True))


def _positional(names: Iterable[str]) -> list[inspect.Parameter]:
    kind = inspect.Parameter.POSITIONAL_OR_KEYWORD
    return [inspect.Parameter(name, kind) for name in names]


def _lookup(data: Data | HeteroData, name: str) -> Any:
    name = _TORCH_NAMES.get(name, name)
    if isinstance(data, HeteroData):
        # to_hetero() keeps the homogeneous names but takes dictionaries.
        value = data.collect(name.removesuffix("_dict"), allow_empty=True)
        return value or None
    if name == "num_nodes":
        return data.num_nodes
    return data[name] if name in data else None


def output_rows(output: Any, node_type: str | None = None) -> Tensor:
    """The tensor of predictions in whatever a model returned.

    The first tensor of a tuple, and of a dictionary the entry of ``node_type``, or its
    only tensor where nodes have no types. A vector is one column.

    Args:
        output: What ``forward`` returned.
        node_type: Which entry of a dictionary to take.

    Raises:
        InputError: If there is no tensor, no entry for ``node_type``, or several.

    Example:
        >>> output_rows({"user": torch.zeros(2, 3)}, "user").shape
        torch.Size([2, 3])
    """
    if isinstance(output, Mapping):
        return output_rows(_entry(output, node_type))
    if isinstance(output, tuple | list):
        output = next((item for item in output if isinstance(item, Tensor)), None)
    if not isinstance(output, Tensor):
        raise InputError(
            "model",
            f"an output of type {type(output).__name__}",
            "return a tensor, a tuple that holds one, or a dictionary of tensors",
        )
    return output.unsqueeze(-1) if output.dim() == 1 else output


def _entry(output: Mapping[Any, Any], node_type: str | None) -> Any:
    if node_type in output:
        return output[node_type]
    names = sorted(map(str, output))
    if node_type is not None:
        raise InputError(
            "model",
            f"an output for {names}, none for {node_type!r}",
            "label a node type that the model predicts",
        )
    rows = [value for value in output.values() if isinstance(value, Tensor)]
    if len(rows) != 1:
        raise InputError(
            "model",
            f"an output of {names}, where one tensor has the answers",
            "say which: forward=lambda model, data: model(…)['…']",
        )
    return rows[0]
