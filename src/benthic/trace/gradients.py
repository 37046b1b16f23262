"""Norms of the loss gradient by each layer's own parameters."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from torch import Tensor
from torch.utils.hooks import RemovableHandle

from benthic.trace.layers import Layer


class Gradients:
    """Adds up gradients as backward passes deliver them; ``.grad`` is not read."""

    def __init__(self, layers: Sequence[Layer]) -> None:
        self._parameters = [
            [p for module in layer.modules.values() for p in module.parameters()]
            for layer in layers
        ]
        self._squares: list[dict[int, list[float]]] = [{} for _ in layers]

    def attach(self) -> list[RemovableHandle]:
        """Hooks every parameter that takes part in training."""
        return [
            parameter.register_hook(self._adder(layer, position))
            for layer, parameters in enumerate(self._parameters)
            for position, parameter in enumerate(parameters)
            if parameter.requires_grad
        ]

    def _adder(self, layer: int, position: int) -> Callable[[Tensor], None]:
        def add(gradient: Tensor) -> None:
            square = float(gradient.detach().double().square().sum())
            self._squares[layer].setdefault(position, []).append(square)

        return add

    def norm(self, layer: int) -> tuple[float | None, str]:
        """Root of the mean squared norm over backward passes, or why there is none.

        Args:
            layer: Position of the layer.
        """
        squares = self._squares[layer]
        if squares:
            return math.sqrt(sum(sum(s) / len(s) for s in squares.values())), ""
        if not self._parameters[layer]:
            return None, "the layer has no parameters"
        if not any(parameter.requires_grad for parameter in self._parameters[layer]):
            return None, "the layer's parameters are frozen"
        if any(self._squares):
            return None, "the backward pass did not reach this layer"
        return None, "there was no backward pass"
