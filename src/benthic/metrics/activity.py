"""Dead rows, norms."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torchmetrics import Metric

from benthic.metrics.rows import row_blocks, row_norms
from benthic.typing import NodeFeatures, Scalar


def dead_fraction(x: NodeFeatures) -> Scalar:
    r"""Share of nodes whose row is exactly zero.

    .. math::
        \frac{1}{N} \, | \{ i : \mathbf{x}_i = \mathbf{0} \} |

    A dead node has no direction: cosines and Rayleigh quotients are undefined there,
    so read this gauge first. One means a dead layer. Zero means *exactly* zero: rows of
    1e-30 are fading, not dead, and show in :func:`mean_norm`. One-hot inputs and ReLU
    networks have a few dead rows and work. NaN without nodes, or if a row holds NaN or
    an infinity.

    Args:
        x: Node features; 16-bit rows are read as float32.

    Example:
        >>> dead_fraction(torch.tensor([[0.0, 0.0], [0.0, 1.0]]))
        tensor(0.5000, dtype=torch.float64)
    """
    dead, _, num_nodes = _activity(x)
    return dead / num_nodes


class DeadFraction(Metric):
    """:func:`dead_fraction` over shards of nodes.

    Example:
        >>> metric = DeadFraction()
        >>> metric.update(torch.tensor([[0.0, 0.0]]))
        >>> metric.update(torch.tensor([[0.0, 1.0]]))
        >>> metric.compute()
        tensor(0.5000, dtype=torch.float64)
    """

    full_state_update = False
    is_differentiable = False
    dead: Tensor
    num_nodes: Tensor

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        for name in ("dead", "num_nodes"):
            zero = torch.zeros((), dtype=torch.float64)
            self.add_state(name, zero, dist_reduce_fx="sum")

    def update(self, x: NodeFeatures) -> None:
        """Add a shard of nodes."""
        dead, _, num_nodes = _activity(x)
        self.dead = self.dead + dead.to(self.device)
        self.num_nodes = self.num_nodes + num_nodes.to(self.device)

    def compute(self) -> Scalar:
        """Dead share of the nodes seen so far."""
        return self.dead / self.num_nodes


def mean_norm(x: NodeFeatures) -> Scalar:
    r"""Mean length of a row.

    .. math::
        \frac{1}{N} \sum_i \| \mathbf{x}_i \|_2

    A geometric fall over the layers is fading, a geometric rise is explosion; neither
    is smoothing. Dead rows count with length 0. Right from 1e-45 to 1e38 in float32,
    where the squares would leave the type. NaN without nodes, or if a row holds NaN or
    an infinity.

    Args:
        x: Node features; 16-bit rows are read as float32.

    Example:
        >>> mean_norm(torch.tensor([[3.0, 4.0], [0.0, 0.0]]))
        tensor(2.5000, dtype=torch.float64)
    """
    _, length, num_nodes = _activity(x)
    return length / num_nodes


class MeanNorm(Metric):
    """:func:`mean_norm` over shards of nodes.

    Example:
        >>> metric = MeanNorm()
        >>> metric.update(torch.tensor([[3.0, 4.0]]))
        >>> metric.update(torch.tensor([[0.0, 0.0]]))
        >>> metric.compute()
        tensor(2.5000, dtype=torch.float64)
    """

    full_state_update = False
    is_differentiable = False
    length: Tensor
    num_nodes: Tensor

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        for name in ("length", "num_nodes"):
            zero = torch.zeros((), dtype=torch.float64)
            self.add_state(name, zero, dist_reduce_fx="sum")

    def update(self, x: NodeFeatures) -> None:
        """Add a shard of nodes."""
        _, length, num_nodes = _activity(x)
        self.length = self.length + length.to(self.device)
        self.num_nodes = self.num_nodes + num_nodes.to(self.device)

    def compute(self) -> Scalar:
        """Mean row length of the nodes seen so far."""
        return self.length / self.num_nodes


@torch.no_grad()
def _activity(x: NodeFeatures) -> tuple[Tensor, Tensor, Tensor]:
    """Number of dead rows, sum of row norms, number of rows."""
    dead, length, num_nodes = x.new_zeros(3, dtype=torch.float64).unbind()
    for block in row_blocks(x):
        norm = row_norms(block)
        dead += (norm == 0).sum() + (norm * 0.0).sum()  # NaN is not a live row
        length += norm.sum()
        num_nodes += norm.numel()
    return dead, length, num_nodes
