"""The noise control: how much of the states survives training mode."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from benthic.checks.controls import silenced, without_dropout
from benthic.checks.passes import forked_randomness
from benthic.trace import find_layers
from benthic.trace.arguments import node_states

# Rows on which the noise is measured: enough for two digits, and little memory.
_MAX_ROWS = 1024


@dataclass(frozen=True)
class Noise:
    """Signal-to-noise power ratios of what one layer consumes.

    Args:
        name: Path of the layer.
        all_paths: In the model as it is.
        skip_only: With every message silenced, so that only skips carry the
            states on; None where nothing skips.
    """

    name: str
    all_paths: float
    skip_only: float | None


def training_noise(
    model: nn.Module,
    run: Callable[[nn.Module], Any],
    *,
    layers: Sequence[str] | None = None,
    seed: int = 0,
) -> list[Noise]:
    r"""Compares training mode with and without dropout, layer by layer.

    With :math:`c` the cosine of the states without dropout and with it, all entries
    taken as one vector, the ratio is :math:`c^2 / (1 - c^2)`: what of the noisy
    states lies along the clean ones over what does not. It knows no scale, and is 0
    where dropout leaves nothing. Dropout on a skip stream multiplies up from layer
    to layer; dropout on the branches does not touch the stream, whose ratio is then
    infinite.

    Args:
        model: A copy of the model; left in training mode.
        run: Runs a model forward on one batch.
        layers: Names of the layers to read instead of those found.
        seed: Seeds the dropout.
    """
    later = find_layers(model, layers)[1:]
    if not later:
        return []
    convs = [conv for layer in later for conv in layer.convs]
    heard = {layer.name: next(iter(layer.modules.values())) for layer in later}
    all_paths = _ratios(model, run, heard, [], seed)
    skip_only = _ratios(model, run, heard, convs, seed) if convs else {}
    return [
        Noise(name, ratio, skip_only.get(name)) for name, ratio in all_paths.items()
    ]


def _ratios(
    model: nn.Module,
    run: Callable[[nn.Module], Any],
    heard: dict[str, nn.Module],
    silent: Sequence[nn.Module],
    seed: int,
) -> dict[str, float]:
    model.train()
    with silenced(silent), torch.no_grad():
        with forked_randomness(model, seed):
            clean = _inputs(model, run, heard, dropout=False)
        with forked_randomness(model, seed):
            noisy = _inputs(model, run, heard, dropout=True)
    largest = max((float(x.norm()) for x in clean.values()), default=0.0)
    return {
        name: _power_ratio(x, noisy[name])
        for name, x in clean.items()
        if float(x.norm()) > 1e-6 * largest and noisy[name].shape == x.shape
    }


def _inputs(
    model: nn.Module,
    run: Callable[[nn.Module], Any],
    heard: dict[str, nn.Module],
    *,
    dropout: bool,
) -> dict[str, Tensor]:
    states: dict[str, Tensor] = {}

    def keeper(name: str) -> Callable[[nn.Module, Any, Any], None]:
        def keep(_: nn.Module, args: Any, kwargs: Any) -> None:
            for _node_type, x in node_states(args, kwargs)[:1]:
                states.setdefault(name, x.detach()[:_MAX_ROWS].double())

        return keep

    handles = [
        module.register_forward_pre_hook(keeper(name), with_kwargs=True)
        for name, module in heard.items()
    ]
    try:
        with nullcontext() if dropout else without_dropout():
            run(model)
    finally:
        for handle in handles:
            handle.remove()
    return states


def _power_ratio(clean: Tensor, noisy: Tensor) -> float:
    if torch.equal(clean, noisy):
        return math.inf
    if not float(noisy.norm()):
        return 0.0
    cosine = float((clean * noisy).sum() / clean.norm() / noisy.norm())
    aligned = max(cosine, 0.0) ** 2
    return aligned / (1.0 - aligned) if aligned < 1.0 else math.inf
