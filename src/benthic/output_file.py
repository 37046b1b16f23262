"""Writes a file where the user asked, or says why that cannot be done."""

from __future__ import annotations

import os
from pathlib import Path

from benthic.errors import InputError

_REMEDY = "name a file in a folder you can write to"


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


def write_file(path: Path, text: str, *, argument: str) -> None:
    """Writes text as UTF-8.

    Args:
        path: The file to write.
        text: What it shall hold.
        argument: What to call the file in an error.

    Raises:
        InputError: If the file cannot be written.
    """
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        reason = (error.strerror or type(error).__name__).lower()
        raise InputError(argument, f"{path}: {reason}", _REMEDY) from error
