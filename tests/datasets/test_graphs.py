from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import warnings
from pathlib import Path
from urllib.error import URLError

import numpy as np
import pytest
import torch
from torch_geometric.datasets import Planetoid
from torch_geometric.transforms import NormalizeFeatures
from torch_geometric.utils import contains_self_loops, is_undirected

from benthic.datasets import graphs, load, names
from benthic.errors import InputError

MASKS = ("train_mask", "val_mask", "test_mask")

# Nodes, directed edges, features, classes: from the loaders' documentation where it
# gives them, and from the data's own sources page for Chameleon and the Facebook two.
PUBLISHED = {
    "cora": (2_708, 10_556, 1_433, 7),
    "cora_geom_gcn": (2_708, 10_556, 1_433, 7),
    "citeseer": (3_327, 9_104, 3_703, 6),
    "pubmed": (19_717, 88_648, 500, 3),
    "texas": (183, 325, 1_703, 5),
    "cornell": (183, 298, 1_703, 5),
    "chameleon": (2_277, 36_101, 2_325, 5),
    "chameleon_filtered": (890, 17_708, 2_325, 5),
    "chameleon_filtered_directed": (890, 13_584, 2_325, 5),
    "minesweeper": (10_000, 78_804, 7, 2),
    "computers": (13_752, 491_722, 767, 10),
    "cora_ml": (2_995, 16_316, 2_879, 7),
    "blogcatalog": (5_196, 343_486, 8_189, 6),
    "reed98": (962, 37_624, 745, 2),
    "amherst41": (2_235, 181_908, 1_193, 2),
}

PHYSICS = {"physics": (34_493, 495_924, 8_415, 5)}  # a dense 1.2 GB: slow


