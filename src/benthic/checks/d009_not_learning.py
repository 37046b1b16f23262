"""D009 not learning for another reason: learning rate, labels, loss, frozen weights."""

from __future__ import annotations

from dataclasses import dataclass

from benthic.checks.case import Case
from benthic.checks.finding import Outcome, not_applicable, passed
from benthic.checks.propagation import HopAccuracy

# Where one class has nine nodes in ten, accuracy hardly moves with what is learned.
_ONE_CLASS = 0.9


@dataclass(frozen=True)
class NotLearning:
    """The model does badly, and its training metric says it has not learned.

    Says so when the other checks name no cause; they explain it otherwise. A model
    that fits its training nodes has learned, whatever it makes of others.
    """

    code: str = "D009"
    cause: str = "not learning for another reason"
    explains: tuple[str, ...] = ()

    def __call__(self, case: Case) -> Outcome:
        """Looks at the training metric, and at what could hold it down."""
        train, val = case.reading.metrics["train"], case.reading.metrics["val"]
        if train is None or val is None or case.is_failing is None:
            return not_applicable("it takes labels, a train_mask and a val_mask")
        if not case.is_failing:
            return passed("the model does as well as it should", val_accuracy=val)
        if case.fits and train - val > 2 * case.margin:
            return passed(
                "the model has learned its training data; it fails on other nodes",
                train_accuracy=train,
                val_accuracy=val,
            )
        best, chance = case.best_hops, case.chance or 0.0
        frozen = [n for n, p in case.model.named_parameters() if not p.requires_grad]
        evidence = {
            "train_accuracy": train,
            "val_accuracy": val,
            "chance": chance,
            "weights_off_accuracy": best.accuracy if best else None,
            "weights_off_num_hops": best.num_hops if best else None,
            "frozen_parameters": len(frozen),
        }
        if chance > _ONE_CLASS and (best is None or best.accuracy < val + case.margin):
            return Outcome(
                "tip",
                f"validation is at {val:.0%}, and always answering the most frequent "
                f"class gives {chance:.0%}: accuracy cannot tell",
                confidence=0.5,
                evidence=evidence,
                advice=("Judge it by its ranking: AUROC or average precision.",),
            )
        return Outcome(
            "issue",
            f"the model has {train:.0%} on its training nodes and {val:.0%} on "
            f"validation{_beside(val, chance, best)}",
            confidence=0.5,
            evidence=evidence,
            advice=_advice(frozen, best),
        )


def _beside(val: float, chance: float, best: HopAccuracy | None) -> str:
    """What to hold validation against: the probe if it is better, else guessing."""
    if best is None or best.accuracy <= max(val, chance):
        return f", where always answering the most frequent class has {chance:.0%}"
    over = f" propagated over {best.num_hops} hops" if best.num_hops else " alone"
    return f", where a linear probe on features{over} has {best.accuracy:.0%}"


def _advice(frozen: list[str], best: HopAccuracy | None) -> tuple[str, ...]:
    advice = [
        "Train it first, if it has not been; then look at the loss by epoch and try "
        "a learning rate ten times lower and ten times higher.",
        "Check that the labels belong to these rows and that the loss sees the "
        "training mask.",
    ]
    if best is not None and best.num_hops == 0:
        advice.insert(
            0,
            "The features alone are read best: keep a node's own apart from its "
            "neighbors' (GraphSAGE; H2GCN, https://arxiv.org/abs/2006.11468).",
        )
    if frozen:
        rest = f" and {len(frozen) - 1} more" if len(frozen) > 1 else ""
        advice.insert(0, f"Unfreeze {frozen[0]}{rest}.")
    return tuple(advice)
