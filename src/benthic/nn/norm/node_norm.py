"""NodeNorm: each node by its own deviation."""

from __future__ import annotations

from torch import Tensor, nn

from benthic.ranges import number
from benthic.typing import NodeFeatures


class NodeNorm(nn.Module):
    r"""Divides each node's features by their own standard deviation.

    From the `"Understanding and Resolving Performance Degradation in Deep Graph
    Convolutional Networks" <https://arxiv.org/abs/2006.07107>`_ paper:

    .. math::
        \mathbf{x}_i^{\prime} = \frac{\mathbf{x}_i}{\sigma_i^{1/p}}, \qquad
        \sigma_i = \sqrt{\frac{1}{C} \sum_c {\left( x_{ic} - \mu_i \right)}^2
        + \epsilon}

    It answers features whose spread within a node grows from layer to layer. The mean
    :math:`\mu_i` stays; a version in wide use subtracts it too, which is LayerNorm
    over rows. The trap is the row of equal numbers, which :math:`\epsilon` alone
    divides: up to 316 times larger at :math:`p = 1`. A dead row stays dead.

    Args:
        p: Root :math:`p`, 1 or more; the larger, the milder.
        eps: Keeps the division finite.

    Raises:
        InputError: If ``p`` is below 1, or ``eps`` below 0.

    Example:
        >>> NodeNorm()(torch.tensor([[0.0, 4.0], [0.0, 40.0]]))
        tensor([[0.0000, 2.0000],
                [0.0000, 2.0000]])
    """

    def __init__(self, p: float = 1.0, eps: float = 1e-5) -> None:
        super().__init__()
        self.p = number("p", p, 1, remedy="give a root of 1 or more")
        self.eps = number("eps", eps, 0)

    def forward(self, x: NodeFeatures, batch: Tensor | None = None) -> NodeFeatures:
        """Each row by itself, so that ``batch`` does not matter."""
        centered = x - x.mean(dim=1, keepdim=True)
        variance = centered.square().mean(dim=1, keepdim=True) + self.eps  # [N, 1]
        return x / variance ** (0.5 / self.p)

    def extra_repr(self) -> str:
        return "" if self.p == 1 else f"p={self.p}"
