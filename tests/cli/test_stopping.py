from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading

import pytest
from tests.relational.market import CHURN

from benthic.cli.stopping import stoppable, stopped

pytestmark = pytest.mark.skipif(os.name != "posix", reason="signals of POSIX")
# What is started in the background may ignore SIGINT, and its children with it.
COMMAND = (
    "import signal; signal.signal(signal.SIGINT, signal.default_int_handler);"
    "from benthic.cli import main; main()"
)


@pytest.mark.parametrize(
    ("command", "number", "code", "word"),
    [
        ("evaluate", signal.SIGTERM, 143, "terminated"),
        ("explain", signal.SIGINT, 130, "interrupted"),
    ],
)
def test_a_command_that_is_stopped_leaves_nothing_but_what_it_was_to_keep(
    market, tmp_path, command, number, code, word
):
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    arguments = [command, str(market), CHURN, "--num-hops", "1"]
    with subprocess.Popen(
        [sys.executable, "-c", COMMAND, *arguments, "--fit-dir", str(tmp_path / "fit")],
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "TMPDIR": str(scratch)},
    ) as running:
        assert running.stderr is not None
        said = ""
        while "trial 2" not in said:
            line = running.stderr.readline()
            assert line, said
            said += line
        assert [path.name[:8] for path in scratch.iterdir()] == ["benthic-"]
        running.send_signal(number)
        if number == signal.SIGTERM:
            running.send_signal(number)  # `timeout` and others send it twice
        said += running.stderr.read()

    assert running.returncode == code, said
    assert said.splitlines()[-1] == f"benthic: {word}"
    assert f"what is finished is kept in {tmp_path / 'fit'}" in said
    assert "Traceback" not in said
    assert list(scratch.iterdir()) == []
    assert list((tmp_path / "fit").rglob("*.json"))


def test_a_signal_is_told_though_another_error_hides_it():
    with stoppable():
        assert stopped() is None
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGTERM)
        assert stopped() == (143, "terminated")


def test_what_answered_signals_before_does_so_again():
    before = [signal.getsignal(n) for n in (signal.SIGINT, signal.SIGTERM)]
    with stoppable():
        inside = [signal.getsignal(n) for n in (signal.SIGINT, signal.SIGTERM)]
    after = [signal.getsignal(n) for n in (signal.SIGINT, signal.SIGTERM)]

    assert after == before
    assert inside != before


def test_a_signal_that_is_ignored_stays_ignored_and_a_thread_installs_nothing():
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with stoppable():
            assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGINT, before)
    seen = []

    def run():
        with stoppable():
            seen.append(signal.getsignal(signal.SIGTERM))

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    assert seen == [signal.getsignal(signal.SIGTERM)]
