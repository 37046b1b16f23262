from __future__ import annotations

import subprocess
import sys

import pytest
from tests.cli.outcome import only_line, raising

from benthic.errors import ModelError

COMMANDS = (
    *("diagnose", "sweep", "demo", "report"),
    *("schema", "predict", "evaluate", "explain", "bench"),
)


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_shows_an_example(run, command):
    code, out, _ = run(command, "--help")
    assert code == 0
    assert "Example" in out
    assert f"benthic {command}" in out


def test_without_a_command_the_help_is_shown(run):
    code, out, _ = run()
    assert code == 0
    assert "benthic demo" in out


def test_the_version_is_the_package_s(run):
    from importlib.metadata import version

    assert run("--version") == (0, f"benthic {version('benthic')}\n", "")


def test_help_needs_no_torch_so_that_it_is_instant():
    code = (
        "import sys, benthic.cli as c\n"
        "try: c.main(['--help'])\n"
        "except SystemExit: pass\n"
        "heavy = {'torch', 'matplotlib', 'jinja2', 'duckdb', 'lightgbm', 'pandas'}\n"
        "print(heavy & set(sys.modules))"
    )
    out = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    ).stdout
    assert out.endswith("set()\n")


def test_debug_adds_the_traceback_above_the_line(run, files):
    code, _, err = run("diagnose", "net.py:Raises", "--data", "data.pt", "--debug")
    assert code == 2
    assert "Traceback" in err
    assert 'raise ValueError("no luck today' in err
    assert err.splitlines()[-1].startswith("benthic: TARGET: ")


@pytest.mark.parametrize(
    ("error", "code", "line"),
    [
        (KeyboardInterrupt(), 130, "benthic: interrupted"),
        (ModelError("GCN raised\nnothing"), 1, "benthic: GCN raised nothing"),
        (ZeroDivisionError("x"), 1, "benthic: failed: ZeroDivisionError: x; run again"),
    ],
)
def test_failures_end_with_one_line_and_their_exit_code(
    run, monkeypatch, error, code, line
):
    monkeypatch.setattr("benthic.datasets.bank", raising(error))
    found, out, err = run("demo")
    assert (found, out) == (code, "")
    assert only_line(err).startswith(line)
