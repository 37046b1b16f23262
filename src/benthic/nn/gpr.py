"""Propagation whose weight of every hop is learned."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch_geometric.nn import APPNP

from benthic.nn.acceleration import accelerate
from benthic.ranges import number, whole_number

__all__ = ["APPNP", "GeneralizedPageRank"]


class GeneralizedPageRank(nn.Module):
    r"""Mixes the states of all hops, each with a weight that is learned.

    From the `"Adaptive Universal Generalized PageRank Graph Neural Network"
    <https://arxiv.org/abs/2006.07988>`_ paper (GPRGNN):

    .. math:: z = \sum_{k=0}^{K} \gamma_k \hat{A}^k x, \qquad
        \gamma_k = \alpha (1 - \alpha)^k \text{ at first}, \quad
        \gamma_K = (1 - \alpha)^K

    with :math:`\hat{A} = \tilde{D}^{-1/2} (A + I) \tilde{D}^{-1/2}`. It begins as
    ``APPNP``; where neighbors differ, a :math:`\gamma_k` may become negative, and hops
    that smooth too much lose their weight. Like ``APPNP``, its depth :math:`K` costs
    no parameters but one a hop.

    Args:
        K: Hops, 1 or more.
        alpha: Restart probability of the weights at first, 0 … 1.

    Raises:
        InputError: If ``K`` is below 1 or ``alpha`` is outside 0 … 1.

    Example:
        >>> spread = GeneralizedPageRank(K=10, alpha=0.1)
        >>> spread(torch.eye(2), torch.tensor([[0, 1], [1, 0]])).shape
        torch.Size([2, 2])
    """

    def __init__(self, K: int = 10, alpha: float = 0.1) -> None:  # noqa: N803
        super().__init__()
        self.K = whole_number("K", K, 1, remedy="give 1 hop or more")
        self.alpha = number("alpha", alpha, 0, 1, remedy="give a share from 0 to 1")
        self.gamma = nn.Parameter(torch.empty(K + 1))
        self.step = APPNP(K=1, alpha=0.0)
        accelerate(self)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Personalized PageRank's weights."""
        with torch.no_grad():
            hops = torch.arange(self.K + 1)
            self.gamma.copy_(self.alpha * (1 - self.alpha) ** hops)
            self.gamma[-1] = (1 - self.alpha) ** self.K

    def forward(
        self, x: Tensor, edge_index: Tensor, edge_weight: Tensor | None = None
    ) -> Tensor:
        """Spreads states over the graph.

        Args:
            x: States, ``[N, C]``.
            edge_index: Edges, ``[2, E]``.
            edge_weight: Weights of edges, ``[E]``.
        """
        out = self.gamma[0] * x
        for weight in self.gamma[1:]:
            x = self.step(x, edge_index, edge_weight)
            out = out + weight * x
        return out

    def extra_repr(self) -> str:
        return f"K={self.K}, alpha={self.alpha}"
