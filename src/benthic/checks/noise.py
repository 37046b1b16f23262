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

# Passes with dropout, since some masks throw the states far and some do not
# (benchmarks/dropout_growth.py), and one bad step is enough to lose a run.
_PASSES = 4
_SHARE = 0.9


@dataclass(frozen=True)
class Noise:
    """Signal-to-noise power ratios, and growth, of what one layer consumes.

    Args:
        name: Path of the layer.
        all_paths: In the model as it is.
        growth: Norm of a node's states with dropout over that without: what a tenth
            of the nodes surpass, in the worst of four passes.
        skip_only: With every message silenced, so that only skips carry the
            states on; None where nothing skips.
    """

    name: str
    all_paths: float
    growth: float
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
    states lies along the clean ones over what does not. It knows no scale, which the
    growth of the norms tells, and is 0 where dropout leaves nothing. Dropout on a skip
    stream multiplies up from layer to layer; dropout on the branches does not touch
    the stream, whose ratio is then infinite.

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
    all_paths = _states(model, run, heard, [], range(seed, seed + _PASSES))
    skip_only = _states(model, run, heard, convs, [seed]) if convs else {}
    return [
        Noise(
            name,
            _power_ratio(clean, noisy[0]),
            max(_growth(clean, x) for x in noisy),
            _power_ratio(skip_only[name][0], skip_only[name][1][0])
            if name in skip_only
            else None,
        )
        for name, (clean, noisy) in all_paths.items()
    ]


def _states(
    model: nn.Module,
    run: Callable[[nn.Module], Any],
    heard: dict[str, nn.Module],
    silent: Sequence[nn.Module],
    seeds: Sequence[int],
) -> dict[str, tuple[Tensor, list[Tensor]]]:
    """What each layer hears without dropout, and with it for each seed."""
    model.train()
    with silenced(silent), torch.no_grad():
        with forked_randomness(model, seeds[0]):
            clean = _inputs(model, run, heard, dropout=False)
        noisy = []
        for seed in seeds:
            with forked_randomness(model, seed):
                noisy.append(_inputs(model, run, heard, dropout=True))
    largest = max((float(x.norm()) for x in clean.values()), default=0.0)
    return {
        name: (x, [states[name] for states in noisy])
        for name, x in clean.items()
        if float(x.norm()) > 1e-6 * largest
        and all(states[name].shape == x.shape for states in noisy)
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


def _growth(clean: Tensor, noisy: Tensor) -> float:
    """What a tenth of the rows surpass: a few that stand alone harm nobody else."""
    before, after = clean.flatten(1).norm(dim=1), noisy.flatten(1).norm(dim=1)
    counted = before > 1e-6 * before.max()
    growth = (after / before)[counted].nan_to_num(nan=math.inf)
    return float(growth.quantile(_SHARE, interpolation="lower"))


def _power_ratio(clean: Tensor, noisy: Tensor) -> float:
    if torch.equal(clean, noisy):
        return math.inf
    if not float(noisy.norm()):
        return 0.0
    cosine = float((clean * noisy).sum() / clean.norm() / noisy.norm())
    aligned = max(cosine, 0.0) ** 2
    return aligned / (1.0 - aligned) if aligned < 1.0 else math.inf
