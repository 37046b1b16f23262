"""Small graphs with communities, on which networks can be trained in a second."""

from __future__ import annotations

import torch
from torch_geometric.data import Data, HeteroData
from torch_geometric.utils import stochastic_blockmodel_graph


def communities(num_nodes=40, classes=3, noise=1.5, seed=0):
    """Nodes with noisy features, mostly linked to their own class; three splits."""
    generator = torch.Generator().manual_seed(seed)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        inside, outside = 0.2, 0.01
        odds = torch.full((classes, classes), outside).fill_diagonal_(inside)
        edge_index = stochastic_blockmodel_graph([num_nodes] * classes, odds)
    y = torch.arange(classes).repeat_interleave(num_nodes)
    x = torch.eye(classes)[y].repeat(1, 2)
    x = x + noise * torch.randn(x.shape, generator=generator)
    split = torch.randint(0, 4, y.shape, generator=generator)
    masks = {"train_mask": split == 0, "val_mask": split == 1, "test_mask": split > 1}
    return Data(x=x, edge_index=edge_index, y=y, **masks)


def two_relations(seed=0):
    """The same with each edge under one of two relations."""
    graph = communities(seed=seed)
    data = HeteroData()
    for name in ("x", "y", "train_mask", "val_mask", "test_mask"):
        data["page"][name] = graph[name]
    data["page", "cites", "page"].edge_index = graph.edge_index[:, ::2]
    data["page", "links", "page"].edge_index = graph.edge_index[:, 1::2]
    return data
