from __future__ import annotations

import sys

import pytest
import torch
from tests.relational.market import market_frames

from benthic import cli

MODEL = """
import torch
from torch_geometric.nn import GCN, GCNConv

print("a user's file may print")
torch.manual_seed(0)
model = GCN(3, 4, num_layers=2, out_channels=2)

class Raises(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = GCNConv(3, 2)

    def forward(self, x, edge_index):
        raise ValueError("no luck today\\nsecond line")

class Leaves(Raises):
    def forward(self, x, edge_index):
        raise SystemExit(0)

def wide():
    return GCN(5, 4, num_layers=2, out_channels=2)
"""


@pytest.fixture
def run(capsys, monkeypatch, tmp_path):
    """Runs the command line in an empty folder: exit code, stdout, stderr."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))

    def call(*arguments):
        with pytest.raises(SystemExit) as stopped:
            cli.main([str(argument) for argument in arguments])
        printed = capsys.readouterr()
        return stopped.value.code, printed.out, printed.err

    return call


@pytest.fixture
def files(tmp_path):
    """A sound model and a sound graph of 40 nodes."""
    generator = torch.Generator().manual_seed(0)
    mask = torch.arange(40) < 20
    parts = {
        "x": torch.randn(40, 3, generator=generator),
        "edge_index": torch.randint(0, 40, (2, 160), generator=generator),
        "y": torch.arange(40) % 2,
        "train_mask": mask,
        "val_mask": ~mask,
    }
    torch.save(parts, tmp_path / "data.pt")
    (tmp_path / "net.py").write_text(MODEL)
    return parts


@pytest.fixture
def market(tmp_path):
    """The shop as a folder of Parquet."""
    folder = tmp_path / "market"
    folder.mkdir()
    for name, frame in market_frames().items():
        frame.to_parquet(folder / f"{name}.parquet")
    return folder
