"""Where finished cells are kept: one small file each, written whole or not at all."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, BinaryIO

from benthic.errors import BenthicError, InputError
from benthic.sweeps.cells import Job

if sys.platform == "win32":
    import msvcrt
else:
    import fcntl

_CELLS = "cells"
_CLAIMS = "claims"


class Store:
    """The cells of a folder, which several processes may fill at the same time.

    A cell appears under its final name only when its bytes are on the disk, so that a
    process killed at any moment leaves it either whole or missing. A file whose
    checksum is wrong counts as missing. A claim is a lock of the operating system,
    which falls when its process dies, however it dies.

    Args:
        out: The folder; or the name of the Parquet file to be, beside which the cells
            are kept.

    Raises:
        InputError: If there is something else, or nothing can be written.

    Example:
        >>> import tempfile
        >>> from benthic.sweeps.cells import Job, Settings
        >>> job = Job("cora", "gcn", "none", 2, (0, 1), Settings())
        >>> store = Store(tempfile.mkdtemp())
        >>> store.write(job, 0, {"test": 0.8})
        >>> store.read(job, 0), store.missing(job)
        ({'test': 0.8}, [1])
    """

    def __init__(self, out: str | Path) -> None:
        self.out = Path(out)
        is_table = self.out.suffix == ".parquet"
        folder = self.out.parent if is_table else self.out
        self.parquet = self.out if is_table else folder / "sweep.parquet"
        self.json = self.parquet.with_suffix(".json")
        self._folder = folder / (f"{self.out.stem}.{_CELLS}" if is_table else _CELLS)
        self._claims: BinaryIO | None = None
        self._found: dict[str, dict[str, Any]] = {}
        if not is_table:
            _refuse_foreign(folder)
        try:
            self._folder.mkdir(parents=not is_table, exist_ok=True)
            (self._folder / _CLAIMS).touch()
        except OSError as error:
            raise _unwritable(error, self.out) from error

    def read(self, job: Job, seed: int) -> dict[str, Any] | None:
        """What a finished cell came to; None if it must be run.

        Args:
            job: The job of the cell.
            seed: Which of its cells.
        """
        key = job.cell_key(seed)
        if key not in self._found:
            content = _verified(self._file(key), job.cell(seed))
            if content is None:
                return None
            self._found[key] = content
        return self._found[key]

    def missing(self, job: Job) -> list[int]:
        """Seeds of a job whose cells are not finished, or whose files are torn.

        Args:
            job: Any job.
        """
        return [seed for seed in job.seeds if self.read(job, seed) is None]

    def present(self) -> set[str]:
        """Keys of the cells that have a file, sound or not: a cheap look."""
        return {path.stem for path in self._folder.glob("*.json")}

    def write(self, job: Job, seed: int, content: dict[str, Any]) -> None:
        """Keeps what a cell came to.

        Args:
            job: The job of the cell.
            seed: Which of its cells.
            content: Plain values.

        Raises:
            BenthicError: If the disk is full or fails.
        """
        document = {"cell": job.cell(seed), "content": content}
        checksum = _checksum(document)
        text = json.dumps({"sha256": checksum, **document}, allow_nan=False, indent=1)
        file = self._file(job.cell_key(seed))
        for torn in file.parent.glob(f".{file.name}.*"):  # of a process that was killed
            torn.unlink(missing_ok=True)
        self.replace(file, lambda path: path.write_text(text, "utf-8"))

    def forget(self, job: Job, seed: int) -> None:
        """Lets a finished cell be run again.

        Args:
            job: The job of the cell.
            seed: Which of its cells.
        """
        key = job.cell_key(seed)
        self._found.pop(key, None)
        self._file(key).unlink(missing_ok=True)

    def replace(self, path: Path, write: Callable[[Path], Any]) -> None:
        """Puts a file in its place in one step, after its bytes are on the disk.

        Args:
            path: The file.
            write: Writes it, under a name that is given.

        Raises:
            BenthicError: If the disk is full or fails.
        """
        unfinished = path.with_name(f".{path.name}.{os.getpid()}")
        try:
            write(unfinished)
            _flush(unfinished)
            unfinished.replace(path)
            _flush_folder(path.parent)
        except OSError as error:
            with contextlib.suppress(OSError):
                unfinished.unlink(missing_ok=True)
            reason = (error.strerror or str(error)).lower()
            raise BenthicError(
                f"{path.parent}: {reason}; what is finished is kept: "
                "make room there and run the same command again"
            ) from error

    @contextlib.contextmanager
    def claim(self, job: Job) -> Iterator[bool]:
        """Whether this process alone may run a job, until the block is left.

        Args:
            job: The job.
        """
        # One byte per job of one file: no lock file is left behind or removed early.
        offset = int(job.key[:12], 16)
        if self._claims is None:
            # Opened once: the first close of a process drops all of its locks.
            self._claims = (self._folder / _CLAIMS).open("rb+", buffering=0)
        is_mine = _lock(self._claims, offset)
        try:
            yield is_mine
        finally:
            if is_mine:
                _unlock(self._claims, offset)

    def close(self) -> None:
        """Lets go of the folder."""
        if self._claims is not None:
            self._claims.close()
            self._claims = None

    def _file(self, key: str) -> Path:
        return self._folder / f"{key}.json"


def _refuse_foreign(folder: Path) -> None:
    """A folder of one's own is empty or holds cells; pages beside them do no harm."""
    remedy = "name an empty folder, or that of an earlier sweep"
    if folder.exists() and not folder.is_dir():
        raise InputError("out", f"{folder}, which is a file", remedy)
    try:
        entries = {path.name for path in folder.iterdir()} if folder.exists() else set()
        cells = folder / _CELLS
        if _CELLS in entries and cells.is_dir():
            inside = [path.name for path in cells.iterdir()]
        else:
            inside = sorted(entries)
    except OSError as error:
        raise _unwritable(error, folder) from error
    is_ours = not inside or _CLAIMS in inside
    if not is_ours:
        raise InputError("out", f"{folder}, which holds {inside[0]!r}", remedy)


def _unwritable(error: OSError, path: Path) -> InputError:
    reason = (error.strerror or type(error).__name__).lower()
    return InputError("out", f"{path}: {reason}", "name a folder you can write to")


def _verified(path: Path, cell: dict[str, Any]) -> dict[str, Any] | None:
    """The content of a file, unless it is torn or another cell's."""
    try:
        document = json.loads(path.read_text("utf-8"))
        checksum = document.pop("sha256")
        is_sound = checksum == _checksum(document) and document["cell"] == cell
    except (OSError, ValueError, AttributeError, KeyError, TypeError):
        return None
    return dict(document["content"]) if is_sound else None


def _checksum(document: dict[str, Any]) -> str:
    text = json.dumps(document, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


def _flush(path: Path) -> None:
    with path.open("rb+") as file:
        os.fsync(file.fileno())


def _flush_folder(folder: Path) -> None:
    if sys.platform == "win32":  # a folder cannot be opened there
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


if sys.platform == "win32":

    def _lock(file: BinaryIO, offset: int) -> bool:
        file.seek(offset)
        try:
            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        return True

    def _unlock(file: BinaryIO, offset: int) -> None:
        file.seek(offset)
        msvcrt.locking(file.fileno(), msvcrt.LK_UNLCK, 1)

else:

    def _lock(file: BinaryIO, offset: int) -> bool:
        try:
            fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, offset)
        except (BlockingIOError, PermissionError):
            return False
        return True

    def _unlock(file: BinaryIO, offset: int) -> None:
        fcntl.lockf(file, fcntl.LOCK_UN, 1, offset)
