"""What a person sees on stderr while a command works."""

from __future__ import annotations

import contextlib
import traceback
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from benthic.cli.application import console
from benthic.cli.stopping import stopped
from benthic.output_stream import stdout_kept


class Screen:
    """Says on stderr how far a diagnosis is."""

    def say(self, text: str) -> None:
        """A line."""
        console.print(text)

    @contextlib.contextmanager
    def training(self, text: str, epochs: int) -> Iterator[Callable[[int, int], None]]:
        """A bar over epochs."""
        with Progress(
            console=console, transient=True, disable=not console.is_terminal
        ) as bar:
            task = bar.add_task(text, total=epochs)
            yield lambda done, _: bar.update(task, completed=done)

    @contextlib.contextmanager
    def diagnosing(self) -> Iterator[Callable[[str], None]]:
        """What the diagnosis does now."""
        with console.status("diagnosing") as status:
            yield lambda text: status.update(f"diagnosing: {text}")


@contextlib.contextmanager
def work(debug: bool) -> Iterator[None]:
    """Keeps stdout for the result, and shows where an error came from."""
    try:
        with stdout_kept():
            yield
    except Exception:
        if debug:
            traceback.print_exc()
        raise


@contextlib.contextmanager
def resumable(out: Path | None, option: str = "--out FOLDER") -> Iterator[None]:
    """Says what a stop leaves behind.

    Args:
        out: Where finished parts are kept, if anywhere.
        option: What would keep them.
    """
    try:
        yield
    except BaseException as error:
        if isinstance(error, KeyboardInterrupt) or stopped():
            hint = f"nothing of it is kept: {option} would keep finished parts"
            if out is not None:
                kept = f"what is finished is kept in {out}"
                hint = f"{kept}: run the same command again to go on"
            console.print(hint, soft_wrap=True)
        raise


@contextlib.contextmanager
def bar() -> Iterator[Callable[[float, int, str], None]]:
    """A bar over cells in a terminal, and a line per job in a log."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.completed:.0f} of {task.total:.0f} cells"),
        TimeRemainingColumn(),
    )
    is_terminal = console.is_terminal
    with Progress(
        *columns, console=console, transient=True, disable=not is_terminal
    ) as shown:
        task = shown.add_task("starting", total=None)
        said = ""

        def advance(done: float, total: int, text: str) -> None:
            nonlocal said
            shown.update(task, completed=done, total=total, description=text or "sweep")
            if text and text != said and not is_terminal:
                console.print(f"{done:.0f} of {total} cells done; training {text}")
            said = text or said

        yield advance


@contextlib.contextmanager
def steps(text: str) -> Iterator[Callable[[str], None]]:
    """The step that runs now: a moving line in a terminal, a line each in a log.

    Args:
        text: What is done on the whole.
    """
    if not console.is_terminal:
        yield lambda step: console.print(f"{text}: {step}")
        return
    with console.status(text) as status:
        yield lambda step: status.update(f"{text}: {step}")


@contextlib.contextmanager
def counted(text: str, parts: Iterable[Any], total: int) -> Iterator[Iterator[Any]]:
    """Parts as they are taken, with a bar over their rows, or a line each in a log.

    Args:
        text: What is done on the whole.
        parts: Frames.
        total: How many rows they have together.
    """
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.completed:,.0f} of {task.total:,.0f} rows"),
        TimeRemainingColumn(),
    )
    is_terminal = console.is_terminal
    with Progress(
        *columns, console=console, transient=True, disable=not is_terminal
    ) as shown:
        task = shown.add_task(text, total=total)

        def taken() -> Iterator[Any]:
            done = 0
            for part in parts:
                yield part
                done += len(part)
                shown.update(task, completed=done)
                if not is_terminal:
                    console.print(f"{text}: {done:,} of {total:,} rows")

        yield taken()
