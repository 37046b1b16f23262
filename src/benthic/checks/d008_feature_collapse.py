"""D008 feature collapse: columns become copies of each other."""

from __future__ import annotations

from dataclasses import dataclass

from benthic.checks.case import Case
from benthic.checks.finding import Outcome, not_applicable, passed

# Mean absolute correlation of two columns. Healthy layers on Cora: 0.06 to 0.40
# (benchmarks/verdicts.py).
_CORRELATED = 0.8
# Rows count as smoothed below a hundredth of the energy of independent rows.
_SMOOTHED = 0.01

_ADVICE = (
    "Decorrelate the columns (DeCorr, https://arxiv.org/abs/2206.07743), or normalize "
    "them (BatchNorm).",
    "Use a narrower layer: most of its columns say the same.",
)


@dataclass(frozen=True)
class FeatureCollapse:
    """Over-correlation without smoothing: nodes differ, columns do not.

    Smoothed rows make columns alike as well, so this is judged only where the
    Rayleigh quotient shows that neighbors still differ.
    """

    code: str = "D008"
    cause: str = "feature collapse"
    explains: tuple[str, ...] = ("D009",)

    def __call__(self, case: Case) -> Outcome:
        """Looks for correlated columns in rows that are not smoothed."""
        read = [x for x in case.hidden if x.feature_correlation is not None]
        if not read:
            return not_applicable("no layer has two columns that vary")
        worst = max(read, key=lambda layer: layer.feature_correlation or 0.0)
        evidence = {
            "layer": worst.name,
            "feature_correlation": worst.feature_correlation,
            "effective_rank": worst.effective_rank,
            "rayleigh_quotient": worst.rayleigh_quotient,
        }
        if (worst.feature_correlation or 0.0) < _CORRELATED:
            return passed("the columns differ", **evidence)
        if (worst.rayleigh_quotient or 0.0) < _SMOOTHED:
            return passed("the columns are alike because the rows are", **evidence)
        return Outcome(
            "issue" if case.is_failing else "tip",
            f"the columns of {worst.name} have a mean correlation of "
            f"{worst.feature_correlation:.2f}",
            confidence=0.6,
            evidence=evidence,
            advice=_ADVICE,
        )
