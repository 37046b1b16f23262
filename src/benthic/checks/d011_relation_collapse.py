"""D011 relation collapse: messages of different relations become one."""

from __future__ import annotations

from dataclasses import dataclass

from benthic.checks.case import Case
from benthic.checks.finding import Outcome, not_applicable, passed

_ALIKE = 0.95

_ADVICE = (
    "Fuse relations by attention on what each adds (HAN, "
    "https://arxiv.org/abs/1903.07293), or keep each node's own features (HPN, "
    "personalized PageRank along meta-paths).",
    "Drop relations that say the same, or use fewer layers.",
)


@dataclass(frozen=True)
class RelationCollapse:
    """Semantic confusion: a node cannot tell which relation a message came by.

    The cosine between the messages that two relations send to the same nodes, layer
    by layer; 1 says that a relation adds nothing.
    """

    code: str = "D011"
    cause: str = "relation collapse"
    explains: tuple[str, ...] = ("D009",)

    def __call__(self, case: Case) -> Outcome:
        """Looks for the most alike relations of the last layers that have several."""
        read = [x for x in case.reading.relations if x.cosine is not None]
        if not read:
            return not_applicable("no node type hears two relations")
        worst = max(read, key=lambda relation: relation.cosine or 0.0)
        evidence = {
            "layer": worst.name,
            "node_type": worst.node_type,
            "relations": list(worst.relations),
            "cosine": worst.cosine,
        }
        if (worst.cosine or 0.0) < _ALIKE:
            return passed("relations say different things", **evidence)
        return Outcome(
            "issue" if case.is_failing else "tip",
            f"{worst.relations[0]} and {worst.relations[1]} send {worst.node_type} "
            f"the same in {worst.name} (cosine {worst.cosine:.2f})",
            confidence=0.7,
            evidence=evidence,
            advice=_ADVICE,
        )
