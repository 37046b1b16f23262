"""Fixtures that every test may use."""

from __future__ import annotations

import atexit
import os
from collections.abc import Callable

import pytest
from torch_geometric.data import Data

from benthic.datasets import Bank, bank, load
from benthic.datasets.graphs import find_raw


@pytest.fixture(scope="session")
def graph(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Data]:
    """Loads a named graph; without its files the test skips, or fails with CI=true."""
    cache = tmp_path_factory.mktemp("cache")

    def fetch(name: str, *, split: int = 0) -> Data:
        if find_raw(name) is None:
            reason = f"the raw files of {name} are not on this machine"
            if os.environ.get("CI") == "true":
                pytest.fail(f"{reason}; set BENTHIC_DATA")
            pytest.skip(reason)
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("XDG_CACHE_HOME", str(cache))
            return load(name, split=split)

    return fetch


@pytest.fixture
def cora(graph: Callable[..., Data]) -> Data:
    """A fresh copy of Cora with its public split."""
    return graph("cora")


@pytest.fixture(scope="session")
def small_bank() -> Bank:
    """A fifth of the default bank; do not edit its tables."""
    return bank(2_000, 1_000, 100_000)


@atexit.register
def _leave_the_last_line_to_pytest() -> None:
    # Type checks of the tests keep a few of DuckDB's objects alive until Python ends,
    # and its bindings then list them on stderr.
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
