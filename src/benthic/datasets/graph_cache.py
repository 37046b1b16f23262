"""One file for each graph that was read, rebuilt when it is damaged or out of date."""

from __future__ import annotations

import contextlib
import os
import tempfile
from pathlib import Path
from typing import Any

import torch
import torch_geometric
from torch_geometric.data import Data

_CACHE_FORMAT = 1


def cache_folder() -> Path:
    """The first folder for caches that can be written to.

    Example:
        >>> cache_folder().is_dir()
        True
    """
    home = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    for folder in (home, tempfile.gettempdir()):
        # RuntimeError: an account without a home folder.
        with contextlib.suppress(OSError, RuntimeError):
            place = Path(folder).expanduser() / "benthic" / "graphs"
            place.mkdir(parents=True, exist_ok=True)
            if os.access(place, os.W_OK):
                return place
    return Path(tempfile.mkdtemp(prefix="benthic-"))


def version_of(raw: Path) -> str:
    """Changes when the raw files or PyG do.

    Args:
        raw: A file or a folder.

    Example:
        >>> version_of(Path(torch.__file__)) == version_of(Path(torch.__file__))
        True
    """
    files = sorted(raw.rglob("*")) if raw.is_dir() else [raw]
    stats = [(file.name, file.stat()) for file in files]
    return repr(
        [
            torch_geometric.__version__,
            *((file, stat.st_size, stat.st_mtime_ns) for file, stat in stats),
        ]
    )


def read_cache(file: Path, version: str | None) -> Data | None:
    """The graph in a file; None if there is none, or a damaged or outdated one.

    Args:
        file: As :func:`write_cache` wrote it.
        version: What :func:`version_of` says of the raw files; None takes any.

    Example:
        >>> read_cache(Path("no_such.pt"), None) is None
        True
    """
    try:
        stored = torch.load(file, weights_only=True)
        fresh = version is None or stored["version"] == version
        if stored["format"] != _CACHE_FORMAT or not fresh:
            return None
        x = torch.zeros(stored["shape"])
        x[tuple(stored["index"].long())] = stored["value"]
        return Data(x=x, **stored["rest"])
    except Exception:  # a torn or foreign file can fail in any way; build again
        return None


def write_cache(file: Path, data: Data, version: str | None) -> None:
    """Keeps a graph in one file, whole or not at all; a full disk is no error.

    Args:
        file: Its name in :func:`cache_folder`.
        data: The graph; what is zero in ``x`` takes no room.
        version: What :func:`version_of` says of the raw files.

    Example:
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     write_cache(Path(folder, "tiny.pt"), Data(x=torch.eye(2)), "1")
        ...     read_cache(Path(folder, "tiny.pt"), "1")
        Data(x=[2, 2])
    """
    rest: dict[str, Any] = data.to_dict()
    x = rest.pop("x")
    index = x.nonzero().t()
    stored = {
        "format": _CACHE_FORMAT,
        "version": version,
        # Bags of words: Coauthor Physics is 1.2 GB dense and 9 MB like this.
        "shape": list(x.shape),
        "index": index.int(),
        "value": x[tuple(index)],
        "rest": rest,
    }
    # A full disk costs the cache, not the graph.
    with contextlib.suppress(OSError, RuntimeError):
        handle, scratch = tempfile.mkstemp(dir=file.parent, suffix=".part")
        os.close(handle)
        try:
            torch.save(stored, scratch)
            Path(scratch).replace(file)
        finally:
            Path(scratch).unlink(missing_ok=True)
