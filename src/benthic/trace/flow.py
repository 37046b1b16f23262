"""Follows tensors through a forward pass: which layer's states are these?"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import torch.nn.functional as F
from torch import Tensor
from torch.overrides import TorchFunctionMode
from torch.utils.weak import WeakTensorKeyDictionary


@dataclass(frozen=True)
class Source:
    """One call of one layer, and the node type whose states it produced."""

    layer: int
    call: int
    order: int
    node_type: str | None


# What consumes the last layer's states: a classifier, or the turn into probabilities.
_HEADS = {F.linear, F.log_softmax, F.softmax, Tensor.log_softmax, Tensor.softmax}


class Flow(TorchFunctionMode):
    """Marks every tensor with the latest layer that it was computed from.

    States change between two layers (activation, norm, dropout, skip); following
    them through each operation finds what the next layer really consumes, also
    in models with branches, where the order of calls would mislead. Operations
    inside a layer are not followed.
    """

    def __init__(self) -> None:
        super().__init__()
        self._sources: WeakTensorKeyDictionary = WeakTensorKeyDictionary()
        self._latest: dict[Source, Tensor] = {}
        self._closed: set[Source] = set()
        self.paused = 0

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Any,
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        """Runs the operation and passes the marks of its inputs on."""
        out = func(*args, **(kwargs or {}))
        if not self.paused:
            self._follow(func, (args, tuple((kwargs or {}).values())), out)
        return out

    def produced(self, x: Tensor, source: Source) -> None:
        """Marks the output of a layer."""
        self._sources[x] = source
        self._latest[source] = x

    def source(self, x: Tensor) -> Source | None:
        """The layer that ``x`` was computed from."""
        found: Source | None = self._sources.get(x)
        return found

    def is_open(self, source: Source) -> bool:
        """Whether nothing has consumed this layer's states yet."""
        return source in self._latest

    def consume(self, source: Source) -> None:
        """Notes that the states of a layer were read, and lets them go."""
        self._latest.pop(source, None)

    def unread(self) -> list[tuple[Source, Tensor]]:
        """What no layer consumed: the states that reach the model's head."""
        return list(self._latest.items())

    def _follow(self, func: Callable[..., Any], inputs: Any, out: Any) -> None:
        outputs = list(_tensors(out))
        if not outputs:
            return
        sources = [s for x in _tensors(inputs) if (s := self._sources.get(x))]
        if not sources:
            return
        newest = max(sources, key=lambda source: source.order)
        if func in _HEADS:
            self._closed.add(newest)
        for tensor in outputs:
            self._sources[tensor] = newest
            latest = self._latest.get(newest)
            if (
                latest is not None
                and newest not in self._closed
                and latest.shape == tensor.shape
            ):
                self._latest[newest] = tensor


def _tensors(value: Any) -> Iterator[Tensor]:
    if isinstance(value, Tensor):
        yield value
    elif isinstance(value, tuple | list):
        for item in value:
            yield from _tensors(item)
    elif isinstance(value, dict):
        yield from _tensors(tuple(value.values()))
