"""The candidate that wins by validation, if it gains more than luck would."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from benthic.treatment.shortlist import Candidate
from benthic.treatment.trial import Gain, Reached

LEAVE_ALONE = "leave it alone"
UNKNOWN = "no treatment was tried"


@dataclass(frozen=True)
class Tried:
    """A candidate and what came of it.

    Args:
        candidate: What was to be tried.
        outcome: ``"tried"``, or why it was not.
        reached: What its networks reached; None if it was not finished.
        gain: What that is more than untreated.
    """

    candidate: Candidate
    outcome: str = "tried"
    reached: Reached | None = None
    gain: Gain | None = None


@dataclass(frozen=True)
class Choice:
    """What is recommended.

    Args:
        verdict: The winner's name, or :data:`LEAVE_ALONE`, or :data:`UNKNOWN` where no
            trial was finished: that is no evidence for leaving it alone.
        summary: Why, in one or two sentences.
        reached: What its networks reached; None stands for the user's own model.
        candidate: The winner; None if nothing is to be applied.
    """

    verdict: str
    summary: str
    reached: Reached | None
    candidate: Candidate | None = None

    @property
    def treatments(self) -> tuple[Any, ...]:
        """What to give to :func:`~benthic.treatment.treat`; or nothing."""
        return self.candidate.treatments if self.candidate else ()

    @property
    def changes(self) -> dict[str, Any]:
        """Fields of the protocol that go with them."""
        return dict(self.candidate.changes) if self.candidate else {}


def choose(
    tried: Sequence[Tried], untreated: Reached, own: float, num_val: int
) -> Choice:
    """The best candidate that beats chance, by validation alone.

    Args:
        tried: All candidates, those that were not finished too.
        untreated: What the network reached without any.
        own: Validation score of the user's model as it is.
        num_val: Validation nodes.

    Example:
        >>> untreated = Reached([], (0.6, 0.7), (), 1.0)
        >>> choose([], untreated, own=0.5, num_val=100).verdict
        'no treatment was tried'
    """
    finished = [t for t in tried if t.reached and t.gain]
    if not finished:
        return _unknown(tried, untreated, own)
    best = winner(tried, num_val)
    level = best.reached if best else untreated
    assert level is not None
    if own >= (level.mean if best else max(level.val)):
        summary = (
            f"The model as it is reaches {own:.3f} on validation; under this budget "
            f"nothing reached more: {level.mean:.3f} at best."
        )
        return Choice(LEAVE_ALONE, summary, None)
    if best is None or best.gain is None:
        summary = _nothing_helps(finished, untreated)
        return Choice(LEAVE_ALONE, summary, untreated)
    summary = (
        f"Validation {level.mean:.3f} against {untreated.mean:.3f} untreated under the "
        f"same budget: a gain of {best.gain.mean:.3f} with a standard error of "
        f"{best.gain.standard_error:.3f}."
    )
    return Choice(best.candidate.name, summary, level, best.candidate)


def winner(tried: Sequence[Tried], num_val: int) -> Tried | None:
    """The best of those whose gain is more than chance would show.

    Args:
        tried: All candidates, those that were not finished too.
        num_val: Validation nodes.

    Example:
        >>> winner([], num_val=100) is None
        True
    """
    finished = [t for t in tried if t.reached and t.gain]
    winners = [t for t in finished if beats_chance(t.gain, len(finished), num_val)]
    return max(winners, key=lambda t: _mean(t.reached), default=None)


def beats_chance(found: Gain | None, num_tried: int, num_val: int) -> bool:
    """Whether a gain is more than the luck of the best of so many, and one node.

    Args:
        found: The gain; None is none.
        num_tried: Candidates among which it is the best.
        num_val: Validation nodes.

    Example:
        >>> beats_chance(Gain(0.05, 0.04), num_tried=1, num_val=100)
        True
        >>> beats_chance(Gain(0.05, 0.04), num_tried=6, num_val=100)
        False
    """
    if found is None:
        return False
    # Blom's approximation of the largest of k standard normal numbers.
    share = (num_tried - 0.375) / (num_tried + 0.25)
    luck = max(1.0, statistics.NormalDist().inv_cdf(share))
    # Means of float scores: a gain of exactly one node must not fall below itself.
    is_a_node = found.mean >= 1 / num_val - 1e-9
    return is_a_node and found.mean > luck * found.standard_error


def _unknown(tried: Sequence[Tried], untreated: Reached, own: float) -> Choice:
    """Why there is nothing to choose from; the better of the two networks there are."""
    reasons = dict.fromkeys(t.outcome for t in tried)
    why = "; ".join(list(reasons)[:3]) or "nothing was on the list"
    summary = (
        f"Whether a treatment helps is not known: {why}. As it is the model reaches "
        f"{own:.3f} on validation, untreated and trained anew {untreated.mean:.3f}."
    )
    is_better = own >= max(untreated.val)
    return Choice(UNKNOWN, summary, None if is_better else untreated)


def _nothing_helps(finished: Sequence[Tried], untreated: Reached) -> str:
    best = max(finished, key=lambda t: _mean(t.reached))
    assert best.gain is not None
    return (
        f"No treatment gains more than chance would show: untreated "
        f"{untreated.mean:.3f}, the best of {len(finished)} {_mean(best.reached):.3f}, "
        f"a gain of {best.gain.mean:.3f} with a standard error of "
        f"{best.gain.standard_error:.3f}."
    )


def _mean(reached: Reached | None) -> float:
    return reached.mean if reached else float("-inf")
