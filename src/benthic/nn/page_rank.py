"""Personalized PageRank of node states, one product a hop."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from benthic.nn.propagation import Adjacency

__all__ = ["page_rank"]


def page_rank(
    adjacency: Adjacency,
    x: Tensor,
    K: int,  # noqa: N803
    alpha: float,
) -> Tensor:
    r"""Spreads states over the graph and returns to where they came from.

    From the `"Predict then Propagate: Graph Neural Networks meet Personalized PageRank"
    <https://arxiv.org/abs/1810.05997>`_ paper (APPNP):

    .. math:: z_0 = x, \qquad z_{k+1} = (1 - \alpha) A z_k + \alpha x

    It is linear in :math:`x`, so that the gradient is the same walk over the transposed
    graph, and nothing is stored for it at any depth.

    Args:
        adjacency: The graph, square.
        x: States, ``[N, C]``.
        K: Hops.
        alpha: Restart probability, 0 … 1.

    Returns:
        :math:`z_K`, ``[N, C]``.

    Example:
        >>> edge_index = torch.tensor([[0, 1], [1, 0]])
        >>> graph = Adjacency(edge_index, torch.ones(2), (2, 2))
        >>> page_rank(graph, torch.eye(2), K=1, alpha=0.25)
        tensor([[0.2500, 0.7500],
                [0.7500, 0.2500]])
    """
    out: Tensor = _PageRank.apply(x, adjacency, K, alpha, False)
    return out


class _PageRank(torch.autograd.Function):
    @staticmethod
    def forward(
        x: Tensor,
        adjacency: Adjacency,
        K: int,  # noqa: N803
        alpha: float,
        backward: bool,
    ) -> Tensor:
        matrix = adjacency.transposed if backward else adjacency.matrix
        x = x.contiguous()
        z = x
        for _ in range(K):
            z = torch.addmm(x, matrix, z, beta=alpha, alpha=1 - alpha)
        return z if K else x.clone()

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
        _, *ctx.walk, ctx.backward_pass = inputs

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Any, ...]:
        spread = _PageRank.apply(grad, *ctx.walk, not ctx.backward_pass)
        return spread, None, None, None, None

    @staticmethod
    def jvp(ctx: Any, tangent: Tensor, *_: Any) -> Tensor:
        out: Tensor = _PageRank.apply(tangent, *ctx.walk, ctx.backward_pass)
        return out

    @staticmethod
    def vmap(
        info: Any,
        in_dims: tuple[int | None, ...],
        x: Tensor,
        *walk: Any,
    ) -> tuple[Tensor, int]:
        columns = x.movedim(in_dims[0] or 0, 1)  # [N, B, C]
        out = _PageRank.apply(columns.flatten(1), *walk)
        return out.unflatten(1, columns.shape[1:]), 1
