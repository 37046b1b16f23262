"""Follows tensors through a forward pass: which layer's states are these?"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, overrides
from torch.overrides import TorchFunctionMode
from torch.utils.weak import WeakTensorKeyDictionary
from torch_geometric.data import Data, HeteroData


@dataclass(frozen=True)
class Source:
    """One call of one layer, and the node type whose states it produced."""

    layer: int
    call: int
    order: int
    node_type: str | None


class Mark(NamedTuple):
    """What is known of a tensor.

    Args:
        source: The latest layer that it was computed from; None for none.
        hops: How many edges away the farthest row is that it was computed from.
        in_head: Whether all of it went through the model's head since ``source``.
    """

    source: Source | None = None
    hops: int = 0
    in_head: bool = False


# What consumes the last layer's states: a classifier, or the turn into probabilities.
_HEADS = {
    F.linear,
    F.log_softmax,
    F.softmax,
    torch.log_softmax,
    torch.softmax,
    Tensor.log_softmax,
    Tensor.softmax,
}


class Flow(TorchFunctionMode):
    """Marks every tensor with the latest layer that it was computed from.

    States change between two layers (activation, norm, dropout, skip); following
    them through each operation finds what the next layer really consumes, also
    in models with branches, where the order of calls would mislead. Inside a layer
    only hops are counted.

    Args:
        merged: Called with the states of a layer that no other layer consumed, when
            they join those of a later one: the end of a parallel branch.
    """

    def __init__(self, merged: Callable[[Source, Tensor], None]) -> None:
        super().__init__()
        self._merged = merged
        self._marks: WeakTensorKeyDictionary = WeakTensorKeyDictionary()
        self._latest: dict[Source, Tensor] = {}
        self.inside_layer = False

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Any,
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        """Runs the operation and passes the marks of its inputs on."""
        out = func(*args, **(kwargs or {}))
        changed = args[:1] if out is None else out  # x[i] = y and x.data = y
        outputs = list(tensors_in(changed))
        if outputs:
            with torch._C.DisableTorchFunction():
                self._follow(func, list(tensors_in((args, kwargs))), outputs)
        return out

    def stop(self) -> None:
        """Leaves the stack of modes, also from under modes that were left on it."""
        if self not in overrides._get_current_function_mode_stack():
            return
        above = []
        while (mode := overrides._pop_mode()) is not self:
            above.append(mode)
        for mode in reversed(above):
            overrides._push_mode(mode)

    def given(self, inputs: Any) -> None:
        """Marks what comes from outside the model."""
        for x in tensors_in(inputs):
            self._marks[x] = Mark()

    def produced(self, x: Tensor, source: Source, hops: int) -> None:
        """Marks the output of a layer."""
        self._marks[x] = Mark(source, hops)
        self._latest[source] = x

    def propagated(self, inputs: Any, out: Any) -> None:
        """Counts one hop from the inputs of a propagation to what came out."""
        hops = 1 + self.hops(inputs)
        for x in tensors_in(out):
            mark = self.mark(x) or Mark()
            self._marks[x] = Mark(mark.source, max(hops, mark.hops), mark.in_head)

    def mark(self, x: Tensor) -> Mark | None:
        """What is known of ``x``; None if no followed operation made it."""
        found: Mark | None = self._marks.get(x)
        return found

    def hops(self, values: Any) -> int:
        """The largest number of hops behind any of the tensors in ``values``."""
        marks = [self.mark(x) for x in tensors_in(values)]
        return max((mark.hops for mark in marks if mark), default=0)

    def latest(self, source: Source) -> Tensor | None:
        """The states of a layer as they are now; None once they were consumed."""
        return self._latest.get(source)

    def consume(self, source: Source) -> None:
        """Notes that the states of a layer were read, and lets them go."""
        self._latest.pop(source, None)

    def unread(self) -> list[tuple[Source, Tensor]]:
        """What no layer consumed: the states that reach the model's head."""
        return list(self._latest.items())

    def _follow(
        self, func: Callable[..., Any], inputs: list[Tensor], outputs: list[Tensor]
    ) -> None:
        marked = [(x, mark) for x in inputs if (mark := self._marks.get(x))]
        newest, out_mark = _join(func, [mark for _, mark in marked])
        if self.inside_layer and out_mark == Mark():
            return
        if newest is not None and not self.inside_layer:
            for x, mark in marked:
                self._end_branch(x, mark, newest)
        if _is_fresh(func):
            newest, out_mark = None, Mark()
        for tensor in outputs:
            self._marks[tensor] = out_mark
            base = tensor._base
            if base is not None and _in_place(func) and newest is not None:
                self._marks[base] = out_mark
            if newest is not None and not self.inside_layer and not out_mark.in_head:
                self._move(newest, tensor, base)

    def _move(self, source: Source, x: Tensor, base: Tensor | None) -> None:
        """Keeps the newest version of the states that nothing has consumed yet."""
        latest = self._latest.get(source)
        if latest is None or not x.is_floating_point():
            return
        if latest.shape == x.shape:
            self._latest[source] = x
        elif base is not None and latest is base:
            self._latest[source] = base

    def _end_branch(self, x: Tensor, mark: Mark, newest: Source) -> None:
        source = mark.source
        if source is None or source.order >= newest.order:
            return
        latest = self._latest.get(source)
        if latest is not None:
            is_state = x.shape == latest.shape and not mark.in_head
            self._merged(source, x if is_state else latest)


def _join(func: Callable[..., Any], marks: list[Mark]) -> tuple[Source | None, Mark]:
    """The newest source among the inputs, and what their outcome is marked with."""
    sources = [mark.source for mark in marks if mark.source is not None]
    hops = max((mark.hops for mark in marks), default=0)
    if not sources:
        return None, Mark(None, hops)
    newest = max(sources, key=lambda source: source.order)
    in_head = func in _HEADS or all(m.in_head for m in marks if m.source == newest)
    return newest, Mark(newest, hops, in_head)


def _is_fresh(func: Callable[..., Any]) -> bool:
    """Whether the outcome takes only the shape of its inputs: ``zeros_like``, …."""
    name = getattr(func, "__name__", "")
    return name.endswith("_like") or name.startswith("new_")


def _in_place(func: Callable[..., Any]) -> bool:
    name = getattr(func, "__name__", "")
    return name == "__setitem__" or (name.endswith("_") and not name.endswith("__"))


def tensors_in(value: Any) -> Iterator[Tensor]:
    """All tensors in nested tuples, lists, mappings and PyG batches.

    Args:
        value: Anything.

    Example:
        >>> batch = Data(x=torch.zeros(2, 1), edge_index=torch.zeros(2, 0).long())
        >>> len(list(tensors_in((batch, {"weight": torch.zeros(3)}, None))))
        3
    """
    if isinstance(value, Tensor):
        yield value
    elif isinstance(value, tuple | list):
        for item in value:
            yield from tensors_in(item)
    elif isinstance(value, Mapping):
        for item in value.values():
            yield from tensors_in(item)
    elif isinstance(value, Data | HeteroData):
        yield from tensors_in(value.to_dict())
