from __future__ import annotations

import io

from rich.console import Console
from tests.cli.outcome import SWEEP, only_line, raising

from benthic.cli import screen


def test_an_interrupted_sweep_says_how_to_go_on(run, graph, monkeypatch):
    graph("texas")
    monkeypatch.setattr("benthic.sweeps.run.train_together", raising(KeyboardInterrupt))
    code, out, err = run(*SWEEP, "--out", "a")
    assert (code, out) == (130, "")
    assert "what is finished is kept in a: run the same command again" in err
    assert only_line(err) == "benthic: interrupted"


def test_parts_that_are_written_have_a_bar_with_count_and_total(monkeypatch):
    shown = io.StringIO()
    terminal = Console(file=shown, force_terminal=True, width=100)
    monkeypatch.setattr(screen, "console", terminal)
    with screen.counted("predict", [range(1_500), range(1_500)], 3_000) as parts:
        assert sum(map(len, parts)) == 3_000

    assert "0 of 3,000 rows" in shown.getvalue()
    assert "3,000 of 3,000 rows" in shown.getvalue()
    assert "━" in shown.getvalue()


def test_in_a_log_each_part_is_a_line(monkeypatch):
    log = io.StringIO()
    monkeypatch.setattr(screen, "console", Console(file=log, width=100))
    with screen.counted("predict", [range(2), range(2)], 4) as parts:
        assert sum(map(len, parts)) == 4

    assert log.getvalue() == "predict: 2 of 4 rows\npredict: 4 of 4 rows\n"
