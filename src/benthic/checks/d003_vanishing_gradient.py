"""D003 vanishing gradient: early layers get no signal."""

from __future__ import annotations

from dataclasses import dataclass

from benthic.checks.case import Case
from benthic.checks.finding import Outcome, not_applicable, passed

# Loss gradient at the first layer's states over that at the last one's, at a fresh
# start. benchmarks/trainability.py, GCN on Cora: 0.7 with 2 layers (trains), 0.05 with
# 8 (trains on some seeds), 0.002 with 16 (never trains).
_VANISHED = 0.02

_ADVICE = (
    "Give the gradient a way around the layers: pre-norm residual with dropout on the "
    "branch (https://arxiv.org/abs/2006.07739), or initial residual and identity map "
    "(GCNII, https://arxiv.org/abs/2007.02133).",
    "Normalize each layer (LayerNorm, https://arxiv.org/abs/1607.06450), and start "
    "from a gain that keeps norms (https://arxiv.org/abs/1502.01852).",
    "Use AdamW: coupled L2 drives starved weights to zero whatever its size "
    "(https://arxiv.org/abs/1711.05101).",
)


@dataclass(frozen=True)
class VanishingGradient:
    """The loss does not reach the first layers, so they cannot learn.

    Asked of a *fresh* copy, because a fitted or a dead network has small gradients
    for other reasons. If the copy without edges vanishes as well, the graph is not
    to blame.
    """

    code: str = "D003"
    cause: str = "vanishing gradient"
    explains: tuple[str, ...] = (
        "D001",
        "D002",
        "D005",
        "D006",
        "D008",
        "D009",
        "D012",
    )

    def __call__(self, case: Case) -> Outcome:
        """Compares the first layer's gradient with the last one's."""
        ratio = case.fresh.gradient_ratio
        if ratio is None:
            return not_applicable("it takes two layers with trainable parameters")
        if ratio < _VANISHED:
            ratio = max(ratio, case.fresh_again.gradient_ratio or 0.0)
        now = case.reading.gradient_ratio
        if ratio >= _VANISHED:
            return passed(
                "gradients reach the first layer of a fresh copy",
                gradient_ratio_fresh=ratio,
                gradient_ratio_now=now,
            )
        without_graph = case.fresh_graph_off.gradient_ratio
        evidence = {
            "gradient_ratio_fresh": ratio,
            "gradient_ratio_fresh_graph_off": without_graph,
            "gradient_ratio_now": now,
            "train_accuracy": case.reading.metrics["train"],
        }
        if case.fits:
            return passed(
                "the gradient is weak in the first layers, yet the model fits its "
                "training data",
                **evidence,
            )
        mlp_too = without_graph is not None and without_graph < _VANISHED
        reason = (
            f"the first layer of a fresh copy gets {ratio:.0e} of the last layer's "
            f"gradient"
        )
        return Outcome(
            "tip" if case.is_failing is False else "issue",
            reason + ("; without the graph too" if mlp_too else ""),
            confidence=0.95 if mlp_too and case.is_failing else 0.8,
            evidence=evidence,
            advice=_ADVICE,
        )
