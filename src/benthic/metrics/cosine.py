"""Mean pairwise cosine, raw and centred, O(N·C)."""

from __future__ import annotations

from typing import Any

import torch
from jaxtyping import Float, Int64
from torch import Tensor
from torchmetrics import Metric

from benthic.errors import InputError
from benthic.metrics.directions import pooled_cosine, sum_directions
from benthic.metrics.rows import block_length, column_mean, row_blocks, unit_rows
from benthic.typing import NodeFeatures, Scalar

Center = Float[Tensor, "channels"]
Component = Int64[Tensor, "nodes"]


def mean_cosine_similarity(
    x: NodeFeatures, component: Component | None = None
) -> Scalar:
    r"""How much all rows point the same way: the mean cosine over pairs of nodes.

    The gauge of `"Towards Deeper Graph Neural Networks"
    <https://arxiv.org/abs/2007.09296>`_ and of most over-smoothing guides, without
    their :math:`N \times N` matrix. With unit rows :math:`\hat{\mathbf{u}}_i =
    \mathbf{x}_i / \| \mathbf{x}_i \|_2` over the :math:`m` non-zero rows:

    .. math::
        \frac{1}{m (m - 1)} \sum_{i \neq j} \hat{\mathbf{u}}_i^{\top}
        \hat{\mathbf{u}}_j = \frac{\| \sum_i \hat{\mathbf{u}}_i \|^2_2 - m}{m (m - 1)}

    With ``component``, only pairs inside one component count, pooled over all such
    pairs: the limit of a smoothing network is then 1, also on a graph in pieces.

    One means one direction is left. A display, never a verdict: ReLU features of pure
    noise read :math:`1 / \pi = 0.318`, the best Cora network reads 0.8, two opposite
    collapsed clusters read 0, and the limit of a GCN is below 1 when the graph has
    several components. Zero rows have no direction and are left out; with fewer than
    two live rows the value is NaN, so a dead network is never called healthy. A row
    with NaN or an infinity makes the result NaN.

    Args:
        x: Node features; 16-bit rows are read as float32.
        component: Connected component of each node, numbered from 0. Keeps one float64
            row per component.

    Raises:
        InputError: If a component number is negative.

    Example:
        >>> mean_cosine_similarity(torch.tensor([[1.0, 0.0], [2.0, 0.0], [0.0, 1.0]]))
        tensor(0.3333, dtype=torch.float64)
        >>> mean_cosine_similarity(torch.zeros(3, 2))
        tensor(nan, dtype=torch.float64)
    """
    if component is None:
        return pooled_cosine(*sum_directions(x))
    num_components = int(component.max()) + 1 if component.numel() else 0
    return pooled_cosine(*_component_sums(x, component, num_components))


