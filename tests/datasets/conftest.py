"""A data folder with one tiny graph."""

from __future__ import annotations

import pytest
from tests.datasets.minesweeper import write_minesweeper


@pytest.fixture
def data_folder(tmp_path, monkeypatch):
    """A $BENTHIC_DATA with a tiny minesweeper, and a cache of its own."""
    raw = tmp_path / "data/graphs/HeterophilousGraphDataset/minesweeper/raw"
    raw.mkdir(parents=True)
    write_minesweeper(raw, seed=0)
    monkeypatch.setenv("BENTHIC_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return raw
