from __future__ import annotations

from benthic.demonstration import DEPTHS, story

SICK = {
    "verdict": "D003",
    "summary": "No gradient arrives.",
    "findings": [
        {
            "code": "D003",
            "cause": "vanishing gradient",
            "advice": ["one", "two", "three"],
        }
    ],
    "metrics": {"val": 0.5},
    "controls": {"chance": 0.25},
}


def test_the_story_names_every_network_with_its_cause_and_score():
    lines = [line for _, line in story([SICK] * len(DEPTHS), "page.html")]
    for depth in DEPTHS:
        assert f"A network of {depth} layers: D003 vanishing gradient" in lines
    assert "  It answers 50% right where guessing answers 25%." in lines
    assert "  -> two" in lines
    assert "  -> three" not in lines


def test_the_story_ends_with_what_to_type_next():
    lines = [line for _, line in story([SICK], "page.html")]
    assert lines[-1].strip().startswith("benthic diagnose my_model.py")
    assert any("page.html" in line for line in lines)
