"""Norms of the loss gradient by each layer's own parameters."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from torch import Tensor
from torch.utils.hooks import RemovableHandle

from benthic.trace.layers import Layer


class Gradients:
    """Adds up gradients as backward passes deliver them; ``.grad`` is not read.

    Args:
        layers: The layers; a parameter that two of them share counts for both.
    """

    def __init__(self, layers: Sequence[Layer]) -> None:
        self._parameters = [layer.parameters for layer in layers]
        # For each parameter: the sum of squared norms, and how many there were.
        self._squares: list[dict[int, tuple[float, int]]] = [{} for _ in layers]

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
            total, count = self._squares[layer].get(position, (0.0, 0))
            self._squares[layer][position] = total + square, count + 1

        return add

    def norm(self, layer: int) -> tuple[float | None, str]:
        """Root of the mean squared norm over backward passes, or why there is none.

        Args:
            layer: Position of the layer.
        """
        squares = self._squares[layer]
        if squares:
            norm = math.sqrt(sum(total / count for total, count in squares.values()))
            if math.isfinite(norm):
                return norm, ""
            return None, "the gradient holds NaN or infinite values"
        if not self._parameters[layer]:
            return None, "the layer has no parameters"
        if not any(parameter.requires_grad for parameter in self._parameters[layer]):
            return None, "the layer's parameters are frozen"
        if any(self._squares):
            return None, "the backward pass did not reach this layer"
        return None, "there was no backward pass"