@pytest.fixture
def data_folder(tmp_path, monkeypatch):
    """A $BENTHIC_DATA with a tiny minesweeper, and a cache of its own."""
    raw = tmp_path / "data/graphs/HeterophilousGraphDataset/minesweeper/raw"
    raw.mkdir(parents=True)
    write_minesweeper(raw, seed=0)
    monkeypatch.setenv("BENTHIC_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return raw


def write_minesweeper(raw: Path, seed: int) -> None:
    rng = np.random.default_rng(seed)
    part = rng.integers(0, 3, (10, 12))
    np.savez(
        raw / "minesweeper.npz",
        node_features=rng.standard_normal((12, 3)).astype(np.float32),
        node_labels=rng.integers(0, 2, 12),
        edges=np.stack([np.arange(11), np.arange(1, 12)], axis=1),
        train_masks=part == 0,
        val_masks=part == 1,
        test_masks=part == 2,
    )


def listing(folder: Path) -> list[tuple[str, int, int]]:
    return sorted(
        (str(path), path.stat().st_size, path.stat().st_mtime_ns)
        for path in folder.rglob("*")
    )


@pytest.mark.parametrize(
    "name", [*PUBLISHED, pytest.param("physics", marks=pytest.mark.slow)]
)
def test_a_graph_has_its_published_size_and_disjoint_masks(graph, name):
    data = graph(name)
    classes = int(data.y.max()) + 1
    sizes = (data.num_nodes, data.num_edges, data.num_features, classes)
    assert sizes == (PUBLISHED | PHYSICS)[name]
    assert data.validate()
    assert data.x.dtype == torch.float32
    masks = [data[key] for key in MASKS]
    assert all(mask.dtype == torch.bool and mask.dim() == 1 for mask in masks)
    assert all(mask.any() for mask in masks)
    assert not (sum(mask.int() for mask in masks) > 1).any()
    assert not (masks[0] | masks[1] | masks[2])[data.y < 0].any()


def test_cora_equals_what_pyg_reads_from_a_copy(graph, tmp_path):
    data = graph("cora")
    raw = graphs.find_raw("cora")
    target = tmp_path / "Cora/raw"
    target.mkdir(parents=True)
    for file in raw.iterdir():
        (target / file.name).write_bytes(file.read_bytes())
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        expected = Planetoid(str(tmp_path), "Cora", transform=NormalizeFeatures())[0]
    assert sorted(data.keys()) == sorted(expected.keys())
    assert all(torch.equal(data[key], expected[key]) for key in data.keys())


def test_a_published_split_is_one_column_of_the_ten(data_folder):
    with np.load(data_folder / "minesweeper.npz") as raw:
        for split in (0, 9):
            data = load("minesweeper", split=split)
            for key in MASKS:
                assert np.array_equal(data[key], raw[f"{key}s"][split])


def test_without_published_masks_twenty_of_a_class_train_and_thirty_validate(graph):
    data = graph("computers", split=3)
    for label in range(10):
        members = data.y == label
        assert int((data.train_mask & members).sum()) == 20
        assert int((data.val_mask & members).sum()) == 30
    assert (data.train_mask | data.val_mask | data.test_mask).all()
    again, other = graph("computers", split=3), graph("computers", split=4)
    assert torch.equal(again.train_mask, data.train_mask)
    assert not torch.equal(other.train_mask, data.train_mask)


def test_a_tiny_class_keeps_a_third_for_each_part():
    masks = graphs._random_masks(torch.tensor([0] * 9 + [-1] * 3), seed=0)
    assert [int(mask.sum()) for mask in masks.values()] == [3, 3, 3]


def test_bags_of_words_are_row_normalized_and_other_features_are_not(graph):
    total = graph("cora").x.sum(1)
    torch.testing.assert_close(total, torch.ones_like(total))
    assert graph("reed98").x.sum(1).max() > 1


def test_edges_are_as_published(graph):
    assert is_undirected(graph("chameleon_filtered").edge_index)
    assert not is_undirected(graph("chameleon_filtered_directed").edge_index)
    assert not contains_self_loops(graph("cora").edge_index)


def test_the_second_load_reads_only_the_cache(data_folder, monkeypatch):
    first = load("minesweeper")
    monkeypatch.setattr(graphs, "_build", None)
    second = load("minesweeper")
    assert all(torch.equal(first[key], second[key]) for key in first.keys())


def test_editing_a_loaded_graph_does_not_reach_the_next_load(data_folder):
    load("minesweeper").x.zero_()
    assert load("minesweeper").x.any()


def test_the_data_folder_is_never_written_to(data_folder, tmp_path):
    before = listing(tmp_path / "data")
    load("minesweeper")
    assert listing(tmp_path / "data") == before


def test_nothing_is_left_in_the_cache_but_the_graph(data_folder, tmp_path):
    load("minesweeper")
    left = [path for path in (tmp_path / "cache").rglob("*") if path.is_file()]
    assert [path.name for path in left] == ["minesweeper.pt"]


@pytest.mark.parametrize("damage", [b"", b"PK\x03\x04 torn", b"not a tensor"])
def test_a_damaged_cache_is_rebuilt(data_folder, tmp_path, damage):
    expected = load("minesweeper")
    file = tmp_path / "cache/benthic/graphs/minesweeper.pt"
    file.write_bytes(damage)
    assert torch.equal(load("minesweeper").x, expected.x)
    assert file.stat().st_size > len(damage)


def test_a_cache_cut_short_is_rebuilt(data_folder, tmp_path):
    expected = load("minesweeper")
    file = tmp_path / "cache/benthic/graphs/minesweeper.pt"
    file.write_bytes(file.read_bytes()[:-500])
    assert torch.equal(load("minesweeper").x, expected.x)


def test_changed_raw_files_replace_the_cache(data_folder):
    before = load("minesweeper")
    write_minesweeper(data_folder, seed=1)
    os.utime(data_folder / "minesweeper.npz", ns=(1, 1))
    assert not torch.equal(load("minesweeper").x, before.x)


def test_the_cache_serves_when_the_raw_files_are_gone(data_folder, monkeypatch):
    before = load("minesweeper")
    monkeypatch.setattr(graphs, "_places", lambda source: iter([data_folder / "no"]))
    assert torch.equal(load("minesweeper").x, before.x)


def test_without_a_writable_cache_the_temporary_folder_is_used(
    data_folder, tmp_path, monkeypatch
):
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    assert load("minesweeper").num_nodes == 12
    assert (tmp_path / "benthic/graphs/minesweeper.pt").exists()


def test_a_full_disk_costs_the_cache_and_not_the_graph(
    data_folder, tmp_path, monkeypatch
):
    def save(stored, file):
        Path(file).write_bytes(b"half")
        raise OSError(28, "No space left on device")

    data = load("minesweeper")
    file = tmp_path / "cache/benthic/graphs/minesweeper.pt"
    file.unlink()
    monkeypatch.setattr(torch, "save", save)
    graphs._write_cache(file, data, version=None)
    assert not list(file.parent.iterdir())


def test_two_processes_may_load_at_once(data_folder, tmp_path):
    code = "from benthic.datasets import load; print(load('minesweeper').num_nodes)"
    runs = [
        subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE)
        for _ in range(2)
    ]
    assert [run.communicate()[0].strip() for run in runs] == [b"12", b"12"]
    assert load("minesweeper").num_nodes == 12


