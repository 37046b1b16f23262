"""D005 over-squashing: far nodes cannot be heard."""

from __future__ import annotations

import math
from dataclasses import dataclass

from benthic.checks.case import Case
from benthic.checks.finding import Outcome, not_applicable, passed

# Influence share at the needed hop over the share of equally heard nodes there.
_UNHEARD = 0.01

_ADVICE = (
    "Widen the bottleneck by rewiring (SDRF, https://arxiv.org/abs/2111.14522; FoSR, "
    "https://arxiv.org/abs/2210.11790) or with a virtual node.",
    "Give far nodes a direct way: global attention (GPS, "
    "https://arxiv.org/abs/2205.12454).",
)


@dataclass(frozen=True)
class OverSquashing:
    """The model reaches far enough, and still cannot hear what is there.

    The weights-off probe says how many hops away the labels are read best. If the
    model reaches that far, is alive and trainable, and the influence of that hop is
    a hundredth or less of its share of the nodes, its messages are squashed.
    """

    code: str = "D005"
    cause: str = "over-squashing"
    explains: tuple[str, ...] = ("D009",)

    def __call__(self, case: Case) -> Outcome:
        """Compares influence by hop with every node being heard equally."""
        reach, best = case.reading.num_hops, case.needed_hops
        if best is None:
            return not_applicable("it takes labels, a train_mask and a val_mask")
        if reach is None:
            return not_applicable("the model hears every node, or its reach is unknown")
        if best.num_hops < 2:
            return not_applicable("the labels are read near each node; none is far")
        if reach < best.num_hops:
            return not_applicable(
                f"the labels are read {best.num_hops} hops away, and the model reaches "
                f"{reach}"
            )
        if not case.is_failing:
            return passed("the model reads what is there to read")
        if case.influence is None:
            return not_applicable("influence by hop was not measured")
        return self._judge(case, best.num_hops)

    def _judge(self, case: Case, hop: int) -> Outcome:
        influence, null = case.influence, case.influence_null
        if influence is None or null is None or hop >= len(influence.share):
            return not_applicable(f"no sampled node has a neighbor {hop} hops away")
        share, equal = influence.share[hop], null.influence[hop] / sum(null.influence)
        if not math.isfinite(share):
            return not_applicable("no node influences any other")
        rank = case.hidden[-1].effective_rank or 0.0
        classes = case.supervision.num_classes if case.supervision else 2
        evidence = {
            "needed_hop": hop,
            "influence_share": share,
            "influence_share_if_equal": equal,
            "effective_rank": rank,
        }
        if share >= _UNHEARD * equal or rank < classes / 2:
            return passed("the hop that holds the labels is heard", **evidence)
        return Outcome(
            "issue",
            f"nodes {hop} hops away, where the labels are, have {share:.1e} of the "
            f"influence and {equal:.0%} of the nodes",
            confidence=0.6,
            evidence=evidence,
            advice=_ADVICE,
        )
