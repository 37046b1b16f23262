"""Follows the stream of states between the layers of a model, while it runs."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, overrides
from torch.overrides import TorchFunctionMode

from benthic.errors import InputError
from benthic.treatment.row_numbers import (
    Operation,
    count_in_order,
    numbered,
    tensors,
    writes,
)


@dataclass
class State:
    """What a layer computed, before its norm.

    Args:
        x: The state itself.
        total: The sum of the stream's states up to this one, if a skip asked for it.
    """

    x: Tensor
    total: Tensor | None = None


@dataclass(frozen=True)
class Origin:
    """What a tensor was computed from.

    Args:
        layer: Name of the latest layer.
        order: Number of the call of that layer, in the order of calls.
        depth: How many layers of equal width came before.
        states: The stream up to that layer, first to current.
        rows: For each entry of the tensor the row of the current state that it comes
            from; None for all rows in order.
        is_mixed: Whether it joins several calls of one layer at one depth.
        node_type: The node type, or "".
        num_maps: How many layers with an identity map it went through.
        sources: All layers whose outputs it was computed from, with no layer between.
    """

    layer: str
    order: int
    depth: int
    states: tuple[State, ...]
    rows: Tensor | None = None
    is_mixed: bool = False
    node_type: str = ""
    num_maps: int = 0
    sources: frozenset[tuple[str, str]] = frozenset()


class Stream(TorchFunctionMode):
    """Knows of each tensor which states it was computed from.

    The order in which layers run would mislead: parallel branches, two graphs in one
    forward pass and layers that are used again all look like a stack. So tensors are
    followed through the operations between layers. Inside a layer nothing is.

    Args:
        weights: Matrices, of which it is noted what they are applied to.
    """

    def __init__(self, weights: Iterable[Tensor] = ()) -> None:
        super().__init__()
        self.mapped: set[tuple[str, str]] = set()
        self._weights = {id(weight): weight for weight in weights}
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
        if writes(func, kwargs):
            self._rescue(args)
        out = func(*args, **kwargs)
        if self._origins or self._weights:
            with torch._C.DisableTorchFunction():
                self._follow(func, args, kwargs, out)
        return out

    def origin(self, x: Tensor | None) -> Origin | None:
        """The origin of a tensor; None if no layer had a part in it.

        Args:
            x: Any tensor.
        """
        reference, origin = self._origins.get(id(x), (None, None))
        return origin if reference is not None and reference() is x else None

    def produced(
        self,
        layer: str,
        returned: Tensor,
        states: Sequence[State],
        depth: int,
        node_type: str = "",
        num_maps: int = 0,
    ) -> None:
        """Notes what a layer returned.

        Args:
            layer: Its name.
            returned: What the model is handed.
            states: The stream up to this layer's own state.
            depth: How many layers of equal width came before.
            node_type: The node type, or "".
            num_maps: How many layers with an identity map there were, with this one.
        """
        self._order += 1
        self._mark(
            returned,
            Origin(
                layer,
                self._order,
                depth,
                tuple(states),
                node_type=node_type,
                num_maps=num_maps,
                sources=frozenset({(layer, node_type)}),
            ),
        )

    def map(self, given: Iterable[Tensor]) -> None:
        """Notes that tensors are taken further.

        Args:
            given: What a layer is given.
        """
        self.mapped |= self.sources(given)

    def sources(self, given: Iterable[Any]) -> set[tuple[str, str]]:
        """The layers whose outputs tensors were computed from, with none between.

        Args:
            given: Tensors, or anything else.
        """
        origins = [origin for x in given if (origin := self.origin(x))]
        return {source for origin in origins for source in origin.sources}

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

    def _follow(
        self,
        func: Callable[..., Any],
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        out: Any,
    ) -> None:
        inputs = list(tensors((args, tuple(kwargs.values()))))
        known = [(x, origin) for x in inputs if (origin := self.origin(x))]
        self._note_weights(inputs, [origin for _, origin in known], out)
        if func is Tensor.__setitem__:
            # What is written has rows; what is not stays as it was.
            is_known = any(x is args[-1] for x, _ in known)
            out = args[0] if is_known else None
        if not known or _is_fresh(func):
            return
        # Whatever has all rows tells most about where rows are.
        x, newest = max(known, key=lambda item: (item[1].order, item[1].rows is None))
        origins = {id(x): origin for x, origin in known if origin.order == newest.order}

        def numbers(x: Tensor) -> Tensor | None:
            return numbered(x, origins[id(x)].rows) if id(x) in origins else None

        operation = Operation(func, args, kwargs, numbers)
        joined = replace(
            newest,
            is_mixed=_mixes([origin for _, origin in known], newest),
            num_maps=max(origin.num_maps for _, origin in known),
            sources=frozenset().union(*(origin.sources for _, origin in known)),
        )
        for place, one in enumerate(tensors(out)):
            if one.is_floating_point() and one.dim() > 0:
                rows = operation.rows(x, newest.rows, one, place)
                self._mark(one, replace(joined, rows=rows))

    def _note_weights(
        self, inputs: Sequence[Tensor], origins: Sequence[Origin], out: Any
    ) -> None:
        """Notes what meets a weight, and what is made from weights alone."""
        if not any(id(x) in self._weights for x in inputs):
            return
        self.map(inputs)
        if not origins:
            self._weights |= {id(x): x for x in tensors(out) if x.dim() > 1}

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
    num_rows = count_in_order(origin.rows, origin.states[-1].x.size(0))
    if origin.is_mixed and num_rows < 0:
        raise InputError(
            "model",
            f"rows of several batches together as input of layer {layer!r}, "
            "which have no earlier states",
            "call the whole model on each batch, or treat it without skips",
        )
    if origin.rows is None:
        return origin.states if num_rows == h.size(0) else ()
    if num_rows < h.size(0):
        return ()
    return tuple(State(s.x.narrow(0, 0, h.size(0))) for s in origin.states)


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


def _is_fresh(func: Callable[..., Any]) -> bool:
    """Whether the outcome takes only the shape of its inputs: ``zeros_like``, …."""
    name = getattr(func, "__name__", "")
    return name.endswith("_like") or name.startswith("new_")
