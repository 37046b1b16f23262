"""The loss gradient before the first layer, also where it came around that layer."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from torch import Tensor, nn
from torch.autograd.graph import Node
from torch.utils.hooks import RemovableHandle

from benthic.trace.arguments import node_states

__all__ = ["gradient_before"]


@contextmanager
def gradient_before(module: nn.Module) -> Iterator[list[float]]:
    r"""Collects norms of the loss gradient by what a module is given.

    The input :math:`x` itself comes first. Of the states of as many rows that
    :math:`x` is made from, what came around :math:`x` counts: an initial residual
    hands on :math:`x_0` where the first layer is given
    :math:`x = \operatorname{dropout}(\operatorname{norm}(x_0))`. What came through
    :math:`x` would count twice, and a norm makes it larger by the factor by which
    :math:`x_0` is small.

    Args:
        module: A layer of a model whose forward and backward pass follow; its first
            call counts.

    Yields:
        The norms, filled by the backward pass; none where the input is data.

    Example:
        >>> weight = torch.ones(3, 2, requires_grad=True)
        >>> layer = nn.ReLU()
        >>> with gradient_before(layer) as norms:
        ...     x_0 = weight * 1.0
        ...     (layer(x_0 * 10.0) + x_0).sum().backward()
        >>> norms[0], norms[0] / max(norms)  # of 10 x_0, and of x_0 around it
        (2.449489742783178, 1.0)
    """
    norms: list[float] = []
    handles: list[Any] = []

    def watch(_: nn.Module, args: Any, kwargs: Any) -> None:
        handles[0].remove()
        for _node_type, x in node_states(args, kwargs)[:1]:
            if x.requires_grad:
                handles.append(x.register_hook(lambda g: norms.append(_norm(g))))
            if x.grad_fn is not None:
                handles.extend(_Bypass(x.size(0), norms).watch(x.grad_fn))

    handles.append(module.register_forward_pre_hook(watch, with_kwargs=True))
    try:
        yield norms
    finally:
        for handle in handles:
            handle.remove()


@dataclass(frozen=True)
class _Bypass:
    """Tells what reaches the ancestors of an operation by other ways than it.

    Args:
        rows: Of the states that count.
        norms: Where to put the norms.
        through: What came through the operation, by ancestor and output.
    """

    rows: int
    norms: list[float]
    through: dict[tuple[int, int], Tensor] = field(default_factory=dict)

    def watch(self, last: Node) -> Iterator[RemovableHandle]:
        """Hooks the operation and its ancestors."""
        # By number: a hook that held its own node would keep the graph alive.
        numbers = _with_ancestors(last)
        for node, number in numbers.items():
            places = [
                None if parent is None else (numbers[parent], output)
                for parent, output in node.next_functions
            ]
            yield node.register_hook(partial(self._hand_on, places))
            if hasattr(node, "variable"):
                yield node.variable.register_hook(partial(self._compare, number))
            elif number:
                yield node.register_prehook(lambda g, n=number: self._compare(n, *g))

    def _hand_on(
        self,
        places: Sequence[tuple[int, int] | None],
        sent: Sequence[Tensor | None],
        _: Any,
    ) -> None:
        for place, part in zip(places, sent, strict=True):
            if place is None or part is None or part.size()[:1] != (self.rows,):
                continue
            before = self.through.get(place)
            self.through[place] = part if before is None else before + part

    def _compare(self, number: int, *received: Tensor | None) -> None:
        for output, total in enumerate(received):
            part = self.through.pop((number, output), None)
            if part is not None and total is not None:
                self.norms.append(_norm(total - part))


def _with_ancestors(last: Node) -> dict[Node, int]:
    """The operations that lead to one, numbered from it, which is 0."""
    numbers = {last: 0}
    queue = [last]
    for node in queue:
        for parent, _ in node.next_functions:
            if parent is not None and parent not in numbers:  # None: a constant
                numbers[parent] = len(numbers)
                queue.append(parent)
    return numbers


def _norm(grad: Tensor) -> float:
    return float(grad.double().norm())
