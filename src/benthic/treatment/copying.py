"""Copies a model, and shares what need not or cannot be copied."""

from __future__ import annotations

import copy
import inspect
from collections.abc import Iterator
from typing import Any

from torch import Tensor, nn
from torch_geometric.data import Data, HeteroData
from torch_geometric.utils import is_sparse

from benthic.errors import InputError
from benthic.treatment.arguments import is_edges

_OF_TORCH = ("_parameters", "_buffers", "_modules")


def copy_model(model: nn.Module) -> nn.Module:
    """A copy that shares nothing but graphs, and what has no copy, such as a lock.

    Args:
        model: Any module.

    Raises:
        InputError: If a copy would run the original.

    Example:
        >>> model = nn.Linear(1, 1)
        >>> copy_model(model).weight is model.weight
        False
    """
    for name, module in model.named_modules():
        _refuse_closure(model, name, module)
    try:
        return copy.deepcopy(model, _memo(model))
    except Exception:  # each class has an error of its own
        shared = {id(value): value for value in _without_copy(model)}
        if not shared:
            raise
    return copy.deepcopy(model, _memo(model) | shared)


def _refuse_closure(model: nn.Module, name: str, module: nn.Module) -> None:
    """A function's copy is the function: what it knows by name is the original."""
    forward = vars(module).get("forward")
    if not inspect.isfunction(forward):
        return
    known = inspect.getclosurevars(forward)
    parts = set(model.modules())
    for value in [*known.nonlocals.values(), *known.globals.values()]:
        owner = getattr(value, "__self__", value)
        if isinstance(owner, nn.Module) and owner in parts:
            raise InputError(
                "model",
                f"a function in the place of {name or 'the model'}'s forward() that "
                "holds on to the model, so that a copy of it runs the original",
                "give forward to a subclass, or bind it: "
                "model.forward = types.MethodType(function, model)",
            )


def _attributes(model: nn.Module) -> Iterator[tuple[str, Any]]:
    for module in model.modules():
        for name, value in vars(module).items():
            if name not in _OF_TORCH:
                yield name, value


def _memo(model: nn.Module) -> dict[int, Any]:
    """What ``copy.deepcopy`` is to take for copied, by identity."""
    memo: dict[int, Any] = {}
    for name, value in _attributes(model):
        if name.startswith("_cached_"):
            memo[id(value)] = None  # the copy caches anew
        for item in _items(value):
            if _is_graph(item):
                memo[id(item)] = item
            elif isinstance(item, Tensor) and not item.is_leaf:
                memo[id(item)] = item.detach().clone()
    return memo


def _items(value: Any) -> list[Any]:
    if isinstance(value, dict):
        return list(value.values())
    return list(value) if isinstance(value, list | tuple) else [value]


def _is_graph(value: Any) -> bool:
    if isinstance(value, Data | HeteroData) or is_edges(value):
        return True
    return is_sparse(value) and not getattr(value, "requires_grad", False)


def _without_copy(model: nn.Module) -> Iterator[Any]:
    """The attributes of which there is no copy."""
    modules = {id(module): module for module in model.modules()}
    for _, value in _attributes(model):
        try:
            copy.deepcopy(value, _memo(model) | modules)
        except Exception:
            yield value
