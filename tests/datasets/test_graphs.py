from __future__ import annotations

import subprocess
import sys
import warnings
from pathlib import Path
from urllib.error import URLError

import pytest
import torch
from tests.datasets.minesweeper import write_minesweeper
from torch_geometric.datasets import Planetoid
from torch_geometric.transforms import NormalizeFeatures

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


def test_the_data_folder_is_never_written_to(data_folder, tmp_path):
    before = listing(tmp_path / "data")
    load("minesweeper")
    assert listing(tmp_path / "data") == before


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
    source = graphs.SOURCES["minesweeper"]
    monkeypatch.setattr(graphs, "SOURCES", {"mine_sweeper": source})
    assert load("Mine-Sweeper").num_nodes == 12


def test_an_unknown_name_is_answered_by_what_is_near_or_by_all_there_are():
    with pytest.raises(InputError, match="found 'citesear'; did you mean citeseer"):
        load("citesear")
    with pytest.raises(InputError) as error:
        load("nosuch")
    assert error.value.remedy == f"choose one of {', '.join(names())}"


def test_files_that_are_nowhere_say_where_we_looked_and_what_to_do(
    tmp_path, monkeypatch
):
    def offline(root):
        raise URLError("no route to host")

    source = graphs.Source(offline, "WebKB", "wisconsin/raw", normalize=True)
    monkeypatch.setattr(graphs, "SOURCES", {"wisconsin": source})
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

    read = graphs.SOURCES["minesweeper"].read
    source = graphs.Source(download, "HeterophilousGraphDataset", "no/raw", False)
    monkeypatch.setattr(graphs, "SOURCES", {"minesweeper": source})
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
