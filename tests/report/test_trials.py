from __future__ import annotations

from benthic.report import to_html
from benthic.report.trials import HEADER, trial_cells, trials_view

CHOSEN = {
    "treatment": "Residual()",
    "outcome": "chosen",
    "mean": 0.81,
    "std": None,
    "gain": 0.1,
    "standard_error": 0.02,
    "seconds": 3.0,
}
RX = {
    "verdict": "Residual()",
    "summary": "A gain of 0.1.",
    "table": [
        CHOSEN,
        {"treatment": "DropEdge()", "outcome": "not tried", "mean": None},
    ],
    "code": "treated = treat(model, Residual())",
}


def test_a_trial_is_a_row_and_what_won_is_marked():
    assert trial_cells(CHOSEN) == [
        *("Residual() (chosen)", "0.810", "–", "0.100", "0.020", "3.00")
    ]
    assert len(HEADER) == 6


def test_what_was_not_tried_is_a_line_with_its_reason():
    view = trials_view(RX)
    assert len(view["rows"]) == 1
    assert view["left"] == ["DropEdge(): not tried"]


def test_a_page_shows_the_trials_and_the_code_before_the_diagnosis():
    hostile = {**RX, "summary": "<script>"}
    page = to_html([{"verdict": "D003", "prescription": hostile}])
    assert "Residual() (chosen)" in page
    assert "treated = treat(model, Residual())" in page
    assert page.index("Trials") < page.index("D003")
    assert "<script" not in page
    assert "Trials" not in to_html([{"verdict": "D003"}])
