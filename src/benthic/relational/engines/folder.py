"""A folder that appears whole or not at all."""

from __future__ import annotations

import contextlib
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from benthic.errors import InputError

MARK = "engine.json"
"""The file by which a saved engine is known."""


@contextlib.contextmanager
def whole_folder(folder: str | Path) -> Iterator[Path]:
    """A temporary folder that takes the place of ``folder`` if all went well.

    Args:
        folder: To be made. An engine that was saved there before is replaced.

    Raises:
        InputError: If it holds something else, or cannot be written.

    Example:
        >>> place = Path(tempfile.mkdtemp()) / "model"
        >>> with whole_folder(place) as made:
        ...     _ = (made / MARK).write_text("{}")
        >>> [path.name for path in place.iterdir()]
        ['engine.json']
    """
    final = Path(folder)
    if final.exists() and not (final / MARK).is_file():
        if not final.is_dir() or any(final.iterdir()):
            raise InputError(
                "folder", f"{folder}, which holds something else", "name a new folder"
            )
    try:
        final.parent.mkdir(parents=True, exist_ok=True)
        made = Path(tempfile.mkdtemp(prefix=f".{final.name}-", dir=final.parent))
    except OSError as error:
        raise _unwritable(folder, error) from error
    try:
        yield made
        _replace(made, final)
    except OSError as error:
        raise _unwritable(folder, error) from error
    finally:
        shutil.rmtree(made, ignore_errors=True)


def _replace(made: Path, final: Path) -> None:
    made.chmod(0o755)  # mkdtemp's folder is for its owner only
    old = final.with_name(f".{final.name}-old")
    if final.exists():
        shutil.rmtree(old, ignore_errors=True)
        final.rename(old)
    made.rename(final)
    shutil.rmtree(old, ignore_errors=True)


def _unwritable(folder: str | Path, error: OSError) -> InputError:
    reason = (error.strerror or type(error).__name__).lower()
    return InputError(
        "folder", f"{folder}: {reason}", "free space or name a writable folder"
    )
