"""Keeps stdout for the result: whatever else prints goes to stderr."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator


@contextlib.contextmanager
def stdout_kept() -> Iterator[None]:
    """Moves what libraries, users' files and programs that they start print.

    Example:
        >>> with stdout_kept():
        ...     print("not here")
    """
    with contextlib.redirect_stdout(sys.stderr), _descriptor_moved():
        yield


@contextlib.contextmanager
def _descriptor_moved() -> Iterator[None]:
    """Moves what other programs print as well: they know only the descriptor."""
    try:
        stdout = os.dup(1)
    except OSError:  # closed by whoever started us
        yield
        return
    try:
        os.dup2(2, 1)
        yield
    finally:
        os.dup2(stdout, 1)
        os.close(stdout)
