"""One line decides how deep a residual GCN goes: where its dropout stands."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch_geometric.nn import GCNConv

import benthic
from benthic.training import train


class ResidualGCN(nn.Module):
    """A pre-norm residual GCN, with dropout on the skip stream or on the branch."""

    def __init__(self, in_channels: int, out_channels: int, *, on_skip: bool) -> None:
        super().__init__()
        self.lin_in = nn.Linear(in_channels, 64)
        self.convs = nn.ModuleList(GCNConv(64, 64) for _ in range(16))
        self.norms = nn.ModuleList(nn.LayerNorm(64) for _ in range(16))
        self.lin_out = nn.Linear(64, out_channels)
        self.on_skip = on_skip

    def forward(self, x: Tensor, edge_index: Tensor) -> Tensor:
        """Logits of each node."""
        x = self.lin_in(x)
        for conv, norm in zip(self.convs, self.norms, strict=True):
            branch = F.relu(conv(norm(x), edge_index))
            if self.on_skip:
                x = F.dropout(x + branch, training=self.training)
            else:
                x = x + F.dropout(branch, training=self.training)
        return self.lin_out(x)


def main() -> None:
    """Trains both on Cora and asks why one of them fails."""
    graph = benthic.load("cora")
    for on_skip in (True, False):
        torch.manual_seed(0)
        model = ResidualGCN(graph.num_features, 7, on_skip=on_skip)
        train(model, graph, epochs=60)
        diagnosis = benthic.diagnose(model, graph)
        print("dropout on the", "skip:" if on_skip else "branch:", diagnosis.summary)


if __name__ == "__main__":
    main()
