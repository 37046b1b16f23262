"""Networks from the literature whose illness, or health, is known."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch_geometric.nn import GCN2Conv, GCNConv, PairNorm, SGConv
from torch_geometric.utils import dropout_edge


class DeepGCN(nn.Module):
    """The over-smoothing guide's skip + DropEdge network, faults included.

    Dropout falls on the skip stream and nothing normalizes it: see
    ``docs/checks.md``, D004 and D010.
    """

    def __init__(
        self,
        in_channels: int,
        hidden_channels: int,
        out_channels: int,
        num_layers: int,
        dropout: float = 0.5,
        drop_edge: float = 0.2,
    ) -> None:
        super().__init__()
        widths = [in_channels, *[hidden_channels] * (num_layers - 1), out_channels]
        self.convs = nn.ModuleList(map(GCNConv, widths[:-1], widths[1:]))
        self.dropout = dropout
        self.drop_edge = drop_edge

    def forward(self, x: Tensor, edge_index: Tensor) -> Tensor:
        edge_index, _ = dropout_edge(
            edge_index, p=self.drop_edge, training=self.training
        )
        for conv in self.convs[:-1]:
            h = F.relu(conv(x, edge_index))
            x = x + h if x.shape == h.shape else h
            x = F.dropout(x, p=self.dropout, training=self.training)
        return self.convs[-1](x, edge_index)


class GCNII(nn.Module):
    """`"Simple and Deep Graph Convolutional Networks"
    <https://arxiv.org/abs/2007.02133>`_, as in its authors' Cora settings.
    """

    def __init__(
        self,
        in_channels: int,
        hidden_channels: int,
        out_channels: int,
        num_layers: int,
        dropout: float = 0.6,
        alpha: float = 0.1,
        theta: float = 0.5,
    ) -> None:
        super().__init__()
        self.lin_in = nn.Linear(in_channels, hidden_channels)
        self.convs = nn.ModuleList(
            GCN2Conv(hidden_channels, alpha, theta, layer + 1)
            for layer in range(num_layers)
        )
        self.lin_out = nn.Linear(hidden_channels, out_channels)
        self.dropout = dropout

    def forward(self, x: Tensor, edge_index: Tensor) -> Tensor:
        x = F.dropout(x, self.dropout, self.training)
        x = x_0 = F.relu(self.lin_in(x))
        for conv in self.convs:
            x = F.dropout(x, self.dropout, self.training)
            x = F.relu(conv(x, x_0, edge_index))
        x = F.dropout(x, self.dropout, self.training)
        return self.lin_out(x)


class PairNormGCN(nn.Module):
    """A plain GCN with `"PairNorm" <https://arxiv.org/abs/1909.12223>`_."""

    def __init__(
        self,
        in_channels: int,
        hidden_channels: int,
        out_channels: int,
        num_layers: int,
        dropout: float = 0.5,
    ) -> None:
        super().__init__()
        widths = [in_channels, *[hidden_channels] * (num_layers - 1), out_channels]
        self.convs = nn.ModuleList(map(GCNConv, widths[:-1], widths[1:]))
        self.norm = PairNorm()
        self.dropout = dropout

    def forward(self, x: Tensor, edge_index: Tensor) -> Tensor:
        for conv in self.convs[:-1]:
            x = F.relu(self.norm(conv(x, edge_index)))
            x = F.dropout(x, self.dropout, self.training)
        return self.convs[-1](x, edge_index)


class SGC(nn.Module):
    r"""`"Simplifying Graph Convolutional Networks"
    <https://arxiv.org/abs/1902.07153>`_: :math:`\hat{A}^K X W`.
    """

    def __init__(self, in_channels: int, out_channels: int, num_hops: int) -> None:
        super().__init__()
        self.conv = SGConv(in_channels, out_channels, K=num_hops, cached=True)

    def forward(self, x: Tensor, edge_index: Tensor) -> Tensor:
        return self.conv(x, edge_index)


def seeded(seed: int, factory: type[nn.Module], *args: float, **kwargs: float):
    """Builds a network from a seed and leaves the random state as it was."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return factory(*args, **kwargs)
