"""Named benchmark graphs, from your own files, a cache, or the network."""

from __future__ import annotations

import contextlib
import difflib
import functools
import io
import os
import shutil
import sys
import tempfile
import warnings
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch_geometric
from torch import Tensor
from torch_geometric.data import Data, download_url
from torch_geometric.transforms import NormalizeFeatures
from torch_geometric.utils import to_undirected

from benthic.errors import InputError
from benthic.typing import Labels

_CACHE_FORMAT = 1
# Platonov et al., "A critical look at the evaluation of GNNs under heterophily".
_FILTERED_URL = (
    "https://github.com/yandex-research/heterophilous-graphs/raw/main/data/{}.npz"
)
# Shchur et al., "Pitfalls of Graph Neural Network Evaluation", section 3.
_TRAIN_PER_CLASS, _VAL_PER_CLASS = 20, 30


@dataclass(frozen=True)
class _Source:
    """How one graph is read, and where its raw files lie below ``graphs/``."""

    read: Callable[[Path], Data]
    folder: str
    raw: str
    normalize: bool


def _read_pyg(reader: str, kwargs: Mapping[str, str], root: Path) -> Data:
    from torch_geometric import datasets  # here: it imports a hundred modules

    data: Data = getattr(datasets, reader)(str(root), **kwargs)[0]
    return data


def _read_filtered(name: str, root: Path) -> Data:
    file = root / f"{name}.npz"
    if not file.exists():
        download_url(_FILTERED_URL.format(name), str(root), log=False)
    with np.load(file) as arrays:
        masks = {
            f"{part}_mask": torch.from_numpy(arrays[f"{part}_masks"]).t().contiguous()
            for part in ("train", "val", "test")
        }
        edges = torch.from_numpy(arrays["edges"]).t().contiguous()
        directed = name.endswith("_directed")
        return Data(
            x=torch.from_numpy(arrays["node_features"]),
            y=torch.from_numpy(arrays["node_labels"]),
            edge_index=edges if directed else to_undirected(edges),
            **masks,
        )


def _family(
    reader: str,
    raw: str,
    names: Mapping[str, str],
    *,
    normalize: bool,
    **kwargs: str,
) -> dict[str, _Source]:
    """The graphs of one PyG class: our name to the class's own."""
    return {
        name: _Source(
            functools.partial(_read_pyg, reader, {"name": own, **kwargs}),
            reader,
            raw.format(own),
            normalize,
        )
        for name, own in names.items()
    }


def _same(*names: str) -> dict[str, str]:
    return dict(zip(names, names, strict=True))


_SOURCES: Mapping[str, _Source] = {
    **_family(
        "Planetoid",
        "{}/raw",
        {"cora": "Cora", "citeseer": "CiteSeer", "pubmed": "PubMed"},
        normalize=True,
    ),
    **_family(
        "Planetoid",
        "{}/geom-gcn/raw",
        {
            "cora_geom_gcn": "Cora",
            "citeseer_geom_gcn": "CiteSeer",
            "pubmed_geom_gcn": "PubMed",
        },
        normalize=True,
        split="geom-gcn",
    ),
    **_family(
        "CitationFull",
        "{}/raw",
        {
            "cora_full": "cora",
            "citeseer_full": "citeseer",
            "pubmed_full": "pubmed",
            **_same("cora_ml", "dblp"),
        },
        normalize=True,
    ),
    **_family(
        "WebKB", "{}/raw", _same("cornell", "texas", "wisconsin"), normalize=True
    ),
    **_family(
        "WikipediaNetwork",
        "{}/geom_gcn/raw",
        _same("chameleon", "squirrel"),
        normalize=True,
    ),
    "actor": _Source(
        functools.partial(_read_pyg, "Actor", {}), "Actor", "raw", normalize=True
    ),
    **_family(
        "Amazon",
        "{}/raw",
        {"computers": "Computers", "photo": "Photo"},
        normalize=True,
    ),
    **_family("Coauthor", "{}/raw", {"cs": "CS", "physics": "Physics"}, normalize=True),
    **_family(
        "AttributedGraphDataset",
        "{}/raw",
        _same("blogcatalog", "flickr", "wiki"),
        normalize=True,
    ),
    **_family(
        "HeterophilousGraphDataset",
        "{}/raw",
        _same("amazon_ratings", "minesweeper", "questions", "roman_empire", "tolokers"),
        normalize=False,
    ),
    **_family(
        "LINKXDataset",
        "{}/raw",
        _same("amherst41", "cornell5", "johnshopkins55", "penn94", "reed98"),
        normalize=False,
    ),
    **{
        name: _Source(
            functools.partial(_read_filtered, name),
            "WikipediaFiltered",
            f"{name}.npz",
            normalize=False,
        )
        for name in (
            "chameleon_filtered",
            "chameleon_filtered_directed",
            "squirrel_filtered",
            "squirrel_filtered_directed",
        )
    },
}


