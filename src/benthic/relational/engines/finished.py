"""Results that outlive an interruption: small JSON files, whole or absent."""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from benthic.output_file import unwritable


class Finished:
    """What has been computed, by its key; in memory only where no folder is given.

    Args:
        folder: Where to keep results; made if absent.
        fingerprint: Of the data: results of other data are not found.

    Raises:
        InputError: If the folder cannot be written.

    Example:
        >>> kept = Finished(None, "data")
        >>> kept.write({"seed": 0}, {"rounds": 3})
        >>> kept.read({"seed": 0}), kept.read({"seed": 1})
        ({'rounds': 3}, None)
    """

    def __init__(self, folder: str | Path | None, fingerprint: str) -> None:
        self._folder = None if folder is None else Path(folder)
        self._fingerprint = fingerprint
        self._memory: dict[str, dict[str, Any]] = {}
        if self._folder is not None:
            try:
                self._folder.mkdir(parents=True, exist_ok=True)
            except OSError as error:
                raise unwritable(str(folder), error, argument="fit_dir") from error

    def read(self, key: dict[str, Any]) -> dict[str, Any] | None:
        """The result under a key, or None; a damaged file counts as absent."""
        name = self._name(key)
        if name in self._memory or self._folder is None:
            return self._memory.get(name)
        try:
            text = (self._folder / f"{name}.json").read_text(encoding="utf-8")
            found: dict[str, Any] = json.loads(text)
        except (OSError, ValueError):
            return None
        return found

    def write(self, key: dict[str, Any], result: dict[str, Any]) -> None:
        """Keeps a result: on disk it is whole or absent, whatever happens."""
        name = self._name(key)
        self._memory[name] = result
        if self._folder is not None:
            write_atomically(self._folder / f"{name}.json", json.dumps(result))

    def _name(self, key: dict[str, Any]) -> str:
        text = json.dumps([self._fingerprint, key], sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:24]


def fingerprint(*arrays: np.ndarray) -> str:
    """The same for the same numbers in the same shapes, and for no others.

    Args:
        arrays: Of numbers; NaN equals NaN.

    Example:
        >>> fingerprint(np.zeros(2)) == fingerprint(np.zeros(2))
        True
        >>> fingerprint(np.zeros((1, 2))) == fingerprint(np.zeros((2, 1)))
        False
    """
    digest = hashlib.sha256()
    for array in arrays:
        digest.update(repr((array.shape, array.dtype.str)).encode())
        digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()


def write_atomically(path: Path, text: str) -> None:
    """Writes a text file that appears whole or not at all.

    Args:
        path: The file.
        text: What it shall hold.

    Raises:
        InputError: If it cannot be written.
        OutputError: If the disk is full.
    """
    handle = None
    try:
        with tempfile.NamedTemporaryFile(
            "w", dir=path.parent, prefix=".", delete=False, encoding="utf-8"
        ) as file:
            handle = Path(file.name)
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        handle.replace(path)
    except OSError as error:
        if handle is not None:
            handle.unlink(missing_ok=True)
        raise unwritable(path, error, argument="fit_dir") from error
