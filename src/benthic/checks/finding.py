"""What a check may answer."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, Protocol

if TYPE_CHECKING:
    from benthic.checks.case import Case

Kind = Literal["issue", "tip", "passed", "not applicable"]


@dataclass(frozen=True)
class Outcome:
    """The answer of one check, with the numbers it rests on.

    Args:
        kind: ``"issue"``: this is hurting the model. ``"tip"``: it is there, and
            harmless so far. ``"passed"``: it is not there. ``"not applicable"``:
            this model or data cannot tell.
        reason: One sentence.
        confidence: How sure an issue or tip is, from 0 to 1.
        evidence: Names to numbers, short texts, or lists of them.
        advice: What to do, the most promising first.
    """

    kind: Kind
    reason: str
    confidence: float = 1.0
    evidence: dict[str, Any] = field(default_factory=dict)
    advice: tuple[str, ...] = ()


def passed(reason: str, **evidence: Any) -> Outcome:
    """The illness is not there.

    Args:
        reason: One sentence.
        **evidence: The numbers it rests on.
    """
    return Outcome("passed", reason, evidence=evidence)


def not_applicable(reason: str) -> Outcome:
    """This model or data cannot tell.

    Args:
        reason: What is missing.
    """
    return Outcome("not applicable", reason)


class Check(Protocol):
    """Looks for one cause.

    ``explains`` lists the causes that are only symptoms where this one is found:
    a network that cannot train from its first step on (D003) ends up dead (D002).
    """

    @property
    def code(self) -> str:
        """Stable for ever, as ``"D001"``."""

    @property
    def cause(self) -> str:
        """The illness in the field's words."""

    @property
    def explains(self) -> tuple[str, ...]:
        """Codes of what this cause brings with it."""

    def __call__(self, case: Case) -> Outcome:
        """Examines one case.

        Args:
            case: The model, the data, their readings and the controls.
        """


@dataclass(frozen=True)
class Finding:
    """An issue or a tip, as a diagnosis reports it.

    Args:
        code: Stable code of the check.
        cause: The illness in the field's words.
        severity: ``"issue"`` hurts the model, ``"tip"`` does not so far.
        confidence: From 0 to 1.
        reason: One sentence.
        evidence: Names to numbers, short texts, or lists of them.
        advice: What to do, the most promising first.
    """

    code: str
    cause: str
    severity: Literal["issue", "tip"]
    confidence: float
    reason: str
    evidence: dict[str, Any]
    advice: tuple[str, ...]

    @property
    def docs(self) -> str:
        """Where the cause is explained."""
        return f"docs/checks.md#{self.code.lower()}"