class MeanCosineSimilarity(Metric):
    """:func:`mean_cosine_similarity` over shards of nodes.

    Shards may cut components: pass graph-wide numbers and ``num_components``. The
    first shard sets the width of the state, so before a sync every process must have
    seen at least one shard, which may have no rows.

    Args:
        num_components: Number of connected components; None reads all nodes as one.

    Example:
        >>> metric = MeanCosineSimilarity()
        >>> metric.update(torch.tensor([[1.0, 0.0], [2.0, 0.0]]))
        >>> metric.update(torch.tensor([[0.0, 1.0]]))
        >>> metric.compute()
        tensor(0.3333, dtype=torch.float64)
    """

    full_state_update = False
    is_differentiable = False
    direction_sum: Tensor
    num_rows: Tensor

    def __init__(self, num_components: int | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.num_components = num_components
        self.add_state("direction_sum", _zero(), dist_reduce_fx="sum")
        rows = (
            _zero() if num_components is None else torch.zeros(num_components).double()
        )
        self.add_state("num_rows", rows, dist_reduce_fx="sum")

    def update(self, x: NodeFeatures, component: Component | None = None) -> None:
        """Add a shard of nodes."""
        if (component is None) != (self.num_components is None):
            raise InputError(
                "component",
                "None" if component is None else "component numbers",
                f"this metric was built with num_components={self.num_components}; "
                "give both or neither",
            )
        if component is None:
            total, count = sum_directions(x)
        else:
            total, count = _component_sums(x, component, self.num_components or 0)
        self.direction_sum = self.direction_sum + total.to(self.device)
        self.num_rows = self.num_rows + count.to(self.device)

    def compute(self) -> Scalar:
        """Mean cosine over the pairs seen so far."""
        return pooled_cosine(self.direction_sum, self.num_rows)


def centered_cosine_similarity(x: NodeFeatures) -> Scalar:
    r"""How much all rows leave their mean in the same direction.

    :func:`mean_cosine_similarity` of :math:`\mathbf{x}_i - \bar{\mathbf{x}}`, in two
    passes over :math:`\mathbf{X}`.

    Centring takes the shared direction away that ReLU, a bias or a positive feature
    gives to every row (0.4 to 0.8 on trained Cora networks, 0.00 to 0.15 centred).
    Because centred rows add up to zero, rows on one line read about 0 when they spread
    evenly to both sides; values near 1 need a few far rows against many near ones.
    Rows nearer to the mean than rounding (16 units in the last place of its norm) have
    no direction; with fewer than two others, so also when all rows are equal, the
    value is NaN. A row with NaN or an infinity makes the result NaN.

    Args:
        x: Node features; 16-bit rows are read as float32.

    Example:
        >>> centered_cosine_similarity(torch.tensor([[1.0, 5.0], [-1.0, 5.0]]))
        tensor(-1., dtype=torch.float64)
    """
    return pooled_cosine(*sum_directions(x, column_mean(x)))


class CenteredCosineSimilarity(Metric):
    """:func:`centered_cosine_similarity` over shards of nodes.

    The mean must be known before the first row is read, so streaming takes two passes:
    one for the mean, one for this metric. Every process needs the same ``center``.

    Args:
        center: Mean row of the whole matrix, best in float64.

    Example:
        >>> metric = CenteredCosineSimilarity(torch.tensor([0.0, 5.0]))
        >>> metric.update(torch.tensor([[1.0, 5.0]]))
        >>> metric.update(torch.tensor([[-1.0, 5.0]]))
        >>> metric.compute()
        tensor(-1., dtype=torch.float64)
    """

    full_state_update = False
    is_differentiable = False
    center: Tensor
    direction_sum: Tensor
    num_rows: Tensor

    def __init__(self, center: Center, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.register_buffer("center", center.detach().double(), persistent=False)
        zeros = torch.zeros(center.shape, dtype=torch.float64, device=center.device)
        self.add_state("direction_sum", zeros, dist_reduce_fx="sum")
        self.add_state("num_rows", _zero(), dist_reduce_fx="sum")

    def update(self, x: NodeFeatures) -> None:
        """Add a shard of nodes."""
        total, count = sum_directions(x, self.center.to(x.device))
        self.direction_sum = self.direction_sum + total.to(self.device)
        self.num_rows = self.num_rows + count.to(self.device)

    def compute(self) -> Scalar:
        """Centred mean cosine over the pairs seen so far."""
        return pooled_cosine(self.direction_sum, self.num_rows)


def _zero() -> Tensor:
    return torch.zeros((), dtype=torch.float64)


@torch.no_grad()
def _component_sums(
    x: NodeFeatures, component: Component, num_components: int
) -> tuple[Tensor, Tensor]:
    """Sum of unit rows and number of non-zero rows of every component."""
    if component.numel():
        low, high = (int(limit) for limit in component.aminmax())
        if low < 0 or high >= num_components:
            raise InputError(
                "component",
                f"number {low if low < 0 else high}",
                f"number components from 0 to {num_components - 1}",
            )
    total = x.new_zeros((num_components, x.shape[1]), dtype=torch.float64)
    count = x.new_zeros(num_components, dtype=torch.float64)
    for block, index in zip(
        row_blocks(x), component.split(block_length(x)), strict=True
    ):
        unit, norm = unit_rows(block)
        total.index_add_(0, index, unit.double())
        count.index_add_(0, index, (norm != 0).double())
    return total, count
