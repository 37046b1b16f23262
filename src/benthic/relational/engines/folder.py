"""A folder that appears whole or not at all, and knows whether it still is whole."""

from __future__ import annotations

import contextlib
import hashlib
import json
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from benthic.errors import InputError, OutputError
from benthic.output_file import check_folder, unwritable

MARK = "engine.json"
"""The file by which a saved engine is known."""

_CHECKSUMS = "checksums.json"


@contextlib.contextmanager
def whole_folder(folder: str | Path, *, argument: str = "folder") -> Iterator[Path]:
    """A temporary folder that takes the place of ``folder`` if all went well.

    Args:
        folder: To be made. An engine that was saved there before is replaced.
        argument: What to call it in an error.

    Raises:
        InputError: If it holds something else, or cannot be written.
        OutputError: If the disk is full.

    Example:
        >>> place = Path(tempfile.mkdtemp()) / "model"
        >>> with whole_folder(place) as made:
        ...     _ = (made / MARK).write_text("{}")
        >>> sorted(path.name for path in place.iterdir())
        ['checksums.json', 'engine.json']
    """
    check_whole_folder(folder, argument=argument)
    final = Path(folder)
    try:
        final.parent.mkdir(parents=True, exist_ok=True)
        made = Path(tempfile.mkdtemp(prefix=f".{final.name}-", dir=final.parent))
        try:
            yield made
            checksums = json.dumps(_checksums(made), indent=1)
            (made / _CHECKSUMS).write_text(checksums, encoding="utf-8")
            _replace(made, final)
        finally:
            shutil.rmtree(made, ignore_errors=True)
    except (OSError, InputError, OutputError) as error:
        # A folder within this one speaks of a place that the user never named.
        cause = error if isinstance(error, OSError) else error.__cause__
        if isinstance(cause, OSError):
            raise unwritable(folder, cause, argument=argument) from cause
        raise


def check_whole_folder(folder: str | Path | None, *, argument: str = "folder") -> None:
    """Finds out before the work whether a folder can be made; None is fine.

    Args:
        folder: To be made later.
        argument: What to call it in an error.

    Raises:
        InputError: If it holds something else, or cannot be written.
        OutputError: If the disk is full.
    """
    if folder is None:
        return
    final = Path(folder)
    is_ours = not final.exists() or (final / MARK).is_file()
    if not is_ours and (not final.is_dir() or any(final.iterdir())):
        raise InputError(
            argument, f"{folder}, which holds something else", "name a new folder"
        )
    check_folder(final.absolute().parent, argument=argument, named=final)


def check_still_whole(folder: str | Path, *, named: str | Path | None = None) -> None:
    """Finds out whether the files of a folder are those that were written into it.

    Not those of folders within it. LightGBM ends the process at a damaged file.

    Args:
        folder: That :func:`whole_folder` made.
        named: What the user calls it, where that is a folder around it.

    Raises:
        InputError: If a file is gone or says something else than it did, or nothing
            was saved there.

    Example:
        >>> place = Path(tempfile.mkdtemp()) / "model"
        >>> with whole_folder(place) as made:
        ...     _ = (made / MARK).write_text("{}")
        >>> check_still_whole(place)
    """
    place = Path(folder)
    fault = _differing(place, named or folder)
    if fault is not None:
        state = "is damaged" if (place / fault).exists() else "is gone"
        raise InputError(
            "folder",
            f"{named or folder}, an incomplete model: {fault} {state}",
            "save the model again",
        )


def _differing(folder: Path, named: str | Path) -> str | None:
    """The first file that is not as it was written."""
    try:
        written = json.loads((folder / _CHECKSUMS).read_text(encoding="utf-8"))
        found = _checksums(folder).items()
        return min((name for name, _ in dict(written).items() - found), default=None)
    except OSError as error:
        raise InputError(
            "folder",
            f"{named}, where no engine was saved",
            "name the folder that save was given",
        ) from error
    except ValueError:
        return _CHECKSUMS


def _checksums(folder: Path) -> dict[str, str]:
    """File of a folder -> SHA-256 of its content."""
    return {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.iterdir())
        if path.is_file() and path.name != _CHECKSUMS
    }


def _replace(made: Path, final: Path) -> None:
    made.chmod(0o755)  # mkdtemp's folder is for its owner only
    old = final.with_name(f".{final.name}-old")
    if final.exists():
        shutil.rmtree(old, ignore_errors=True)
        final.rename(old)
    made.rename(final)
    shutil.rmtree(old, ignore_errors=True)
