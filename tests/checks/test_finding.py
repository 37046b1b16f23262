from __future__ import annotations

import pytest

from benthic.checks import CHECKS
from benthic.checks.finding import Finding, Outcome, not_applicable, passed

CODES = [check.code for check in CHECKS]


def test_an_outcome_says_what_it_rests_on():
    outcome = passed("all is well", ratio=0.5)
    assert (outcome.kind, outcome.reason) == ("passed", "all is well")
    assert outcome.evidence == {"ratio": 0.5}
    assert outcome.advice == ()


def test_what_cannot_be_told_is_not_called_healthy():
    assert not_applicable("no labels").kind == "not applicable"


def test_two_outcomes_share_no_evidence():
    Outcome("issue", "a").evidence["x"] = 1
    assert Outcome("issue", "b").evidence == {}


def test_a_finding_names_the_place_in_the_docs():
    finding = Finding("D003", "vanishing gradient", "issue", 0.9, "why", {}, ())
    assert finding.docs == "docs/checks.md#d003"


def test_codes_are_unique_and_in_order():
    assert CODES == sorted(set(CODES))
    assert CODES == [f"D{number:03}" for number in range(1, 13)]


@pytest.mark.parametrize("check", CHECKS, ids=CODES)
def test_a_check_explains_others_that_exist(check):
    assert set(check.explains) <= set(CODES) - {check.code}


def test_no_two_causes_explain_each_other():
    explains = {check.code: set(check.explains) for check in CHECKS}
    for code, others in explains.items():
        assert not [other for other in others if code in explains[other]]
