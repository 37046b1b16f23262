"""Treats a network that fails at depth, without touching its code.

The model below is an ordinary stack of 16 GCN layers, which does not train. ``treat``
returns a copy with a skip and a norm at every layer; your class, your weights and the
keys of your ``state_dict`` stay. ``benthic.diagnose`` says what changed.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch_geometric.nn import GCNConv

import benthic
from benthic.nn import LayerNorm
from benthic.training import train


class MyNetwork(nn.Module):
    """Written by hand, by somebody who has not heard of Benthic."""

    def __init__(self, num_features: int, num_classes: int) -> None:
        super().__init__()
        self.first = GCNConv(num_features, 32)
        self.hidden = nn.ModuleList(GCNConv(32, 32) for _ in range(14))
        self.last = GCNConv(32, num_classes)

    def forward(self, x: Tensor, edge_index: Tensor) -> Tensor:
        """A row of logits for each node."""
        x = F.relu(self.first(x, edge_index))
        for conv in self.hidden:
            x = F.dropout(F.relu(conv(x, edge_index)), 0.5, self.training)
        return self.last(x, edge_index)


def main() -> None:
    """Trains the network as it is, then treated."""
    graph = benthic.load("cora")
    torch.manual_seed(0)
    model = MyNetwork(graph.num_features, int(graph.y.max()) + 1)
    treated = benthic.treat(model, benthic.Residual(), benthic.Norm(LayerNorm))
    print(treated.treatments)
    for name, network in (("as it is", model), ("treated", treated)):
        run = train(network, graph, epochs=60)
        verdict = benthic.diagnose(network, graph).verdict
        print(f"{name}: test {run.metrics['test']:.1%}, verdict {verdict}")


if __name__ == "__main__":
    main()
