"""From what was typed to an exit code."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Sequence

import typer

from benthic.cli import databases, networks, queries  # noqa: F401  commands join in
from benthic.cli.application import app
from benthic.cli.stopping import stoppable, stopped
from benthic.cli.wording import one_line
from benthic.errors import BenthicError, InputError, QueryError

# typer vendors click since 0.2x; this is click's UsageError wherever it lives.
_UsageError: type[Exception] = typer.BadParameter.__bases__[0]
_INTERRUPTED = 130  # 128 + SIGINT, as shells count


def main(arguments: Sequence[str] | None = None) -> None:
    """Runs the command line and exits: 0 good, 1 the work failed, 2 a wrong request.

    Args:
        arguments: What follows ``benthic``; the process's own by default.
    """
    arguments = (sys.argv[1:] if arguments is None else list(arguments)) or ["--help"]
    # Set before torch loads: threads that spin while they wait starve each other on a
    # busy machine (benchmarks/LOG.md).
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    for stream in (sys.stdout, sys.stderr):
        # A terminal without these characters shows "?" instead of failing.
        with contextlib.suppress(AttributeError):
            stream.reconfigure(errors="replace")  # type: ignore[union-attr]
    with stoppable():
        code = _run(arguments)
    sys.exit(code)


def _run(arguments: Sequence[str]) -> int:
    try:
        code = app(list(arguments), prog_name="benthic", standalone_mode=False)
        if code != _INTERRUPTED:
            return int(code or 0)
        line = "interrupted"
    except (KeyboardInterrupt, typer.Abort):
        code, line = _INTERRUPTED, "interrupted"
    except BrokenPipeError:
        # Whoever read our output has seen enough; the flush at exit must not fail.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except Exception as error:
        code, line = _explain(error)
    code, line = stopped() or (code, line)
    typer.echo(f"benthic: {line}", err=True)
    return int(code)


def _explain(error: Exception) -> tuple[int, str]:
    """The exit code and the one line that an error deserves."""
    if isinstance(error, _UsageError):
        text = " ".join(str(error.format_message()).split())  # type: ignore[attr-defined]
        return 2, f"{text.rstrip('.')}; see benthic --help"
    if isinstance(error, QueryError):
        return 2, str(error)  # a block: the query's line and a caret below it
    if isinstance(error, BenthicError):
        return 2 if isinstance(error, InputError) else 1, one_line(error)
    return 1, f"failed: {one_line(error)}; run again with --debug for the traceback"
