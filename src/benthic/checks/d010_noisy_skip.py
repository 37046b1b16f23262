"""D010 noise on the skip stream: dropout after the add."""

from __future__ import annotations

from dataclasses import dataclass

from benthic.checks.case import Case
from benthic.checks.finding import Outcome, not_applicable, passed

_ADVICE = (
    "Put dropout on the branch, before it is added: x + dropout(act(conv(x))).",
    "Normalize the input of each branch (pre-norm residual, "
    "https://arxiv.org/abs/2006.07739).",
)


@dataclass(frozen=True)
class NoisySkip:
    """Dropout falls on the skip stream itself, in every layer anew.

    With every message silenced, only skips carry the states on. If training mode
    still disturbs them, dropout sits on the stream: after l layers with drop
    probability p the signal-to-noise power ratio is 1 / ((1 - p)^-l - 1).
    """

    code: str = "D010"
    cause: str = "noise on the skip stream"
    explains: tuple[str, ...] = (
        "D001",
        "D002",
        "D003",
        "D006",
        "D008",
        "D009",
        "D012",
    )

    def __call__(self, case: Case) -> Outcome:
        """Follows the silenced stream from the first layer to the last."""
        ratios = [x.skip_only for x in case.noise if x.skip_only is not None]
        if len(ratios) < 2:
            return not_applicable("no skip connects the layers")
        evidence = {
            "skip_signal_to_noise_first": ratios[0],
            "skip_signal_to_noise_last": ratios[-1],
            "signal_to_noise_last": case.noise[-1].all_paths,
        }
        if ratios[-1] >= 1.0 or ratios[-1] > ratios[0] / 2:
            return passed("the skips carry the states on undisturbed", **evidence)
        hurts = case.is_failing or not case.fits
        return Outcome(
            "issue" if hurts else "tip",
            f"dropout hits the skip stream in every layer: its signal-to-noise ratio "
            f"falls from {ratios[0]:.2g} to {ratios[-1]:.2g}",
            confidence=0.9,
            evidence=evidence,
            advice=_ADVICE,
        )
