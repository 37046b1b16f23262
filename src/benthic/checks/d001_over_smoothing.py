"""D001 over-smoothing: propagation removes the directions the task needs."""

from __future__ import annotations

from dataclasses import dataclass

from benthic.checks.case import Case
from benthic.checks.finding import Outcome, not_applicable, passed
from benthic.checks.passes import Reading

_ADVICE = (
    "Propagate less: fewer layers, or a smaller K, up to where the weights-off probe "
    "still reads the labels.",
    "Anchor each layer to the input: initial residual and identity map (GCNII, "
    "https://arxiv.org/abs/2007.02133) or personalized PageRank (APPNP, "
    "https://arxiv.org/abs/1810.05997).",
    "Weigh the hops instead of stacking them (DAGNN, "
    "https://arxiv.org/abs/2007.09296; GPRGNN, https://arxiv.org/abs/2006.07988).",
)


@dataclass(frozen=True)
class OverSmoothing:
    r"""Propagation alone, or the graph inside this model, wipes the labels out.

    Two controls decide, never a similarity threshold. Weights off: a probe on
    :math:`\hat{\mathbf{A}}^K \mathbf{X}` at the model's own reach K is far below
    the same probe at fewer steps. Graph off: the probe falls from layer to layer
    with the graph and does not without it. High similarity with a steady probe is
    reported as harmless.
    """

    code: str = "D001"
    cause: str = "over-smoothing"
    explains: tuple[str, ...] = ("D006", "D008", "D009")

    def __call__(self, case: Case) -> Outcome:
        """Compares the probe along the hops and along the layers."""
        if not case.weights_off and not _probes(case.reading):
            return not_applicable(
                "it takes labels, a train_mask and a val_mask to tell"
            )
        by_hops = self._by_propagation(case)
        return by_hops if by_hops is not None else self._by_layers(case)

    def _by_propagation(self, case: Case) -> Outcome | None:
        reach = case.reading.num_hops
        best = case.best_hops
        if reach is None or best is None:
            return None
        shallower = [point for point in case.weights_off if point.num_hops <= reach]
        best = max(shallower, key=lambda point: point.accuracy)
        drop = best.accuracy - shallower[-1].accuracy
        if drop <= 2 * case.margin or not case.is_failing:
            return None
        return Outcome(
            "issue",
            f"propagation alone takes a linear probe from {best.accuracy:.0%} after "
            f"{best.num_hops} hops to {shallower[-1].accuracy:.0%} after the model's "
            f"{reach}",
            confidence=0.95,
            evidence={
                "weights_off_accuracy_at_best": best.accuracy,
                "best_num_hops": best.num_hops,
                "weights_off_accuracy_at_reach": shallower[-1].accuracy,
                "num_hops": reach,
                "val_accuracy": case.reading.metrics["val"],
            },
            advice=_ADVICE,
        )

    def _by_layers(self, case: Case) -> Outcome:
        probes = _probes(case.reading)
        if len(probes) < 2:
            return passed("there are too few layers to lose anything between them")
        fall = max(probes) - probes[-1]
        cosine = case.hidden[-1].mean_cosine
        if fall <= 2 * case.margin:
            smooth = cosine is not None and cosine > 0.5
            note = "; the states are similar, and that is harmless here"
            return passed(
                "the labels stay readable to the last layer" + note * smooth,
                probe_fall=fall,
                mean_cosine=cosine,
            )
        off = _probes(case.graph_off)
        if not off:
            return not_applicable("the model does not run without edges")
        fall_off = max(off) - off[-1]
        evidence = {
            "probe_fall": fall,
            "probe_fall_graph_off": fall_off,
            "rayleigh_quotient_last": case.hidden[-1].rayleigh_quotient,
            "effective_rank_last": case.hidden[-1].effective_rank,
        }
        if fall_off > fall / 2:
            return passed(
                "the labels fade along the layers, and without the graph they do too",
                **evidence,
            )
        if not case.is_failing:
            return Outcome(
                "tip",
                "some layers read the labels better than the last one",
                confidence=0.5,
                evidence=evidence,
                advice=_ADVICE,
            )
        return Outcome(
            "issue",
            f"the probe falls by {fall:.0%} along the layers with the graph and by "
            f"{fall_off:.0%} without it",
            confidence=0.6,
            evidence=evidence,
            advice=_ADVICE,
        )


def _probes(reading: Reading) -> list[float]:
    return [
        layer.probe_accuracy
        for layer in reading.layers
        if layer.probe_accuracy is not None
    ]
