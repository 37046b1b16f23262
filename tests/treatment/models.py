"""The kinds of models that people write, and how to compare two of them."""

from __future__ import annotations

import itertools

import torch
import torch.nn.functional as F
from torch import nn
from torch_geometric.nn import (
    GAT,
    GCN,
    GIN,
    GATv2Conv,
    GCNConv,
    GPSConv,
    GraphSAGE,
    HeteroConv,
    NNConv,
    SAGEConv,
    Sequential,
    global_mean_pool,
)

from benthic.nn import DeepGNN, Residual


class Stack(nn.Module):
    """A ModuleList with functional activation and dropout."""

    def __init__(self, widths=(6, 8, 8, 8, 3), inplace=False, **kwargs):
        super().__init__()
        self.convs = nn.ModuleList(
            GCNConv(a, b, **kwargs) for a, b in itertools.pairwise(widths)
        )
        self.inplace = inplace

    def forward(self, x, edge_index, edge_weight=None):
        for conv in self.convs[:-1]:
            x = F.relu(conv(x, edge_index, edge_weight), inplace=self.inplace)
            x = F.dropout(x, 0.5, self.training)
        return self.convs[-1](x, edge_index, edge_weight)


class Attributes(nn.Module):
    """conv1, conv2, conv3 and a linear head; returns a tuple."""

    def __init__(self):
        super().__init__()
        self.conv1, self.conv2 = SAGEConv(6, 8), SAGEConv(8, 8)
        self.conv3, self.lin = SAGEConv(8, 8), nn.Linear(8, 3)

    def forward(self, x, edge_index):
        h = self.conv1(x, edge_index).relu()
        h = self.conv2(x=F.dropout(h, 0.5, self.training), edge_index=edge_index)
        h = self.conv3(h.relu(), edge_index)
        return self.lin(h.relu()), h


class AutoEncoder(nn.Module):
    """Used by its methods alone: no forward."""

    def __init__(self):
        super().__init__()
        self.lin = nn.Linear(6, 8)
        self.conv1, self.conv2 = GCNConv(8, 8), GCNConv(8, 8)

    def encode(self, x, edge_index):
        x = self.conv1(self.lin(x), edge_index).relu()
        return self.conv2(x, edge_index)

    def decode(self, z, edge_index):
        return (z[edge_index[0]] * z[edge_index[1]]).sum(-1)


class Shared(nn.Module):
    """One layer, again and again."""

    def __init__(self, depth=3):
        super().__init__()
        self.lin, self.conv, self.depth = nn.Linear(6, 8), GCNConv(8, 8), depth

    def forward(self, x, edge_index):
        x = self.lin(x)
        for _ in range(self.depth):
            x = self.conv(x, edge_index).relu()
        return x


class WithAttributes(nn.Module):
    """Edge attributes by position and by keyword."""

    def __init__(self):
        super().__init__()
        self.conv1 = GATv2Conv(6, 4, heads=2, edge_dim=5)
        self.conv2 = NNConv(8, 8, nn.Linear(5, 64))
        self.conv3 = GATv2Conv(8, 3, edge_dim=5)

    def forward(self, x, edge_index, edge_attr):
        x = self.conv1(x, edge_index, edge_attr).relu()
        x = self.conv2(x, edge_index, edge_attr).relu()
        return self.conv3(x, edge_attr=edge_attr, edge_index=edge_index)


class Transformer(nn.Module):
    def __init__(self):
        super().__init__()
        self.lin = nn.Linear(6, 8)
        self.convs = nn.ModuleList(GPSConv(8, GCNConv(8, 8), heads=2) for _ in range(3))
        self.head = nn.Linear(8, 3)

    def forward(self, x, edge_index, batch=None):
        x = self.lin(x)
        for conv in self.convs:
            x = conv(x, edge_index, batch)
        return self.head(x)


