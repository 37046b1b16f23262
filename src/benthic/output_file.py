"""Writes a file where the user asked, or says why that cannot be done."""

from __future__ import annotations

import errno
import os
import tempfile
from pathlib import Path

from benthic.errors import InputError, OutputError

_REMEDY = "name a file in a folder you can write to"

_FULL = {errno.ENOSPC, errno.EFBIG, errno.EIO, getattr(errno, "EDQUOT", errno.ENOSPC)}
"""The place was right, but the disk would not take it."""


def check_writable(path: Path | None, *, argument: str) -> None:
    """Finds out before minutes of work, not after them; None is fine.

    Args:
        path: The file to write later.
        argument: What to call it in an error.

    Raises:
        InputError: If it is a folder, has no folder, or is not ours to write.

    Example:
        >>> check_writable(Path("no", "such", "page.html"), argument="--html")
        Traceback (most recent call last):
        ...
        benthic.errors.InputError: --html: found no/such/page.html, whose folder does \
not exist; name a file in a folder you can write to
    """
    if path is None:
        return
    fault = ""
    if path.is_dir():
        fault = "which is a folder"
    elif not path.parent.is_dir():
        fault = "whose folder does not exist"
    elif not os.access(path if path.exists() else path.parent, os.W_OK):
        fault = "which cannot be written"
    if fault:
        raise InputError(argument, f"{path}, {fault}", _REMEDY)


def check_folder(
    path: Path | None, *, argument: str, named: Path | None = None
) -> None:
    """Finds out before the work whether a folder can be filled; None is fine.

    It is not made, only tried for: the system's answer is better than any guess.

    Args:
        path: The folder to write into later; it need not exist.
        argument: What to call it in an error.
        named: What the user named, if not the folder itself.

    Raises:
        InputError: If nothing can be made there.
        OutputError: If the disk is full.

    Example:
        >>> check_folder(Path(tempfile.gettempdir(), "of", "tomorrow"), argument="out")
    """
    if path is None:
        return
    place = path.absolute()
    try:
        while not place.exists():
            place = place.parent
        Path(tempfile.mkdtemp(prefix=".", dir=place)).rmdir()
    except OSError as error:
        raise unwritable(named or path, error, argument=argument) from error


def unwritable(
    path: str | Path, error: OSError, *, argument: str
) -> InputError | OutputError:
    """What to raise when the system refuses to write: was the place wrong, or full?

    Args:
        path: What the user named.
        error: What the system said.
        argument: What to call the path.

    Example:
        >>> full = OSError(errno.ENOSPC, "No space left on device")
        >>> print(unwritable("a.csv", full, argument="out"))
        out: a.csv: no space left on device; free space, or name a place elsewhere
    """
    # Arrow wraps the system's words in its own, but keeps the number.
    known = os.strerror(error.errno) if error.errno else str(error)
    reason = (known or type(error).__name__).lower()
    if error.errno in _FULL:
        remedy = "free space, or name a place elsewhere"
        return OutputError(argument, f"{path}: {reason}", remedy)
    return InputError(argument, f"{path}: {reason}", "name a place you can write to")


def write_file(path: Path, text: str, *, argument: str) -> None:
    """Writes text as UTF-8.

    Args:
        path: The file to write.
        text: What it shall hold.
        argument: What to call the file in an error.

    Raises:
        InputError: If the file cannot be written.
        OutputError: If the disk is full.
    """
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise unwritable(path, error, argument=argument) from error
