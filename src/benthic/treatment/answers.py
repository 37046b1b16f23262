"""Which layers give the model's answer? What takes their output further tells."""

from __future__ import annotations

import contextlib
import copy
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, fx, nn
from torch.autograd.graph import saved_tensors_hooks
from torch.utils._pytree import tree_leaves
from torch_geometric.data.data import BaseData

from benthic.nn.torch_func import in_transform
from benthic.trace.layers import Layer
from benthic.treatment.arguments import Inputs
from benthic.treatment.passes import Pass, Running

Key = tuple[str, str]
"""Name of a layer, and node type or ""."""


def find_maps(model: nn.Module, layers: Sequence[Layer]) -> list[nn.Module]:
    """The modules outside the layers that own a matrix.

    Args:
        model: Any module.
        layers: Its message-passing layers.

    Example:
        >>> find_maps(nn.Sequential(nn.ReLU(), nn.Linear(2, 3)), [])
        [Linear(in_features=2, out_features=3, bias=True)]
    """
    inside = {
        part
        for layer in layers
        for own in layer.modules.values()
        for part in own.modules()
    }
    return [m for m in model.modules() if m not in inside and _matrices(m)]


def may_take(module: nn.Module, width: int | None) -> bool:
    """Whether a map may take states of this width, one or several side by side.

    Args:
        module: A module that owns a matrix.
        width: Channels of the states; None if unknown.

    Example:
        >>> may_take(nn.Linear(16, 3), 8), may_take(nn.Linear(6, 8), 8)
        (True, False)
    """
    taken = getattr(module, "in_features", getattr(module, "in_channels", None))
    is_known = isinstance(taken, int) and taken > 0 and not list(module.children())
    return not (is_known and width) or taken % width == 0  # type: ignore[operator]


def is_mapped(model: fx.GraphModule, layer: Layer, maps: Sequence[nn.Module]) -> bool:
    """Whether a map follows a layer in a model whose calls are a graph.

    Args:
        model: The model.
        layer: One of its layers.
        maps: The modules outside the layers that own a matrix.
    """
    own, outer = set(layer.modules.values()), set(maps)
    modules = dict(model.named_modules())
    seen: set[fx.Node] = set()
    rest = [n for n in model.graph.nodes if modules.get(str(n.target)) in own]
    while rest:
        node = rest.pop()
        for user in node.users:
            if user.op == "call_module" and modules.get(str(user.target)) in outer:
                return True
            if user not in seen:
                seen.add(user)
                rest.append(user)
    return False


def try_out(
    call: Callable[..., Any], inputs: Inputs, running: Running, current: Pass
) -> list[Any] | None:
    """Runs a model once without treatments, to see where the layers' outputs go.

    In ``eval()``, so that no running statistic moves, and without a trace in the random
    state. What it finds is in the pass.

    Args:
        call: The model's own method.
        inputs: What it is called with.
        running: Knows the pass that runs.
        current: The pass to run in.

    Returns:
        What the model returned, without its containers; None if it failed.
    """
    modules = list(current.owner.modules())
    was_training = [module.training for module in modules]
    devices = list({p.device for p in current.owner.parameters() if p.is_cuda})
    running.now = current
    try:
        with torch.random.fork_rng(devices=devices), _unseen():
            for module in modules:
                module.training = False
            out = call(
                *map(_own, inputs.args),
                **{k: _own(v) for k, v in inputs.kwargs.items()},
            )
    except Exception:  # the call itself will say so
        return None
    finally:
        running.now = None
        current.end()
        for module, training in zip(modules, was_training, strict=True):
            module.training = training
    return tree_leaves(out)


def _unseen() -> contextlib.AbstractContextManager[Any]:
    """Keeps a trial from whoever looks at what is saved for the backward pass.

    A checkpoint around the model counts it, and would miss it in the second forward.
    """
    if in_transform():  # where torch allows no such look
        return contextlib.nullcontext()
    return saved_tensors_hooks(lambda x: x, lambda x: x)


def weights_of(maps: Sequence[nn.Module]) -> list[Tensor]:
    """The matrices of maps, as they are now: ``torch.func`` puts others in their place.

    Args:
        maps: See :func:`find_maps`.
    """
    return [matrix for module in maps for matrix in _matrices(module)]


def _matrices(module: nn.Module) -> list[Tensor]:
    return [p for p in module._parameters.values() if p is not None and p.dim() > 1]


def _own(value: Any) -> Any:
    """Containers that a model may write into; the tensors stay the same."""
    is_container = isinstance(value, dict | list | BaseData)
    return copy.copy(value) if is_container else value
