"""ContraNorm: each node away from those like it."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from benthic.ranges import ABOVE_ZERO, number
from benthic.typing import NodeFeatures


class ContraNorm(nn.Module):
    r"""Pushes each node away from the nodes that are like it.

    From the `"ContraNorm: A Contrastive Learning Perspective on Oversmoothing and
    Beyond" <https://arxiv.org/abs/2303.06562>`_ paper:

    .. math::
        \mathbf{X}^{\prime} = \operatorname{LayerNorm} \left( \mathbf{X}
        - s \operatorname{softmax} \left( \mathbf{U} \mathbf{U}^{\top} / \tau \right)
        \mathbf{X} \right), \qquad
        \mathbf{u}_i = \frac{\mathbf{x}_i}{{\| \mathbf{x}_i \|}_2}

    with the paper's step and, as in its code, similarities of rows of length 1 (raw
    products of wide rows make the softmax pick the node itself, and then nothing
    happens). Its code for graphs besides leaves out the neighbors of a node; a norm
    has no graph to look at, so here all nodes of the graph count.

    Every pair of nodes is compared: time grows with the square of the nodes (a
    20,000-node graph costs seconds a layer without a GPU), memory does not, in either
    direction, because torch's fused attention never holds the pairs. At
    ``tau=1`` and thousands of nodes the softmax is almost flat, so that the norm takes
    off about :math:`s` times the mean; a small ``tau`` looks at the nearest only.

    Args:
        channels: Width of the states.
        scale: Step :math:`s`, 0 or more. The authors search 0.2 … 1 and find that
            deep networks want more. At 0 only the LayerNorm is left.
        tau: Temperature :math:`\tau`, above 0.
        layer_norm: Whether to end with LayerNorm over rows, as the paper does. Without
            it a scale of 0 changes nothing at all.

    Raises:
        InputError: If ``scale`` is negative or ``tau`` not above 0.

    Example:
        >>> norm = ContraNorm(2, scale=0.5, layer_norm=False)
        >>> norm(torch.tensor([[1.0, 0.0], [1.0, 0.0]]))
        tensor([[0.5000, 0.0000],
                [0.5000, 0.0000]])
    """

    def __init__(
        self,
        channels: int,
        scale: float = 0.5,
        tau: float = 1.0,
        *,
        layer_norm: bool = True,
    ) -> None:
        super().__init__()
        self.scale = number("scale", scale, 0, remedy="give a step of 0 or more")
        self.tau = number("tau", tau, ABOVE_ZERO, remedy="give a temperature above 0")
        self.layer_norm = nn.LayerNorm(channels) if layer_norm else None

    @property
    def is_idle(self) -> bool:
        """Whether it changes nothing: no step, no LayerNorm."""
        return self.scale == 0 and self.layer_norm is None

    def reset_parameters(self) -> None:
        """LayerNorm as at the start."""
        if self.layer_norm is not None:
            self.layer_norm.reset_parameters()

    def forward(self, x: NodeFeatures, batch: Tensor | None = None) -> NodeFeatures:
        """Nodes of one graph are compared with each other only.

        Args:
            x: Node states.
            batch: Graph of each node; one graph if None.
        """
        if self.scale > 0 and len(x) > 0:
            x = torch.sub(x, self._alike(x, batch), alpha=self.scale)
        return x if self.layer_norm is None else self.layer_norm(x)

    def _alike(self, x: Tensor, batch: Tensor | None) -> Tensor:
        """For each node the mean of all, weighted by likeness."""
        if batch is None:
            return self._attend(x)
        order = batch.argsort(stable=True)
        graphs = x[order].split(batch.bincount().tolist())
        means = torch.cat([self._attend(rows) for rows in graphs if len(rows)])
        return means[order.argsort()]

    def _attend(self, x: Tensor) -> Tensor:
        # The fused kernels want four dimensions, and on a GPU aligned rows.
        padded = F.pad(x, (0, -x.size(1) % 8))[None, None]  # [1, 1, N, C]
        unit = F.normalize(padded, dim=-1)
        scale = 1 / self.tau
        means = F.scaled_dot_product_attention(unit, unit, padded, scale=scale)
        return means[0, 0, :, : x.size(1)]

    def extra_repr(self) -> str:
        return f"scale={self.scale}, tau={self.tau}"