def test_loading_prints_nothing(data_folder, capfd):
    load("minesweeper")
    assert capfd.readouterr() == ("", "")


def test_capitals_and_hyphens_do_not_matter(data_folder, monkeypatch):
    source = graphs._SOURCES["minesweeper"]
    monkeypatch.setattr(graphs, "_SOURCES", {"mine_sweeper": source})
    assert load("Mine-Sweeper").num_nodes == 12


def test_an_unknown_name_lists_all_names_nearest_first():
    with pytest.raises(InputError) as error:
        load("citesear")
    listed = error.value.remedy.removeprefix("did you mean ").split(", ")
    assert listed[0] == "citeseer"
    assert sorted(listed) == names()


@pytest.mark.parametrize("split", [-1, 10])
def test_a_split_that_was_not_published_is_refused(data_folder, split):
    with pytest.raises(InputError, match=rf"split: found {split}; give 0 … 9"):
        load("minesweeper", split=split)


def test_planetoid_points_to_its_ten_splits(graph):
    with pytest.raises(InputError, match="'cora_geom_gcn', which has ten"):
        graph("cora", split=1)


def test_a_negative_seed_is_refused(graph):
    with pytest.raises(InputError, match="split: found -1"):
        graph("computers", split=-1)


def test_files_that_are_nowhere_say_where_we_looked_and_what_to_do(
    tmp_path, monkeypatch
):
    def offline(root):
        raise URLError("no route to host")

    source = graphs._Source(offline, "WebKB", "wisconsin/raw", normalize=True)
    monkeypatch.setattr(graphs, "_SOURCES", {"wisconsin": source})
    monkeypatch.setenv("BENTHIC_DATA", str(tmp_path / "mine"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(graphs, "find_raw", lambda name: None)
    with pytest.raises(InputError) as error:
        load("wisconsin")
    message = str(error.value)
    assert str(tmp_path / "mine/graphs/WebKB/wisconsin/raw") in message
    assert "no route to host" in message
    assert "set BENTHIC_DATA to a folder that has graphs/WebKB/wisconsin/raw" in message
    assert "\n" not in message


def test_raw_files_that_cannot_be_read_are_named(data_folder):
    (data_folder / "minesweeper.npz").write_bytes(b"torn")
    with pytest.raises(InputError, match="unreadable"):
        load("minesweeper")


def test_a_graph_that_is_not_here_is_downloaded_by_its_loader(tmp_path, monkeypatch):
    def download(root):
        raw = root / "minesweeper/raw"
        raw.mkdir(parents=True)
        write_minesweeper(raw, seed=0)
        return read(root)

    read = graphs._SOURCES["minesweeper"].read
    source = graphs._Source(download, "HeterophilousGraphDataset", "no/raw", False)
    monkeypatch.setattr(graphs, "_SOURCES", {"minesweeper": source})
    monkeypatch.setattr(graphs, "find_raw", lambda name: None)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert load("minesweeper").num_nodes == 12


def test_a_data_folder_may_be_the_graphs_folder_itself(data_folder, monkeypatch):
    monkeypatch.setenv("BENTHIC_DATA", str(data_folder.parents[2]))
    assert load("minesweeper").num_nodes == 12


def test_data_beside_the_checkout_is_found(data_folder, tmp_path, monkeypatch):
    monkeypatch.delenv("BENTHIC_DATA")
    (tmp_path / "shared").mkdir()
    (tmp_path / "data").rename(tmp_path / "shared/data")
    (tmp_path / "checkout").mkdir()
    monkeypatch.chdir(tmp_path / "checkout")
    assert load("minesweeper").num_nodes == 12


@pytest.mark.parametrize("name", graphs.names())
def test_every_name_points_at_a_loader_that_exists(name):
    from torch_geometric import datasets

    source = graphs._SOURCES[name]
    assert source.folder == "WikipediaFiltered" or hasattr(datasets, source.folder)
