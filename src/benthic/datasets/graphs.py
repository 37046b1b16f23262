"""Named benchmark graphs, from your own files, a cache, or the network."""

from __future__ import annotations

import contextlib
import io
import os
import shutil
import sys
import tempfile
import warnings
from collections.abc import Iterator
from pathlib import Path

import torch
import torch_geometric
from torch_geometric.data import Data
from torch_geometric.transforms import NormalizeFeatures

from benthic.datasets.graph_cache import (
    cache_folder,
    read_cache,
    version_of,
    write_cache,
)
from benthic.datasets.graph_sources import SOURCES, Source
from benthic.datasets.splits import with_split
from benthic.errors import InputError, nearest


def names() -> list[str]:
    """The names that :func:`load` knows, sorted.

    Example:
        >>> "cora" in names()
        True
    """
    return sorted(SOURCES)


def load(name: str, *, split: int = 0) -> Data:
    """A benchmark graph by name, with one train, validation and test mask.

    Raw files are looked for in ``$BENTHIC_DATA``, in ``shared/data`` beside the
    checkout, and in PyG's home folder; then PyG's own loader downloads them. They are
    never written to: the graph is built in a scratch folder and kept as one file in
    ``$XDG_CACHE_HOME/benthic`` (``~/.cache/benthic``), which is rebuilt when the raw
    files change or the file is damaged.

    Features are divided by their row sums where they are bags of words and the usual
    protocol does so (Planetoid, CitationFull, WebKB, WikipediaNetwork, Actor, Amazon,
    Coauthor, AttributedGraph); the heterophilous and filtered Wikipedia graphs and
    LINKX stay raw, as in their papers. Edges are as PyG gives them: WebKB,
    WikipediaNetwork and Actor are directed.

    Masks are the published ones where there are any. The other graphs get 20 nodes
    per class to train, 30 to validate and the rest to test, drawn with ``split`` as
    seed, from the `"Pitfalls of Graph Neural Network Evaluation"
    <https://arxiv.org/abs/1811.05868>`_ paper; a class of fewer than 90 nodes gives
    at most a third to each. A node without a label (``y`` = -1) is in no mask.

    Args:
        name: One of :func:`names`; capitals and hyphens do not matter.
        split: Which published split (0 … 9 mostly, 0 for Planetoid), or the seed.

    Raises:
        InputError: If there is no such name or split, or if the files are nowhere
            and cannot be downloaded.

    Example:
        >>> load("coar")
        Traceback (most recent call last):
        ...
        benthic.errors.InputError: name: found 'coar'; did you mean cora
    """
    key = name.lower().replace("-", "_")
    if key not in SOURCES:
        raise InputError("name", repr(name), nearest(key, names()))
    return with_split(_load_cached(key), key, split)


def find_raw(name: str) -> Path | None:
    """Where a graph's raw files lie on this machine, or None.

    Args:
        name: One of :func:`names`.

    Example:
        >>> place = find_raw("cora")
        >>> place is None or place.exists()
        True
    """
    return next((place for place in _places(SOURCES[name]) if place.exists()), None)


def _places(source: Source) -> Iterator[Path]:
    below = Path(source.folder) / source.raw
    checkout = Path(__file__).resolve().parents[3]
    named = os.environ.get("BENTHIC_DATA")
    roots = [Path(named)] if named else []
    roots += [folder.parent / "shared" / "data" for folder in (Path.cwd(), checkout)]
    for root in roots:
        yield root / "graphs" / below
        yield root / below
    yield Path(torch_geometric.get_home_dir()) / below


def _load_cached(name: str) -> Data:
    raw = find_raw(name)
    cache = cache_folder()
    file = cache / f"{name}.pt"
    version = version_of(raw) if raw else None
    data = read_cache(file, version)
    if data is None:
        data = _build(name, raw, cache)
        write_cache(file, data, version)
    return data


def _build(name: str, raw: Path | None, cache: Path) -> Data:
    """Runs PyG's loader in a scratch folder, on a copy of the raw files."""
    source = SOURCES[name]
    with tempfile.TemporaryDirectory(dir=cache) as scratch:
        root = Path(scratch) / source.folder
        root.mkdir()
        try:
            if raw is not None:
                _copy(raw, root / source.raw)
            with _quiet(hide=raw is not None):
                data = source.read(root)
        except Exception as error:  # whatever a loader or the network throws
            raise _unavailable(name, raw, error) from error
    if data.x.layout != torch.strided:
        data.x = data.x.to_dense()
    data.x, data.y = data.x.float(), data.y.long().view(-1)
    normalized: Data = NormalizeFeatures()(data) if source.normalize else data
    return normalized


def _copy(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    if source.is_dir():
        # copyfile: a read-only original must not make a read-only copy.
        shutil.copytree(source, target, copy_function=shutil.copyfile)
    else:
        shutil.copyfile(source, target)


@contextlib.contextmanager
def _quiet(*, hide: bool) -> Iterator[None]:
    """PyG warns while it reads; what it prints is hidden, or sent to stderr."""
    target = io.StringIO() if hide else sys.stderr
    with (
        warnings.catch_warnings(),
        contextlib.redirect_stdout(target),
        contextlib.redirect_stderr(target),
    ):
        warnings.simplefilter("ignore")
        yield


def _unavailable(name: str, raw: Path | None, error: Exception) -> InputError:
    why = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
    if raw is not None:
        return InputError(
            "name", f"{name!r} in {raw}, unreadable ({why})", "restore the raw files"
        )
    source = SOURCES[name]
    places = ", ".join(dict.fromkeys(map(str, _places(source))))
    return InputError(
        "name",
        f"{name!r}, with no files in {places} and no download ({why})",
        "connect to the network, or set BENTHIC_DATA to a folder that has "
        f"graphs/{source.folder}/{source.raw}",
    )
