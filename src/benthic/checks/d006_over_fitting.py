"""D006 over-fitting: fits the training nodes and no others."""

from __future__ import annotations

from dataclasses import dataclass

from benthic.checks.case import Case
from benthic.checks.finding import Outcome, not_applicable, passed

_ADVICE = (
    "Regularize: dropout, decoupled weight decay, dropping edges (DropEdge, "
    "https://arxiv.org/abs/1907.10903) or a narrower model.",
    "Stop at the best validation epoch, or label more nodes.",
)


@dataclass(frozen=True)
class OverFitting:
    """Training accuracy near 100 %, validation clearly below the attainable.

    A gap alone is no illness: 2 layers on Cora fit all 140 training nodes and are
    as good on the others as anything. What counts is falling behind a linear probe
    on propagated features, which has next to nothing to over-fit with, or being no
    better than chance on nodes that were not trained on.
    """

    code: str = "D006"
    cause: str = "over-fitting"
    explains: tuple[str, ...] = ()

    def __call__(self, case: Case) -> Outcome:
        """Compares train, validation and the weights-off probe."""
        train, val = case.reading.metrics["train"], case.reading.metrics["val"]
        reach, within = case.reading.num_hops, 0.0
        if train is None or val is None or not case.weights_off:
            return not_applicable("it takes labels, a train_mask and a val_mask")
        for point in case.weights_off:
            if reach is None or point.num_hops <= reach:
                within = max(within, point.accuracy)
        evidence: dict[str, float | None] = {
            "train_accuracy": train,
            "val_accuracy": val,
            "weights_off_accuracy": within,
        }
        gap, behind = train - val, within - val
        by_heart = case.chance is not None and val < case.chance + case.margin
        behind_much = behind > 2 * case.margin or by_heart
        overfits = case.fits and gap > 2 * case.margin
        if not overfits or not (by_heart or behind > case.margin):
            return passed("validation keeps up with what is attainable", **evidence)
        if by_heart:
            evidence["chance"] = case.chance
        return Outcome(
            "issue" if behind_much else "tip",
            f"{train:.0%} on the training nodes, {val:.0%} on validation, where a "
            f"linear probe on propagated features has {within:.0%}",
            confidence=0.7,
            evidence=evidence,
            advice=_ADVICE,
        )
