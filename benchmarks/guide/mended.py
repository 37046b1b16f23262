"""The guide's second listing with its faults mended one after the other."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn
from torch_geometric.nn import GCNConv
from torch_geometric.utils import dropout_edge


class BranchDropout(nn.Module):
    """The listing with one line moved: dropout falls on the branch, not on the sum.

    Args:
        in_channels: Features of a node.
        hidden_channels: Width of the stream.
        out_channels: Classes.
        num_layers: Message passing layers.
        norm: Whether each layer, the last one too, reads a LayerNorm of the stream.
        dropout: Share of a branch's units that training drops.
        drop_edge: Share of the edges that training drops.
    """

    def __init__(
        self,
        in_channels: int,
        hidden_channels: int,
        out_channels: int,
        num_layers: int,
        norm: bool = False,
        dropout: float = 0.5,
        drop_edge: float = 0.2,
    ) -> None:
        super().__init__()
        widths = [in_channels, *[hidden_channels] * (num_layers - 1), out_channels]
        self.convs = nn.ModuleList(map(GCNConv, widths[:-1], widths[1:]))
        self.norms = nn.ModuleList(
            nn.LayerNorm(width) if norm and layer else nn.Identity()
            for layer, width in enumerate(widths[:-1])
        )
        self.dropout = dropout
        self.drop_edge = drop_edge

    def forward(self, x: Tensor, edge_index: Tensor) -> Tensor:
        edge_index, _ = dropout_edge(
            edge_index, p=self.drop_edge, training=self.training
        )
        *hidden, last = zip(self.convs, self.norms, strict=True)
        for conv, norm in hidden:
            h = F.relu(conv(norm(x), edge_index))
            h = F.dropout(h, p=self.dropout, training=self.training)
            x = x + h if x.shape == h.shape else h
        conv, norm = last
        return conv(norm(x), edge_index)
