"""Small graphs and networks whose illness, or health, is known."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch_geometric.data import Data
from torch_geometric.nn import GCNConv
from torch_geometric.utils import to_undirected

from benthic.checks import Case


def blocks(
    *,
    per_class: int = 60,
    classes: int = 3,
    within: float = 0.15,
    between: float = 0.02,
    noise: float = 1.0,
    channels: int = 8,
    seed: int = 0,
) -> Data:
    """A stochastic block model whose features show each node's block, with noise."""
    generator = torch.Generator().manual_seed(seed)
    n = per_class * classes
    y = torch.arange(classes).repeat_interleave(per_class)
    chance = torch.where(y[:, None] == y, within, between)
    upper = (torch.rand(n, n, generator=generator) < chance).triu(1)
    x = F.one_hot(y, channels) + noise * torch.randn(n, channels, generator=generator)
    return Data(
        x=x,
        y=y,
        edge_index=to_undirected(upper.nonzero().T, num_nodes=n),
        **masks(n, generator),
    )


def masks(n: int, generator: torch.Generator, share: float = 0.3) -> dict[str, Tensor]:
    train = torch.rand(n, generator=generator) < share
    return {"train_mask": train, "val_mask": ~train}


def distant(*, hops: int, count: int = 200, seed: int = 0) -> Data:
    """Paths on which one end's label is the feature of the other, ``hops`` away."""
    generator = torch.Generator().manual_seed(seed)
    length = hops + 1
    bit = torch.randint(2, (count,), generator=generator)
    x = torch.ones(count, length, 3)
    x[:, :, 1:] = 0.01 * torch.randn(count, length, 2, generator=generator)
    x[:, hops, 1] += 2.0 * bit - 1.0
    y = torch.full((count, length), -1)
    y[:, 0] = bit
    first = (torch.arange(count)[:, None] * length + torch.arange(hops)).flatten()
    return Data(
        x=x.flatten(0, 1),
        y=y.flatten(),
        edge_index=torch.stack(
            [torch.cat([first, first + 1]), torch.cat([first + 1, first])]
        ),
        **_masks_of(y.flatten(), generator),
    )


def trees(*, depth: int = 4, count: int = 150, seed: int = 0) -> Data:
    """Binary trees whose root's label all leaves show: a path for each, one way in."""
    generator = torch.Generator().manual_seed(seed)
    size = 2 ** (depth + 1) - 1
    bit = torch.randint(2, (count,), generator=generator)
    x = torch.ones(count, size, 3)
    x[:, :, 1:] = 0.01 * torch.randn(count, size, 2, generator=generator)
    x[:, size // 2 :, 1] += 2.0 * bit[:, None] - 1.0
    y = torch.full((count, size), -1)
    y[:, 0] = bit
    child = torch.arange(1, size)
    start = size * torch.arange(count)[:, None]
    up = torch.stack([(start + child).flatten(), (start + (child - 1) // 2).flatten()])
    return Data(
        x=x.flatten(0, 1),
        y=y.flatten(),
        edge_index=to_undirected(up, num_nodes=count * size),
        **_masks_of(y.flatten(), generator),
    )


def _masks_of(y: Tensor, generator: torch.Generator) -> dict[str, Tensor]:
    split = masks(len(y), generator, 0.5)
    return {name: mask & (y >= 0) for name, mask in split.items()}


class Skips(nn.Module):
    """A deep GCN with a skip around each layer, and dropout in one of two places."""

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        num_layers: int = 16,
        *,
        noisy_skip: bool = False,
        norm: bool = True,
        dropout: float = 0.5,
        hidden_channels: int = 16,
    ) -> None:
        super().__init__()
        h = hidden_channels
        self.lin_in = nn.Linear(in_channels, h)
        self.convs = nn.ModuleList(GCNConv(h, h) for _ in range(num_layers))
        self.norms = nn.ModuleList(
            nn.LayerNorm(h) if norm else nn.Identity() for _ in range(num_layers)
        )
        self.lin_out = nn.Linear(h, out_channels)
        self.noisy_skip, self.p = noisy_skip, dropout

    def forward(self, x: Tensor, edge_index: Tensor) -> Tensor:
        x = self.lin_in(x)
        for conv, norm in zip(self.convs, self.norms, strict=True):
            branch = F.relu(conv(norm(x), edge_index))
            if self.noisy_skip:
                x = F.dropout(x + branch, self.p, self.training)
            else:
                x = x + F.dropout(branch, self.p, self.training)
        return self.lin_out(x)


def fit(
    model: nn.Module,
    data: Data,
    *,
    epochs: int = 80,
    lr: float = 0.01,
    weight_decay: float = 0.0,
    mask: Tensor | None = None,
    y: Tensor | None = None,
) -> nn.Module:
    """Trains to the last epoch: no checkpoint hides what happens on the way."""
    mask = data.train_mask if mask is None else mask
    y = data.y if y is None else y
    trainable = [p for p in model.parameters() if p.requires_grad]
    optimizer = torch.optim.Adam(trainable, lr=lr, weight_decay=weight_decay)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        for _ in range(epochs):
            model.train()
            optimizer.zero_grad()
            loss = F.cross_entropy(model(data.x, data.edge_index)[mask], y[mask])
            loss.backward()
            optimizer.step()
    return model.eval()


def case(model: nn.Module, data: object, **options: object) -> Case:
    """A case as ``diagnose`` makes it."""
    return Case(model, data, **options)
