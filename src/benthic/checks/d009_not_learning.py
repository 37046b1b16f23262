"""D009 not learning for another reason: learning rate, labels, loss, frozen weights."""

from __future__ import annotations

from dataclasses import dataclass

from benthic.checks.case import Case
from benthic.checks.finding import Outcome, not_applicable, passed


@dataclass(frozen=True)
class NotLearning:
    """The model does badly, and its training metric says it has not learned.

    Says so when the other checks name no cause; they explain it otherwise.
    """

    code: str = "D009"
    cause: str = "not learning for another reason"
    explains: tuple[str, ...] = ()

    def __call__(self, case: Case) -> Outcome:
        """Looks at the training metric, and at what could hold it down."""
        train, val = case.reading.metrics["train"], case.reading.metrics["val"]
        if train is None or case.is_failing is None:
            return not_applicable("it takes labels, a train_mask and a val_mask")
        if not case.is_failing:
            return passed("the model does as well as it should", val_accuracy=val)
        frozen = [n for n, p in case.model.named_parameters() if not p.requires_grad]
        evidence = {
            "train_accuracy": train,
            "val_accuracy": val,
            "chance": case.chance,
            "frozen_parameters": len(frozen),
        }
        advice = [
            "Train it first, if it has not been; then look at the loss by epoch and "
            "try a learning rate ten times lower and ten times higher.",
            "Check that the labels belong to these rows and that the loss sees the "
            "training mask.",
        ]
        if frozen:
            advice.insert(0, f"Unfreeze {frozen[0]} and {len(frozen) - 1} more.")
        at_fault = "does not fit its training data" if not case.fits else "fits"
        return Outcome(
            "issue",
            f"the model {at_fault} ({train:.0%}), and validation is at {val:.0%}",
            confidence=0.5,
            evidence=evidence,
            advice=tuple(advice),
        )
