"""What wins must gain more than luck would, by validation alone."""

from __future__ import annotations

import pytest
from torch import nn

from benthic.nn.drop import DropEdge
from benthic.treatment.choosing import (
    LEAVE_ALONE,
    UNKNOWN,
    Tried,
    beats_chance,
    choose,
    winner,
)
from benthic.treatment.shortlist import Candidate
from benthic.treatment.trial import Gain, Reached


def reached(*val):
    return Reached([nn.Identity() for _ in val], val, (), seconds=1.0)


def tried(mean, error, share=0.1):
    """A candidate that gains so much over an untreated 0.6."""
    candidate = Candidate((DropEdge(p=share),), "in general.", {"decoupled": True})
    return Tried(candidate, reached=reached(0.6 + mean), gain=Gain(mean, error))


UNTREATED = reached(0.5, 0.7)


def test_the_highest_of_those_that_beat_chance_wins():
    noisy, first, second = tried(0.3, 0.3), tried(0.1, 0.01), tried(0.2, 0.01)
    choice = choose([noisy, first, second], UNTREATED, own=0.6, num_val=100)

    assert winner([noisy, first, second], num_val=100) is second
    assert choice.candidate is second.candidate
    assert choice.verdict == second.candidate.name
    assert choice.treatments == second.candidate.treatments
    assert choice.changes == {"decoupled": True}
    assert "Validation 0.800 against 0.600" in choice.summary


def test_a_model_that_is_as_good_already_stays():
    choice = choose([tried(0.2, 0.01)], UNTREATED, own=0.9, num_val=100)

    assert (choice.verdict, choice.reached) == (LEAVE_ALONE, None)
    assert (choice.treatments, choice.changes) == ((), {})
    assert "reaches 0.900" in choice.summary


def test_when_nothing_helps_the_untreated_network_is_handed_out():
    unfinished = Tried(tried(0.2, 0.01).candidate, "not tried: the time was used up")
    choice = choose([tried(0.1, 0.2), unfinished], UNTREATED, own=0.5, num_val=100)

    assert choice.verdict == LEAVE_ALONE
    assert choice.reached is UNTREATED
    assert "the best of 1 0.700" in choice.summary


def test_without_a_trial_that_is_what_it_says():
    unfinished = Tried(tried(0.2, 0.01).candidate, "not tried: the time was used up")
    choice = choose([unfinished] * 3, UNTREATED, own=0.5, num_val=100)
    better = choose([unfinished], UNTREATED, own=0.9, num_val=100)

    assert choice.verdict == better.verdict == UNKNOWN
    assert "is not known: not tried: the time was used up. As it" in choice.summary
    assert (choice.reached, better.reached) == (UNTREATED, None)


def test_no_gain_is_no_luck():
    assert not beats_chance(None, num_tried=1, num_val=100)


@pytest.mark.parametrize(
    ("mean", "error", "num_tried", "wins"),
    [
        (0.05, 0.04, 1, True),  # more than one standard error
        (0.03, 0.04, 1, False),
        (0.05, 0.04, 6, False),  # the best of six by luck: 1.28 standard errors
        (0.06, 0.04, 6, True),
        (0.009, 0.0, 1, False),  # less than one of 100 nodes
        (0.01, 0.0, 1, True),
    ],
)
def test_a_gain_counts_beyond_luck_and_one_node(mean, error, num_tried, wins):
    found = Gain(mean, error)

    assert beats_chance(found, num_tried, num_val=100) is wins
