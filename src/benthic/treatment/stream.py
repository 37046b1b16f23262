"""Follows the stream of states between the layers of a model, while it runs."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any

import torch
from torch import Tensor, overrides
from torch.overrides import TorchFunctionMode

from benthic.errors import InputError


class Rows(Enum):
    """Which rows of the last state a tensor has."""

    ALL = "all"
    FIRST = "the first"
    OTHER = "other"


@dataclass
class State:
    """What a layer computed, before its norm."""

    x: Tensor


@dataclass(frozen=True)
class Origin:
    """What a tensor was computed from.

    Args:
        layer: Name of the latest layer.
        order: Number of the call of that layer, in the order of calls.
        depth: How many layers of equal width came before.
        states: The stream up to that layer, first to current.
        rows: Which rows of the current state the tensor has.
        is_mixed: Whether it joins several calls of one layer at one depth.
    """

    layer: str
    order: int
    depth: int
    states: tuple[State, ...]
    rows: Rows = Rows.ALL
    is_mixed: bool = False


class Stream(TorchFunctionMode):
    """Knows of each tensor which states it was computed from.

    The order in which layers run would mislead: parallel branches, two graphs in one
    forward pass and layers that are used again all look like a stack. So tensors are
    followed through the operations between layers. Inside a layer nothing is.
    """

    def __init__(self) -> None:
        super().__init__()
        self._origins: dict[int, tuple[weakref.ref[Tensor], Origin]] = {}
        self._order = 0
        self._is_on = False

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Any,
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        """Runs the operation; what comes out has the origin of what went in."""
        kwargs = kwargs or {}
        if _writes(func, kwargs):
            self._rescue(args)
        out = func(*args, **kwargs)
        if self._origins:
            with torch._C.DisableTorchFunction():
                self._follow(func, (args, tuple(kwargs.values())), out)
        return out

    def origin(self, x: Tensor | None) -> Origin | None:
        """The origin of a tensor; None if no layer had a part in it.

        Args:
            x: Any tensor.
        """
        reference, origin = self._origins.get(id(x), (None, None))
        return origin if reference is not None and reference() is x else None

    def produced(
        self, layer: str, returned: Tensor, states: Sequence[State], depth: int
    ) -> None:
        """Notes what a layer returned.

        Args:
            layer: Its name.
            returned: What the model is handed.
            states: The stream up to this layer's own state.
            depth: How many layers of equal width came before.
        """
        self._order += 1
        self._mark(returned, Origin(layer, self._order, depth, tuple(states)))

    def carry(self, x: Tensor, out: Tensor) -> None:
        """Notes that a tensor has the rows of another.

        Args:
            x: What went in.
            out: What came out.
        """
        origin = self.origin(x)
        if origin is not None and out.shape[:1] == x.shape[:1]:
            self._mark(out, origin)

    def start(self) -> None:
        """Follows from here on."""
        if not self._is_on:
            self._is_on = True
            overrides._push_mode(self)

    def stop(self) -> None:
        """Follows no longer; modes above this one stay."""
        if not self._is_on:
            return
        self._is_on = False
        above = []
        while (mode := overrides._pop_mode()) is not self:
            above.append(mode)
        for mode in reversed(above):
            overrides._push_mode(mode)

    def _mark(self, x: Tensor, origin: Origin) -> None:
        key, origins = id(x), self._origins
        origins[key] = weakref.ref(x, lambda _: origins.pop(key, None)), origin

    def _follow(self, func: Callable[..., Any], inputs: Any, out: Any) -> None:
        known = [(x, origin) for x in _tensors(inputs) if (origin := self.origin(x))]
        if not known or _is_fresh(func):
            return
        newest = max(known, key=lambda item: item[1].order)
        is_mixed = _mixes([origin for _, origin in known], newest[1])
        for x in _tensors(out):
            if x.is_floating_point() and x.dim() > 0:
                origin = newest[1]
                rows = _rows(func, newest[0], origin.rows, x)
                if rows is not origin.rows or is_mixed is not origin.is_mixed:
                    origin = Origin(
                        origin.layer,
                        origin.order,
                        origin.depth,
                        origin.states,
                        rows,
                        is_mixed,
                    )
                self._mark(x, origin)

    def _rescue(self, args: tuple[Any, ...]) -> None:
        """Keeps a copy of a state that the model is about to overwrite."""
        with torch._C.DisableTorchFunction():
            origin = self.origin(args[0] if args else None)
            if origin is None:
                return
            state = origin.states[-1]
            if state.x is args[0] or state.x is args[0]._base:
                state.x = state.x.clone()


def usable(origin: Origin | None, h: Tensor, layer: str) -> tuple[State, ...]:
    """The states of a stream that a layer's output can join, row by row; or none.

    None where the width changes, or where rows were picked or pooled on the way.

    Args:
        origin: Where the layer's input comes from.
        h: What the layer computed.
        layer: Its name.

    Raises:
        InputError: If the input joins rows of several calls of one layer, as where a
            model runs layer by layer over all batches.

    Example:
        >>> usable(None, torch.ones(2, 3), "convs.0")
        ()
    """
    if origin is None or origin.states[-1].x.shape[1:] != h.shape[1:]:
        return ()
    if origin.is_mixed and origin.rows is Rows.OTHER:
        raise InputError(
            "model",
            f"rows of several batches together as input of layer {layer!r}, "
            "which have no earlier states",
            "call the whole model on each batch, or treat it without skips",
        )
    num_rows = origin.states[-1].x.size(0)
    if origin.rows is Rows.ALL and num_rows == h.size(0):
        return origin.states
    if origin.rows is Rows.FIRST and num_rows >= h.size(0):
        return tuple(State(s.x.narrow(0, 0, h.size(0))) for s in origin.states)
    return ()


def _tensors(value: Any) -> Iterator[Tensor]:
    if isinstance(value, Tensor):
        yield value
    elif isinstance(value, tuple | list):
        for item in value:
            yield from _tensors(item)


def _mixes(origins: Sequence[Origin], newest: Origin) -> bool:
    return any(
        origin.is_mixed
        or (
            origin.order != newest.order
            and origin.layer == newest.layer
            and origin.depth == newest.depth
        )
        for origin in origins
    )


_PICKS = {
    Tensor.__getitem__,
    Tensor.narrow,
    Tensor.split,
    Tensor.chunk,
    Tensor.index_select,
    torch.narrow,
    torch.split,
    torch.chunk,
    torch.index_select,
    torch.take_along_dim,
    torch.gather,
}


def _rows(func: Callable[..., Any], x: Tensor, rows: Rows, out: Tensor) -> Rows:
    if (func not in _PICKS and _num_rows(out) == _num_rows(x)) or _is_whole(out, x):
        return rows
    return Rows.OTHER if rows is Rows.OTHER or not _begins(out, x) else Rows.FIRST


def _num_rows(x: Tensor) -> int:
    """Nodes; ``x[None]`` has as many as ``x``."""
    return next((size for size in x.shape if size != 1), 1)


def _is_whole(out: Tensor, x: Tensor) -> bool:
    """Whether ``out`` is a view of all of ``x``, in the same order."""
    sizes = [[size for size in tensor.shape if size != 1] for tensor in (out, x)]
    return (
        out._is_view()
        and sizes[0] == sizes[1]
        and out.storage_offset() == x.storage_offset()
    )


def _begins(out: Tensor, x: Tensor) -> bool:
    """Whether ``out`` is a view of the first rows of ``x``."""
    return (
        out._is_view()
        and out.dim() == x.dim()
        and out.size(0) <= x.size(0)
        and out.shape[1:] == x.shape[1:]
        and out.storage_offset() == x.storage_offset()
        and out.stride() == x.stride()
    )


def _writes(func: Callable[..., Any], kwargs: dict[str, Any]) -> bool:
    """Whether an operation overwrites its first argument."""
    name = getattr(func, "__name__", "")
    return (
        (name.endswith("_") and not name.endswith("__"))
        or name == "__setitem__"
        or bool(kwargs.get("inplace"))
    )


def _is_fresh(func: Callable[..., Any]) -> bool:
    """Whether the outcome takes only the shape of its inputs: ``zeros_like``, …."""
    name = getattr(func, "__name__", "")
    return name.endswith("_like") or name.startswith("new_")
