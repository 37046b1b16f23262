from __future__ import annotations

from tests.cli.outcome import SWEEP, only_line, raising


def test_an_interrupted_sweep_says_how_to_go_on(run, graph, monkeypatch):
    graph("texas")
    monkeypatch.setattr("benthic.sweeps.run.train_together", raising(KeyboardInterrupt))
    code, out, err = run(*SWEEP, "--out", "a")
    assert (code, out) == (130, "")
    assert "what is finished is kept in a: run the same command again" in err
    assert only_line(err) == "benthic: interrupted"
