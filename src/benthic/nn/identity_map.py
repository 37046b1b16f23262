"""Keeps the weights of deep layers near the identity."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch_geometric.nn import (
    ClusterGCNConv,
    GATConv,
    GATv2Conv,
    GCNConv,
    GINConv,
    GINEConv,
    GraphConv,
    HypergraphConv,
    MessagePassing,
    PDNConv,
    SAGEConv,
    SGConv,
    SSGConv,
    SuperGATConv,
    TAGConv,
    TransformerConv,
)
from torch_geometric.nn.aggr import MulAggregation, SumAggregation
from torch_geometric.nn.dense import Linear

from benthic.errors import InputError
from benthic.nn.acceleration import CachedLinear

__all__ = ["IdentityMap"]


class IdentityMap(nn.Module):
    r"""Lets a deep layer depart from the identity less than an early one.

    From the `"Simple and Deep Graph Convolutional Networks"
    <https://arxiv.org/abs/2007.02133>`_ paper:

    .. math::
        W_l \leftarrow (1 - \beta_l)\, \frac{I}{k} + \beta_l W_l, \qquad
        \beta_l = \min\left(1, \ln\left(\frac{\theta}{l} + 1\right)\right)

    for the :math:`k` square weights whose results a layer adds up: one in ``GCNConv``,
    as in the paper; two in ``SAGEConv``, one for the neighbors and one for the node
    itself, which share the identity. So where :math:`\beta_l` is 0 any layer is its
    propagation alone, and no depth makes the states larger. The paper does not bound
    :math:`\beta_l`, which passes 1 where :math:`\theta > (e - 1)\, l`.

    Beside an :class:`~benthic.nn.residual.InitialResidual` the first states join after
    this map, in PyG's ``GCN2Conv`` before it: :math:`\alpha \beta_l x_0 (W_l - I)`
    apart. Weights that only choose neighbors (queries, keys) are left alone. The
    weights themselves stay what and where they are, so that a ``state_dict`` has
    the same keys with it and without.

    The trap is a layer that sums over neighbors, such as ``GINConv``: it grows by a
    node's degree at each layer whatever its weights, and is refused. Of a layer of
    your own with one square weight nobody knows; let it average.

    Args:
        theta: :math:`\theta`; the paper takes 0.5 on Cora and 0.6 on CiteSeer.
        layer: :math:`l`, 1 for the first layer; stacks and ``treat`` set it.
        num_maps: :math:`k`; :meth:`attach` sets it.

    Raises:
        InputError: If ``theta`` is not above 0, or ``layer`` or ``num_maps`` below 1.

    Example:
        >>> IdentityMap(theta=0.5)(torch.zeros(2, 2))
        tensor([[0.5945, 0.0000],
                [0.0000, 0.5945]])
    """

    def __init__(self, theta: float = 0.5, layer: int = 1, num_maps: int = 1) -> None:
        super().__init__()
        if layer < 1:
            raise InputError("layer", str(layer), "count layers from 1")
        if num_maps < 1:
            raise InputError("num_maps", str(num_maps), "give 1 or more")
        if not theta > 0:
            raise InputError("theta", str(theta), "give a number above 0")
        self.theta = theta
        self.layer = layer
        self.num_maps = num_maps

    @property
    def beta(self) -> float:
        """How far the layer may depart from the identity."""
        return min(1.0, math.log(self.theta / self.layer + 1))

    def forward(self, weight: Tensor) -> Tensor:
        """The weight that the layer uses.

        Args:
            weight: A square weight, ``[C, C]``.
        """
        identity = torch.eye(weight.size(-1), dtype=weight.dtype, device=weight.device)
        return torch.lerp(identity / self.num_maps, weight, self.beta)

    def attach(self, conv: nn.Module, layer: int) -> int:
        """Maps the square weights that a layer applies to states, in place.

        Args:
            conv: A layer.
            layer: Its number in the stack, from 1.

        Returns:
            How many weights there were; 0 if the layer has none, or changes the width.

        Raises:
            InputError: If the layer grows by itself, or has several square weights
                whose parts in it are not known.

        Example:
            >>> from torch_geometric.nn import SAGEConv
            >>> IdentityMap(0.5).attach(SAGEConv(4, 4), layer=2)
            2
        """
        linears = _summed(conv)
        num_maps = 1 if _mixes(conv) else len(linears)
        for linear in linears:
            linear.__class__ = _MAPPED[type(linear)]
            linear.identity_map = IdentityMap(self.theta, layer, num_maps)
        return len(linears)

    def extra_repr(self) -> str:
        shared = "" if self.num_maps == 1 else f", num_maps={self.num_maps}"
        return f"theta={self.theta}, beta={self.beta:.4g}{shared}"


def _heart(conv: nn.Module) -> nn.Module:
    """The convolution inside a block, where there is one."""
    inside = [m for m in conv.modules() if isinstance(m, MessagePassing)]
    return inside[0] if len(inside) == 1 else conv


def _summed(conv: nn.Module) -> list[Any]:
    """The square maps of states whose results a layer adds up."""
    conv = _heart(conv)
    squares = [linear for linear in _linears([conv]) if _is_square(linear)]
    names = next((_SUMMED[k] for k in type(conv).__mro__ if k in _SUMMED), None)
    if not squares or _averages_heads(conv):
        return []
    if names is None and len(squares) > 1 and not isinstance(conv, _GINS):
        raise InputError(
            "identity_map",
            f"{_name(conv)} with {len(squares)} square weights, which it does not "
            "simply add up, as far as is known",
            "use InitialResidual() alone, or a layer with one square weight",
        )
    if why := _grows(conv):
        remedy = "use Residual() with a LayerNorm, or a layer that averages"
        raise InputError("identity_map", f"{_name(conv)}, {why}", remedy)
    if names is None:
        return squares
    parts = [part for name in names if (part := getattr(conv, name, None)) is not None]
    linears = list(_linears(parts))
    return linears if all(map(_is_square, linears)) else []


def _linears(modules: Iterable[nn.Module]) -> Iterator[nn.Module]:
    for module in modules:
        yield from (part for part in module.modules() if type(part) in _MAPPED)


def _is_square(linear: Any) -> bool:
    return isinstance(linear.weight, Tensor) and len(set(linear.weight.shape)) == 1


def _averages_heads(conv: Any) -> bool:
    return getattr(conv, "heads", 1) > 1 and not getattr(conv, "concat", True)


def _mixes(conv: nn.Module) -> bool:
    """Whether a layer averages the results of its maps with a gate of its own."""
    return getattr(_heart(conv), "lin_beta", None) is not None


def _grows(conv: Any) -> str:
    """Why a layer makes states larger whatever its weights; "" if it does not."""
    if isinstance(conv, _GINS):
        return "which adds its neighbors to a node and so grows with depth"
    if isinstance(conv, tuple(_SUMMED)) and not isinstance(conv, _BY_AGGREGATION):
        plain = getattr(conv, "normalize", True) is False
        return "normalize=False, whose sums grow with depth" if plain else ""
    pyg = (k for k in type(conv).__mro__ if k.__module__.startswith("torch_geometric."))
    is_own = next(pyg, MessagePassing) is MessagePassing
    if is_own or not isinstance(conv.aggr_module, _SUMS):
        return ""
    return f"aggr={conv.aggr!r}, whose sums grow with depth"


def _name(conv: nn.Module) -> str:
    kind = type(conv)
    is_fast = kind.__module__ == CachedLinear.__module__
    return (kind.__mro__[1] if is_fast else kind).__name__


# What a layer adds up. Of others the one square weight is taken.
_SUMMED: dict[type[nn.Module], tuple[str, ...]] = {
    ClusterGCNConv: ("lin_out", "lin_root"),
    GATConv: ("lin", "lin_src", "res"),
    GATv2Conv: ("lin_l", "res"),
    GCNConv: ("lin",),
    GraphConv: ("lin_rel", "lin_root"),
    HypergraphConv: ("lin",),
    PDNConv: ("lin",),
    SAGEConv: ("lin_l", "lin_r"),
    SGConv: ("lin",),
    SSGConv: ("lin",),
    SuperGATConv: ("lin",),
    TAGConv: ("lins",),
    TransformerConv: ("lin_value", "lin_skip"),
}
_GINS = (GINConv, GINEConv)
_BY_AGGREGATION = (GraphConv, SAGEConv)  # the others weigh their messages down
_SUMS = (SumAggregation, MulAggregation)


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
