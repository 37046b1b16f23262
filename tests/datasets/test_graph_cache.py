"""A graph is read once; its file in the cache is never trusted blindly."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import pytest
import torch
from tests.datasets.minesweeper import write_minesweeper

from benthic.datasets import graphs, load
from benthic.datasets.graph_cache import write_cache


def test_the_second_load_reads_only_the_cache(data_folder, monkeypatch):
    first = load("minesweeper")
    monkeypatch.setattr(graphs, "_build", None)
    second = load("minesweeper")
    assert all(torch.equal(first[key], second[key]) for key in first.keys())


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
    write_cache(file, data, version=None)
    assert not list(file.parent.iterdir())


def test_editing_a_loaded_graph_does_not_reach_the_next_load(data_folder):
    load("minesweeper").x.zero_()
    assert load("minesweeper").x.any()
