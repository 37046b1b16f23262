"""D012 dropout that grows: its noise multiplies from layer to layer."""

from __future__ import annotations

from dataclasses import dataclass

from benthic.checks.case import Case
from benthic.checks.finding import Outcome, not_applicable, passed

# Norms with dropout over those without, in a fresh copy: what a tenth of the nodes
# surpass. benchmarks/dropout_growth.py, Cora: GCN, GraphSAGE and GAT that train read
# at most 9, a GAT of 32 layers that just trains 6 to 560, of 64 that does not 45,000.
_GROWN = 30.0

_ADVICE = (
    "Lower dropout between the layers: if a layer hands on a share s of the states, "
    "dropout up to 1 - s² cannot make them grow (0.19 for an initial residual with "
    "alpha = 0.1).",
    "Normalize the input of each branch (pre-norm residual, "
    "https://arxiv.org/abs/2006.07739): a norm takes the growth back in every layer.",
)


@dataclass(frozen=True)
class GrowingNoise:
    """Dropout alone makes the states larger and larger, so that the loss explodes.

    Dropout with probability p keeps the mean of an entry and multiplies its power by
    1 / (1 - p). Averaging over many neighbors takes that back; few neighbors, or an
    attention that picks the largest, do not, and nothing shows in evaluation mode.
    """

    code: str = "D012"
    cause: str = "dropout noise that grows with depth"
    explains: tuple[str, ...] = ("D001", "D002", "D006", "D008", "D009")

    def __call__(self, case: Case) -> Outcome:
        """Compares norms in a fresh copy, with dropout and without."""
        if not case.noise:
            return not_applicable("it takes two layers that run in training mode")
        most = max(case.noise, key=lambda x: x.growth)
        evidence = {
            "norm_with_dropout_over_without": most.growth,
            "at_layer": most.name,
            "signal_to_noise_last": case.noise[-1].all_paths,
        }
        if most.growth <= _GROWN:
            return passed("dropout leaves the states about as large", **evidence)
        return Outcome(
            "tip" if case.fits and not case.is_failing else "issue",
            "dropout alone makes the states of a tenth of the nodes "
            f"{most.growth:,.0f} times larger by {most.name}, in a fresh copy",
            confidence=0.85,
            evidence=evidence,
            advice=_ADVICE,
        )
