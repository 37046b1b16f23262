"""How each named graph is read, and where its raw files lie."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch_geometric.data import Data, download_url
from torch_geometric.utils import to_undirected

# Platonov et al., "A critical look at the evaluation of GNNs under heterophily".
_FILTERED_URL = (
    "https://github.com/yandex-research/heterophilous-graphs/raw/main/data/{}.npz"
)


@dataclass(frozen=True)
class Source:
    """How one graph is read, and where its raw files lie below ``graphs/``.

    Args:
        read: Reads the graph from a folder, and downloads what that lacks.
        folder: Of the loader.
        raw: The raw file or files in it.
        normalize: Whether features are bags of words to divide by their sums.
    """

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
) -> dict[str, Source]:
    """The graphs of one PyG class: our name to the class's own."""
    return {
        name: Source(
            functools.partial(_read_pyg, reader, {"name": own, **kwargs}),
            reader,
            raw.format(own),
            normalize,
        )
        for name, own in names.items()
    }


def _same(*names: str) -> dict[str, str]:
    return dict(zip(names, names, strict=True))


SOURCES: Mapping[str, Source] = {
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
    "actor": Source(
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
        name: Source(
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
