"""Over-correlation: columns that became copies of each other."""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from torch import Tensor
from torchmetrics import Metric

from benthic.metrics.rows import column_mean, row_blocks
from benthic.typing import NodeFeatures, Scalar

# A variance this many roundings of the second moment is rounding, not variance.
# Sums of n float64 terms by blocks err by a few eps.
ROUNDINGS = 64


def feature_correlation(x: NodeFeatures) -> Scalar:
    r"""How much the columns repeat each other: the mean absolute correlation.

    Corr of `"Feature Overcorrelation in Deep Graph Neural Networks: A New Perspective"
    <https://arxiv.org/abs/2206.07743>`_, with Pearson's :math:`\rho` over nodes and
    the :math:`c` columns that are not constant:

    .. math::
        \frac{1}{c (c - 1)} \sum_{a \neq b} | \rho(\mathbf{x}_{:a}, \mathbf{x}_{:b}) |

    Zero means uncorrelated channels, 1 that all are copies (up to sign and scale) of
    one. Channels can collapse while the rows stay apart, so this is not a smoothing
    gauge. Noise reads about :math:`\sqrt{2 / (\pi N)}`, not 0: small graphs look
    correlated. Constant columns (dead channels) have no correlation and are left out;
    with fewer than two others, or no rows, the value is NaN. A row with NaN or an
    infinity makes the result NaN, even in a column of no interest.

    Args:
        x: Node features.

    Example:
        >>> x = torch.tensor([[1.0, -2.0], [2.0, -4.0], [3.0, -6.0]])
        >>> feature_correlation(x)
        tensor(1.0000, dtype=torch.float64)
    """
    return _mean_correlation(_moments(x, column_mean(x)))


class FeatureCorrelation(Metric):
    r""":func:`feature_correlation` over shards; keeps a :math:`C \times C` sum.

    One pass cannot center first as the function does: a column loses twice as many of
    its 16 digits as its mean has over its spread, and is left out as constant when
    none are left. The first shard sets the width of the state, so before a sync every
    process must have seen at least one shard, which may have no rows.

    Example:
        >>> metric = FeatureCorrelation()
        >>> metric.update(torch.tensor([[1.0, -2.0], [2.0, -4.0]]))
        >>> metric.update(torch.tensor([[3.0, -6.0]]))
        >>> metric.compute()
        tensor(1.0000, dtype=torch.float64)
    """

    full_state_update = False
    is_differentiable = False
    num_nodes: Tensor
    total: Tensor
    gram: Tensor
    low: Tensor
    high: Tensor

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        for name in ("num_nodes", "total", "gram"):
            zero = torch.zeros((), dtype=torch.float64)
            self.add_state(name, zero, dist_reduce_fx="sum")
        limit = torch.tensor(torch.inf, dtype=torch.float64)
        self.add_state("low", limit, dist_reduce_fx="min")
        self.add_state("high", -limit, dist_reduce_fx="max")

    def update(self, x: NodeFeatures) -> None:
        """Add a shard of nodes."""
        seen = _Moments(*(part.to(self.device) for part in _moments(x)))
        self.num_nodes = self.num_nodes + seen.num_nodes
        self.total = self.total + seen.total
        self.gram = self.gram + seen.gram
        self.low = torch.minimum(self.low, seen.low)
        self.high = torch.maximum(self.high, seen.high)

    def compute(self) -> Scalar:
        """Mean absolute correlation of the columns seen so far."""
        return _mean_correlation(
            _Moments(self.num_nodes, self.total, self.gram, self.low, self.high)
        )


class _Moments(NamedTuple):
    num_nodes: Tensor
    total: Tensor  # [C]
    gram: Tensor  # [C, C]
    low: Tensor  # [C]
    high: Tensor  # [C]


@torch.no_grad()
def _moments(x: NodeFeatures, shift: Tensor | float = 0.0) -> _Moments:
    """Sums, products and limits of the columns of x − shift, in float64."""
    width = x.shape[1]
    total = x.new_zeros(width, dtype=torch.float64)
    gram = x.new_zeros((width, width), dtype=torch.float64)
    low = torch.full_like(total, torch.inf)
    high = torch.full_like(total, -torch.inf)
    for block in row_blocks(x):
        wide = block.double()
        if block.shape[0]:
            low = torch.minimum(low, wide.amin(dim=0))
            high = torch.maximum(high, wide.amax(dim=0))
        wide = wide - shift
        total += wide.sum(dim=0)
        gram.addmm_(wide.T, wide)
    return _Moments(total.new_tensor(float(x.shape[0])), total, gram, low, high)


def _mean_correlation(moments: _Moments) -> Scalar:
    """Mean |ρ| over ordered pairs of different live columns."""
    num_nodes, total, gram, low, high = moments
    undefined = torch.full_like(num_nodes, torch.nan)
    if gram.dim() == 0 or not total.isfinite().all():
        return undefined
    covariance = gram - torch.outer(total, total) / num_nodes
    variance = covariance.diagonal()
    rounding = ROUNDINGS * torch.finfo(gram.dtype).eps * gram.diagonal()
    live = (low < high) & (variance > rounding)
    if live.sum() < 2:
        return undefined
    spread = variance[live].sqrt()
    correlation = covariance[live][:, live] / spread / spread.unsqueeze(1)
    correlation = correlation.clamp(-1.0, 1.0).abs()
    pairs = correlation.numel() - correlation.shape[0]
    return (correlation.sum() - correlation.trace()) / pairs
