"""Small graphs for the tests of treatments."""

from __future__ import annotations

import pytest
import torch
from torch_geometric.data import HeteroData
from torch_geometric.utils import erdos_renyi_graph


@pytest.fixture
def x():
    return torch.randn(20, 6, generator=torch.Generator().manual_seed(0))


@pytest.fixture
def edge_index():
    torch.manual_seed(0)
    return erdos_renyi_graph(20, 0.3)


@pytest.fixture(autouse=True)
def _seed():
    torch.manual_seed(1)


@pytest.fixture
def hetero():
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
