"""make_norm() -> a fresh norm for a width, from whatever a user may type."""

from __future__ import annotations

import copy
import inspect
from collections.abc import Callable
from functools import partial
from typing import Any

from torch import nn
from torch_geometric.nn import DiffGroupNorm, LayerNorm

from benthic.errors import InputError

_GROUPS = 10  # of DiffGroupNorm: the default of its authors' code


def make_norm(norm: Any, channels: int) -> nn.Module:
    """A fresh norm for states of a width.

    A class or function is called with the width if its first argument has no default,
    and without arguments if it can be: so ``LayerNorm`` and ``PairNorm`` both work as
    they are, and what else they need is bound with ``functools.partial``. A module is
    copied and its parameters drawn anew; it must have been made for this width.
    PyG's ``DiffGroupNorm`` gets 10 groups where none are given, and PyG's ``LayerNorm``
    ``mode="node"``, each row on its own; its ``mode="graph"`` takes one mean and one
    variance of the whole graph.

    Args:
        norm: A class, a function of the width, a ``functools.partial`` of either, or
            a module.
        channels: Width of the states.

    Raises:
        InputError: If ``norm`` is none of these, or what it makes is not a module.

    Example:
        >>> from torch_geometric.nn import GraphNorm, PairNorm
        >>> make_norm(GraphNorm, 64)
        GraphNorm(64)
        >>> make_norm(partial(PairNorm, scale=2.0), 64)
        PairNorm()
        >>> make_norm(lambda channels: DiffGroupNorm(channels, groups=5), 64)
        DiffGroupNorm(64, groups=5)
    """
    if isinstance(norm, nn.Module):
        return _fresh_copy(norm)
    if not callable(norm):
        found = f"{norm!r}" if isinstance(norm, str) else f"a {type(norm).__name__}"
        raise InputError("norm", found, "give a class such as PairNorm, or a module")
    made = _call(norm, channels)
    if not isinstance(made, nn.Module):
        found = f"a function that makes a {type(made).__name__}"
        raise InputError("norm", found, "return a module")
    return made


_AS_USED: dict[type, Callable[..., Any]] = {
    DiffGroupNorm: partial(DiffGroupNorm, groups=_GROUPS),
    LayerNorm: partial(LayerNorm, mode="node"),
}


def _call(make: Callable[..., Any], channels: int) -> Any:
    make = _AS_USED.get(make, make) if isinstance(make, type) else make
    signature = inspect.signature(make)
    first = next(iter(signature.parameters.values()), None)
    takes_width = (
        first is not None
        and first.kind in (first.POSITIONAL_ONLY, first.POSITIONAL_OR_KEYWORD)
        and first.default is first.empty
    )
    arguments = (channels,) if takes_width else ()
    try:
        signature.bind(*arguments)
    except TypeError as error:
        name = getattr(getattr(make, "func", make), "__name__", repr(make))
        found = f"{name}: {error}"
        raise InputError("norm", found, "bind it with functools.partial") from None
    return make(*arguments)


def _fresh_copy(norm: nn.Module) -> nn.Module:
    fresh = copy.deepcopy(norm)
    for module in fresh.modules():
        if callable(reset := getattr(module, "reset_parameters", None)):
            reset()
    return fresh
