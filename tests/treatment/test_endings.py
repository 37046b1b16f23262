"""What the trial of a call finds out beside its answer."""

from __future__ import annotations

import warnings

import pytest
import torch
from torch import nn
from torch_geometric.nn import GCNConv, PairNorm

from benthic.nn.norm import LayerNorm
from benthic.treatment import Norm, treat


class OfGraphs(nn.Module):
    """A mini-batch whose graphs have a name of the user's own."""

    def __init__(self):
        super().__init__()
        self.conv1, self.conv2 = GCNConv(6, 8), GCNConv(8, 3)

    def forward(self, x, edge_index, graph_ids=None, batch=None):
        return self.conv2(self.conv1(x, edge_index), edge_index)


GRAPHS = torch.arange(20) // 10


def test_graphs_that_a_norm_would_mix_are_warned_of_once(x, edge_index):
    treated = treat(OfGraphs(), Norm(PairNorm))
    with pytest.warns(UserWarning, match="PairNorm takes.*if 'graph_ids' numbers them"):
        treated(x, edge_index, GRAPHS)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        treated(x, edge_index, GRAPHS)


@pytest.mark.parametrize(
    ("norm", "given"),
    [
        (PairNorm, {"batch": GRAPHS}),
        (PairNorm, {"graph_ids": GRAPHS.flip(0)}),
        (LayerNorm, {"graph_ids": GRAPHS}),
    ],
    ids=["batch", "no graphs", "row by row"],
)
@pytest.mark.filterwarnings("error")
def test_nothing_else_is_warned_of(norm, given, x, edge_index):
    treat(OfGraphs(), Norm(norm))(x, edge_index, **given)