class Mixed(nn.Module):
    """Convolutions and attention by turns."""

    def __init__(self):
        super().__init__()
        self.conv1, self.conv2 = GCNConv(6, 8), GCNConv(8, 8)
        self.attention = nn.TransformerEncoderLayer(8, 2, 16, batch_first=True)

    def forward(self, x, edge_index):
        x = self.conv1(x, edge_index)
        x = self.attention(x[None])[0]
        return self.conv2(x, edge_index)


class OfGraphs(nn.Module):
    """One answer for each graph of a mini-batch."""

    def __init__(self):
        super().__init__()
        self.convs = nn.ModuleList([GCNConv(6, 8), GCNConv(8, 8), GCNConv(8, 8)])
        self.lin = nn.Linear(8, 2)

    def forward(self, data):
        x = data.x
        for conv in self.convs:
            x = conv(x, data.edge_index).relu()
        return {"logits": self.lin(global_mean_pool(x, data.batch))}


class OfTypes(nn.Module):
    """HeteroConv layers, with dictionaries in between."""

    def __init__(self, metadata, num_layers=3):
        super().__init__()
        self.convs = nn.ModuleList(
            HeteroConv(
                {t: SAGEConv((6 if i == 0 else 8,) * 2, 8) for t in metadata[1]},
                aggr="sum",
            )
            for i in range(num_layers)
        )
        self.lin = nn.Linear(8, 3)

    def forward(self, x_dict, edge_index_dict):
        for conv in self.convs:
            x_dict = conv(x_dict, edge_index_dict)
            x_dict = {key: x.relu() for key, x in x_dict.items()}
        return {key: self.lin(x) for key, x in x_dict.items()}


class Homogeneous(nn.Module):
    """What ``to_hetero`` is given."""

    def __init__(self):
        super().__init__()
        self.conv1, self.conv2 = SAGEConv(6, 8), SAGEConv(8, 8)
        self.conv3, self.lin = SAGEConv(8, 8), nn.Linear(8, 3)

    def forward(self, x, edge_index):
        x = self.conv1(x, edge_index).relu()
        x = self.conv2(x, edge_index).relu()
        x = self.conv3(x, edge_index).relu()
        return self.lin(x)


def sequential():
    return Sequential(
        "x, edge_index",
        [
            (GCNConv(6, 8), "x, edge_index -> x"),
            nn.ReLU(inplace=True),
            (GCNConv(8, 8), "x, edge_index -> x"),
            nn.ReLU(inplace=True),
            nn.Dropout(0.5),
            (GCNConv(8, 8), "x, edge_index -> x"),
            nn.Linear(8, 3),
        ],
    )


HOMOGENEOUS = {
    "GCN": lambda: GCN(6, 8, 4, 3, dropout=0.5, norm="batch_norm"),
    "GraphSAGE": lambda: GraphSAGE(6, 8, 4, 3, dropout=0.5, jk="cat"),
    "GIN": lambda: GIN(6, 8, 4, 3, dropout=0.5, act_first=True),
    "GAT": lambda: GAT(6, 8, 4, 3, heads=4, dropout=0.5, jk="max", norm="layer_norm"),
    "Stack": Stack,
    "in place": lambda: Stack(inplace=True),
    "Attributes": Attributes,
    "Shared": Shared,
    "Transformer": Transformer,
    "Mixed": Mixed,
    "DeepGNN": lambda: DeepGNN(GCNConv, 6, 8, 3, 4, residual=Residual()),
    "Sequential": sequential,
}


def tensors(out):
    """All tensors in what a model returned."""
    if isinstance(out, torch.Tensor):
        return [out]
    values = out.values() if isinstance(out, dict) else out
    return [tensor for value in values for tensor in tensors(value)]


def run(model, *args, seed=0, **kwargs):
    torch.manual_seed(seed)
    return tensors(model(*args, **kwargs))


def assert_equal(a, b):
    assert len(a) == len(b)
    assert all(map(torch.equal, a, b))
