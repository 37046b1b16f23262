"""Gauges of every layer from inside a training loop of your own."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch_geometric.nn import GraphSAGE

import benthic


def main() -> None:
    """Watches effective rank and gradients while a network trains on the bank."""
    graph = benthic.bank(2_000, 1_000, 50_000).to_homogeneous("control")
    torch.manual_seed(0)
    model = GraphSAGE(graph.num_features, 32, num_layers=3, out_channels=2)
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.01)

    for epoch in range(1, 21):
        with benthic.Trace(model) as trace:
            logits = model(graph.x, graph.edge_index)
            loss = F.cross_entropy(logits[graph.train_mask], graph.y[graph.train_mask])
            optimizer.zero_grad()
            loss.backward()
        optimizer.step()
        if epoch % 10 == 0:
            print(f"epoch {epoch}, loss {loss:.3f}")
            for layer in trace.layers:
                print(
                    f"  {layer.name}: effective rank {layer.effective_rank:.1f} of "
                    f"{layer.channels}, gradient norm {layer.gradient_norm:.3f}"
                )


if __name__ == "__main__":
    main()
