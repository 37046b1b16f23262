"""D007 under-reaching: fewer layers than hops of signal."""

from __future__ import annotations

from dataclasses import dataclass

from benthic.checks.case import Case
from benthic.checks.finding import Outcome, not_applicable, passed


@dataclass(frozen=True)
class UnderReaching:
    """The labels are written further away than the model looks.

    The weights-off probe keeps rising beyond the model's own reach, and the model
    is no better than the probe within it.
    """

    code: str = "D007"
    cause: str = "under-reaching"
    explains: tuple[str, ...] = ("D006", "D009")

    def __call__(self, case: Case) -> Outcome:
        """Compares the best probe within reach with the best beyond it."""
        reach, best = case.reading.num_hops, case.needed_hops
        if best is None:
            return not_applicable("it takes labels, a train_mask and a val_mask")
        if reach is None:
            return passed("the model hears every node, or its reach is unknown")
        within = max(p.accuracy for p in case.weights_off if p.num_hops <= reach)
        val = case.reading.metrics["val"] or 0.0
        evidence = {
            "num_hops": reach,
            "weights_off_accuracy_within": within,
            "weights_off_accuracy_beyond": best.accuracy,
            "needed_num_hops": best.num_hops,
            "val_accuracy": val,
        }
        if best.accuracy - max(within, val) <= case.margin:
            return passed("nothing more is to be read further away", **evidence)
        return Outcome(
            "issue",
            f"the model looks {reach} hops far; a linear probe reads {within:.0%} "
            f"there and {best.accuracy:.0%} at {best.num_hops} hops",
            confidence=0.9,
            evidence=evidence,
            advice=(
                f"Look {best.num_hops} hops far: as many layers, with residuals so "
                "that they train (GCNII, https://arxiv.org/abs/2007.02133), or "
                "propagation apart from the weights (APPNP, "
                "https://arxiv.org/abs/1810.05997).",
                "Shorten the way: join the tables or edges in between, or add a "
                "global layer (GPS, https://arxiv.org/abs/2205.12454).",
            ),
        )
