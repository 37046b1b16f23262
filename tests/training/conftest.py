"""A small graph that can be learned."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch_geometric.data import Data


@pytest.fixture
def data():
    generator = torch.Generator().manual_seed(0)
    y = torch.arange(30) % 3
    x = torch.randn(30, 5, generator=generator) + F.one_hot(y, 5)
    rows = torch.arange(30)
    return Data(
        x=x,
        y=y,
        edge_index=torch.randint(0, 30, (2, 60), generator=generator),
        train_mask=rows < 10,
        val_mask=(rows >= 10) & (rows < 20),
        test_mask=rows >= 20,
    )
