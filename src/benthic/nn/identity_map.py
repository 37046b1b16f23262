"""Keeps the weights of deep layers near the identity."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch_geometric.nn.dense import Linear

from benthic.errors import InputError
from benthic.nn.acceleration import CachedLinear

__all__ = ["IdentityMap"]


class IdentityMap(nn.Module):
    r"""Lets a deep layer depart from the identity less than an early one.

    From the `"Simple and Deep Graph Convolutional Networks"
    <https://arxiv.org/abs/2007.02133>`_ paper:

    .. math::
        W_l \leftarrow (1 - \beta_l) I + \beta_l W_l, \qquad
        \beta_l = \ln\left(\frac{\theta}{l} + 1\right)

    for the square weights of a layer. Beside an
    :class:`~benthic.nn.residual.InitialResidual` the first states join after this map,
    in PyG's ``GCN2Conv`` before it: :math:`\alpha \beta_l x_0 (W_l - I)` apart.

    The weights themselves stay what and where they are, so that a ``state_dict`` has
    the same keys with it and without.

    Args:
        theta: :math:`\theta`; the paper takes 0.5 on Cora and 0.6 on CiteSeer.
        layer: :math:`l`, 1 for the first layer; stacks and ``treat`` set it.

    Raises:
        InputError: If ``theta`` is not above 0 or ``layer`` is below 1.

    Example:
        >>> IdentityMap(theta=0.5)(torch.zeros(2, 2))
        tensor([[0.5945, 0.0000],
                [0.0000, 0.5945]])
    """

    def __init__(self, theta: float = 0.5, layer: int = 1) -> None:
        super().__init__()
        if layer < 1:
            raise InputError("layer", str(layer), "count layers from 1")
        if not theta > 0:
            raise InputError("theta", str(theta), "give a number above 0")
        self.theta = theta
        self.beta = min(1.0, math.log(theta / layer + 1))

    def forward(self, weight: Tensor) -> Tensor:
        """The weight that the layer uses.

        Args:
            weight: A square weight, ``[C, C]``.
        """
        identity = torch.eye(weight.size(-1), dtype=weight.dtype, device=weight.device)
        return torch.lerp(identity, weight, self.beta)

    def attach(self, conv: nn.Module, layer: int) -> int:
        """Maps every square linear weight inside a layer, in place.

        Args:
            conv: A layer.
            layer: Its number in the stack, from 1.

        Returns:
            How many weights there were; 0 if the layer has none.

        Example:
            >>> from torch_geometric.nn import SAGEConv
            >>> IdentityMap(0.5).attach(SAGEConv(4, 4), layer=2)
            2
        """
        count = 0
        for module in conv.modules():
            mapped = _MAPPED.get(type(module))
            if mapped is not None and _is_square(module.weight):
                module.__class__ = mapped
                module.identity_map = IdentityMap(self.theta, layer)
                count += 1
        return count

    def extra_repr(self) -> str:
        return f"theta={self.theta}, beta={self.beta:.4g}"


def _is_square(weight: object) -> bool:
    return isinstance(weight, Tensor) and len(set(weight.shape)) == 1


class MappedGraphLinear(Linear):
    """PyG's ``Linear`` with an :class:`IdentityMap`."""

    identity_map: IdentityMap

    def forward(self, x: Tensor) -> Tensor:
        return F.linear(x, self.identity_map(self.weight), self.bias)


class MappedLinear(nn.Linear):
    """torch's ``Linear`` with an :class:`IdentityMap`."""

    identity_map: IdentityMap

    def forward(self, input: Tensor) -> Tensor:
        return F.linear(input, self.identity_map(self.weight), self.bias)


_MAPPED: dict[type[nn.Module], type[nn.Module]] = {
    Linear: MappedGraphLinear,
    CachedLinear: MappedGraphLinear,
    nn.Linear: MappedLinear,
}
