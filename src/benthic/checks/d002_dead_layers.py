"""D002 dead layers: rows or weights gone to zero."""

from __future__ import annotations

from dataclasses import dataclass

from benthic.checks.case import Case
from benthic.checks.finding import Outcome, passed
from benthic.trace import LayerReading

# benchmarks/verdicts.py: networks that are alive have no zero rows on Cora and at most
# 3 % on the bank; in dead layers 99 to 100 % of the rows are zero.
_DEAD_SHARE = 0.5
_SOME_DEAD = 0.1
# Weight norm over its norm at initialization, where the states are one direction.
# Small weights alone are no illness: those of a healthy GCNII shrink to 0.007.
_COLLAPSED = 0.05
_ONE_DIRECTION = 0.999

_ADVICE = {
    "weights": (
        "Replace coupled L2 by decoupled decay: torch.optim.AdamW instead of "
        "Adam(weight_decay=…) (https://arxiv.org/abs/1711.05101).",
        "Find what starves the layer of gradient first (D003): decay then wins by "
        "itself.",
    ),
    "activation": (
        "Lower the learning rate, or use an activation with a slope for negative "
        "inputs (LeakyReLU, ELU).",
        "Normalize before the activation (LayerNorm, "
        "https://arxiv.org/abs/1607.06450), and look for large negative biases.",
    ),
}


@dataclass(frozen=True)
class DeadLayers:
    """Zero states or zero weights: nothing passes, and similarity is undefined.

    A dead layer reads cosine 0 in the usual snippet, as if it were perfectly
    diverse. Here it counts as dead: by its share of all-zero rows, or by a weight
    norm that has collapsed against a fresh initialization. Switching the
    activations off tells dying units from dead weights.
    """

    code: str = "D002"
    cause: str = "dead layers"
    explains: tuple[str, ...] = ("D001", "D005", "D006", "D007", "D008", "D009")

    def __call__(self, case: Case) -> Outcome:
        """Looks at every layer but the rows that were zero from the start."""
        dead = [layer for layer in case.reading.layers if _share(layer) > _DEAD_SHARE]
        collapsed = _collapsed(case)
        if dead or collapsed:
            return self._issue(case, dead, collapsed)
        most = max(case.reading.layers, key=_share)
        if _share(most) > _SOME_DEAD:
            return Outcome(
                "tip",
                f"{_share(most):.0%} of the rows of {most.name} are zero",
                confidence=0.6,
                evidence={"layer": most.name, "dead_fraction": _share(most)},
                advice=_ADVICE["activation"],
            )
        return passed("no layer is dead", largest_dead_fraction=_share(most))

    def _issue(
        self, case: Case, dead: list[LayerReading], collapsed: dict[str, float]
    ) -> Outcome:
        names = [layer.name for layer in dead] or list(collapsed)
        by_activation = bool(dead) and not collapsed and self._revives(case, names)
        how = "activation" if by_activation else "weights"
        what = f"{len(names)} of {len(case.reading.layers)} layers"
        reason = f"{what} have weights near zero" if collapsed else f"{what} are zero"
        if by_activation:
            reason += "; their activations died"
        return Outcome(
            "issue",
            reason,
            confidence=0.95,
            evidence={
                "dead_layers": names,
                "largest_dead_fraction": max(map(_share, case.reading.layers)),
                "smallest_weight_norm_ratio": min(collapsed.values(), default=None),
                "alive_without_activations": by_activation,
            },
            advice=_ADVICE[how],
        )

    def _revives(self, case: Case, names: list[str]) -> bool:
        linear = {layer.name: _share(layer) for layer in case.linear.layers}
        return all(linear.get(name, 1.0) < _DEAD_SHARE for name in names)


def _share(layer: LayerReading) -> float:
    return layer.dead_fraction or 0.0


def _collapsed(case: Case) -> dict[str, float]:
    """Layers whose weights shrank and whose states point in one direction."""
    fresh = {layer.name: layer.weight_norm for layer in case.fresh.layers}
    ratios = {}
    for layer in case.reading.layers:
        before = fresh.get(layer.name)
        cosine = layer.mean_cosine
        varied = cosine is not None and cosine < _ONE_DIRECTION
        if layer.weight_norm is not None and before and not varied:
            ratios[layer.name] = layer.weight_norm / before
    return {name: ratio for name, ratio in ratios.items() if ratio < _COLLAPSED}
