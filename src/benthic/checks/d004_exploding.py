"""D004 exploding: the states or the gradients grow geometrically with depth."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from benthic.checks.case import Case
from benthic.checks.finding import Outcome, not_applicable, passed
from benthic.checks.passes import Reading

# Growth of the mean row norm from the first to the last hidden layer of a fresh copy.
# benchmarks/trainability.py: the over-smoothing guide's DeepGCN grows 8- to 11-fold at
# 8 layers, where it trains, and 200-fold at 16, where it does not; GCNII 2-fold at 64.
_GROWN = 30.0
_GRADIENT_RATIO = 1e3

_ADVICE = (
    "Normalize before each layer and add the branch to the stream (pre-norm residual, "
    "https://arxiv.org/abs/2006.07739).",
    "Scale the skip so that variance stays: (x + branch) / √2, or an initial residual "
    "(GCNII, https://arxiv.org/abs/2007.02133).",
    "Average instead of summing the neighbors where the aggregation is a sum.",
)


@dataclass(frozen=True)
class Exploding:
    """Norms multiply from layer to layer, so that no learning rate fits all of them.

    Read on a fresh copy, since training may already have collapsed what exploded.
    NaN or infinite states count at once.
    """

    code: str = "D004"
    cause: str = "exploding signal or gradient"
    explains: tuple[str, ...] = (
        "D001",
        "D002",
        "D003",
        "D005",
        "D006",
        "D008",
        "D009",
        "D012",
    )

    def __call__(self, case: Case) -> Outcome:
        """Fits one growth factor per layer to the norms."""
        broken = [x.name for x in case.reading.layers if x.norm is None and x.num_nodes]
        if broken:
            return Outcome(
                "issue",
                f"{broken[0]} holds NaN or infinite values",
                confidence=1.0,
                evidence={"non_finite_layers": broken},
                advice=_ADVICE,
            )
        growth, per_layer = norm_growth(case.fresh)
        if growth is None:
            return not_applicable("it takes three layers of one width to see a trend")
        ratio = case.fresh.gradient_ratio
        evidence = {
            "norm_growth_fresh": growth,
            "norm_growth_per_layer_fresh": per_layer,
            "gradient_ratio_fresh": ratio,
            "norm_growth_now": norm_growth(case.reading)[0],
        }
        if growth > _GROWN:
            reason = (
                f"the states of a fresh copy grow {growth:.3g}-fold, "
                f"{per_layer:.2f}-fold a layer"
            )
        elif ratio is not None and ratio > _GRADIENT_RATIO:
            reason = (
                f"the first layer of a fresh copy gets {ratio:.1e} times the last "
                "layer's gradient"
            )
        else:
            return passed("norms stay within bounds from layer to layer", **evidence)
        return Outcome(
            "tip" if case.fits and not case.is_failing else "issue",
            reason,
            confidence=0.85,
            evidence=evidence,
            advice=_ADVICE,
        )


def norm_growth(reading: Reading) -> tuple[float | None, float | None]:
    """Growth over all hidden layers and per layer, by a line through log norms."""
    width = reading.layers[0].channels if reading.layers else None
    norms = [
        layer.norm
        for layer in reading.layers
        if layer.channels == width and layer.norm and "[" not in layer.name
    ]
    if len(norms) < 3:
        return None, None
    slope = float(np.polyfit(np.arange(len(norms)), np.log(norms), 1)[0])
    return math.exp(slope * (len(norms) - 1)), math.exp(slope)
