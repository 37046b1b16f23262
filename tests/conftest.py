"""Fixtures that every test may use."""

from __future__ import annotations

import atexit
import contextlib
import os
from collections.abc import Callable, Iterator

import pytest
import torch
from hypothesis import HealthCheck, settings
from torch import Tensor
from torch_geometric.data import Data, HeteroData
from torch_geometric.utils import erdos_renyi_graph

from benthic.datasets import Bank, bank, load
from benthic.datasets.graphs import find_raw

# Time never decides a test.
settings.register_profile(
    "untimed", deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("untimed")


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


@pytest.fixture(scope="module")
def few_rounds() -> Iterator[None]:
    """Engines that learn little, for tests of what is read, shown or written."""
    engines = "benthic.relational.engines"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(f"{engines}.search._MOST_ROUNDS", 4)
        patch.setattr(f"{engines}.ranker_fitting._ROUNDS", 8)
        patch.setattr(f"{engines}.member_fitting._ROUNDS", 8)
        yield


@pytest.fixture
def cora(graph: Callable[..., Data]) -> Data:
    """A fresh copy of Cora with its public split."""
    return graph("cora")


@pytest.fixture
def x() -> Tensor:
    """Features of 20 nodes."""
    return torch.randn(20, 6, generator=torch.Generator().manual_seed(0))


@pytest.fixture
def edge_index() -> Tensor:
    """Random edges between 20 nodes."""
    torch.manual_seed(0)
    return erdos_renyi_graph(20, 0.3)


@pytest.fixture
def hetero() -> HeteroData:
    """Two node types and four relations."""
    data = HeteroData()
    generator = torch.Generator().manual_seed(0)
    data["user"].x = torch.randn(12, 6, generator=generator)
    data["item"].x = torch.randn(9, 6, generator=generator)
    for relation, (num_src, num_dst) in {
        ("user", "follows", "user"): (12, 12),
        ("user", "buys", "item"): (12, 9),
        ("user", "views", "item"): (12, 9),
        ("item", "bought_by", "user"): (9, 12),
    }.items():
        data[relation].edge_index = torch.stack(
            [
                torch.randint(0, num_src, (40,), generator=generator),
                torch.randint(0, num_dst, (40,), generator=generator),
            ]
        )
    return data


@pytest.fixture(scope="session")
def small_bank() -> Bank:
    """A fifth of the default bank; do not edit its tables."""
    return bank(2_000, 1_000, 100_000)


@atexit.register
def _leave_the_last_line_to_pytest() -> None:
    # Type checks of the tests keep a few of DuckDB's objects alive until Python ends,
    # and its bindings then list them on stderr.
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)


@pytest.fixture
def full_disk():
    """While it is entered, no file may grow beyond so many bytes."""
    resource = pytest.importorskip("resource")

    @contextlib.contextmanager
    def full(size=1):
        before = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
        try:
            yield
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, before)

    return full
