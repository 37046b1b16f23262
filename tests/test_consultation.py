from __future__ import annotations

import contextlib

import pytest
import torch
from torch_geometric.data import Data

from benthic.consultation import diagnose_own, load_dataset, train_and_diagnose
from benthic.errors import InputError


class Heard:
    """A screen that keeps what it is told."""

    def __init__(self):
        self.lines, self.epochs, self.steps = [], [], []

    def say(self, text):
        self.lines.append(text)

    @contextlib.contextmanager
    def training(self, text, epochs):
        yield lambda done, planned: self.epochs.append((done, planned))

    @contextlib.contextmanager
    def diagnosing(self):
        yield self.steps.append


@pytest.fixture
def graph():
    mask = torch.arange(40) < 20
    return Data(
        x=torch.randn(40, 3),
        edge_index=torch.randint(0, 40, (2, 160)),
        y=torch.arange(40) % 2,
        train_mask=mask,
        val_mask=~mask,
    )


SIZES = {"num_layers": 2, "hidden_channels": 4, "dropout": 0.5, "seed": 0, "epochs": 2}


def test_a_network_is_trained_and_diagnosed_and_every_step_is_told(graph):
    heard = Heard()
    document = train_and_diagnose(graph, "a ring", heard, conv="gcn", **SIZES, lr=0.1)
    assert document["data"] == "a ring"
    assert heard.epochs == [(1, 2), (2, 2)]
    assert heard.steps
    assert heard.lines == ["trained GCN(3, 2, num_layers=2) on a ring: 2 epochs"]


def test_errors_call_things_as_they_are_typed(graph):
    with pytest.raises(InputError, match="--conv: found 'gnc'"):
        train_and_diagnose(graph, "a ring", Heard(), conv="gnc", **SIZES)
    with pytest.raises(InputError, match="TARGET: found 'coro'"):
        load_dataset("coro", "TARGET")
    with pytest.raises(InputError, match=r"--data: found nothing; say what m.py:m"):
        diagnose_own("m.py:m", None, Heard(), seed=0, layers=None)