def names() -> list[str]:
    """The names that :func:`load` knows, sorted.

    Example:
        >>> "cora" in names()
        True
    """
    return sorted(_SOURCES)


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
        benthic.errors.InputError: name: found 'coar'; did you mean cora, ...
    """
    key = name.lower().replace("-", "_")
    if key not in _SOURCES:
        near = difflib.get_close_matches(key, names(), n=len(_SOURCES), cutoff=0.0)
        raise InputError("name", repr(name), f"did you mean {', '.join(near)}")
    return _with_split(_load_cached(key), key, split)


def find_raw(name: str) -> Path | None:
    """Where a graph's raw files lie on this machine, or None.

    Args:
        name: One of :func:`names`.

    Example:
        >>> place = find_raw("cora")
        >>> place is None or place.exists()
        True
    """
    return next((place for place in _places(_SOURCES[name]) if place.exists()), None)


def _places(source: _Source) -> Iterator[Path]:
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
    cache = _cache_folder()
    file = cache / f"{name}.pt"
    version = _version(raw) if raw else None
    data = _read_cache(file, version)
    if data is None:
        data = _build(name, raw, cache)
        _write_cache(file, data, version)
    return data


def _cache_folder() -> Path:
    """The first folder for caches that can be written to."""
    home = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    for folder in (home, tempfile.gettempdir()):
        # RuntimeError: an account without a home folder.
        with contextlib.suppress(OSError, RuntimeError):
            place = Path(folder).expanduser() / "benthic" / "graphs"
            place.mkdir(parents=True, exist_ok=True)
            if os.access(place, os.W_OK):
                return place
    return Path(tempfile.mkdtemp(prefix="benthic-"))


def _version(raw: Path) -> str:
    """Changes when the raw files, PyG or the layout of the cache do."""
    files = sorted(raw.rglob("*")) if raw.is_dir() else [raw]
    stats = [(file.name, file.stat()) for file in files]
    return repr(
        [
            torch_geometric.__version__,
            *((file, stat.st_size, stat.st_mtime_ns) for file, stat in stats),
        ]
    )


def _build(name: str, raw: Path | None, cache: Path) -> Data:
    """Runs PyG's loader in a scratch folder, on a copy of the raw files."""
    source = _SOURCES[name]
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
    source = _SOURCES[name]
    places = ", ".join(dict.fromkeys(map(str, _places(source))))
    return InputError(
        "name",
        f"{name!r}, with no files in {places} and no download ({why})",
        "connect to the network, or set BENTHIC_DATA to a folder that has "
        f"graphs/{source.folder}/{source.raw}",
    )


def _read_cache(file: Path, version: str | None) -> Data | None:
    """None if there is no such file, or if it is damaged or out of date."""
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


def _write_cache(file: Path, data: Data, version: str | None) -> None:
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


def _with_split(data: Data, name: str, split: int) -> Data:
    labeled = data.y >= 0
    if "train_mask" not in data:
        masks = _random_masks(data.y, split)
    else:
        masks = {
            key: data[key].view(len(labeled), -1)
            for key in ("train_mask", "val_mask", "test_mask")
        }
        count = masks["train_mask"].size(1)
        if not 0 <= split < count:
            given = f"give 0 … {count - 1}" if count > 1 else "give 0"
            ten = f"{name}_geom_gcn"
            more = f", or load {ten!r}, which has ten" if ten in _SOURCES else ""
            raise InputError("split", str(split), given + more)
        masks = {key: mask[:, split].bool() for key, mask in masks.items()}
    for key, mask in masks.items():
        data[key] = mask & labeled
    return data


def _random_masks(y: Labels, seed: int) -> dict[str, Tensor]:
    if seed < 0:
        raise InputError("split", str(seed), "give a seed of 0 or more")
    generator = torch.Generator().manual_seed(seed)
    masks = {
        key: torch.zeros(len(y), dtype=torch.bool)
        for key in ("train_mask", "val_mask", "test_mask")
    }
    for label in y[y >= 0].unique():
        members = (y == label).nonzero().view(-1)
        members = members[torch.randperm(len(members), generator=generator)]
        third = len(members) // 3
        train, val = min(_TRAIN_PER_CLASS, third), min(_VAL_PER_CLASS, third)
        parts = members.split([train, val, len(members) - train - val])
        for mask, part in zip(masks.values(), parts, strict=True):
            mask[part] = True
    return masks
