"""A command that is told to stop clears up first, and says that it was stopped."""

from __future__ import annotations

import contextlib
import signal
import threading
import time
from collections.abc import Iterator
from types import FrameType

_WORDS = {signal.SIGINT: "interrupted", signal.SIGTERM: "terminated"}

# Of this process, as signals are: DuckDB turns what a signal's answer raises into an
# error of its own, so that the exception alone does not tell.
_came: list[tuple[int, float]] = []


def _stop(number: int, frame: FrameType | None) -> None:
    del frame
    now = time.monotonic()
    # `timeout` and others send the same signal twice: let the clearing-up go on.
    is_echo = bool(_came) and number == _came[-1][0] and now - _came[-1][1] < 1
    if number == signal.SIGTERM and is_echo:
        return
    _came.append((number, now))
    raise KeyboardInterrupt


@contextlib.contextmanager
def stoppable() -> Iterator[None]:
    """Turns a request to stop (Ctrl-C, SIGTERM) into KeyboardInterrupt.

    Temporary files go with the ``finally`` of those who made them.
    """
    _came.clear()
    before = {}
    if threading.current_thread() is threading.main_thread():
        wanted = [n for n in _WORDS if signal.getsignal(n) is not signal.SIG_IGN]
        before = {number: signal.signal(number, _stop) for number in wanted}
    try:
        yield
    finally:
        for number, answer in before.items():
            signal.signal(number, answer)


def stopped() -> tuple[int, str] | None:
    """Exit code (128 + signal, as shells count) and word, once a signal has come."""
    if not _came:
        return None
    number = _came[0][0]
    return 128 + number, _WORDS[signal.Signals(number)]
