"""Batch norm in soft groups, without the states of each group."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch_geometric.nn import DiffGroupNorm

from benthic.nn.propagation import has_product
from benthic.nn.torch_func import is_wrapped

__all__ = ["FastDiffGroupNorm"]


class FastDiffGroupNorm(DiffGroupNorm):
    r"""PyG's ``DiffGroupNorm`` without the states of each group.

    From the `"Towards Deeper Graph Neural Networks with Differentiable Group
    Normalization" <https://arxiv.org/abs/2006.06972>`_ paper:

    .. math::
        \mathbf{x}_i^{\prime} = \mathbf{x}_i + \lambda \sum_g \mathrm{BatchNorm}_g
        (s_{ig}\, \mathbf{x}_i), \qquad \mathbf{S} = \mathrm{softmax}(\mathbf{XU})

    Batch norm is linear once its means :math:`\mu_{gc}` and variances
    :math:`\sigma^2_{gc}` are known, so that the sum over groups is, with
    :math:`a_{gc} = \gamma_{gc} / \sigma_{gc}`,

    .. math::
        x_{ic} \sum_g s_{ig} a_{gc} + \sum_g \left( \beta_{gc} - \mu_{gc} a_{gc} \right)

    and the ``[N, G, C]`` states that PyG normalizes, ten times the layer's, are never
    there. The moments are products of ``[N, G]`` with ``[N, C]``, of shares and states
    less their means: states that are nearly equal, as over-smoothed ones are, keep
    their digits. Where BatchNorm itself has to be called (somebody listens to it, half
    precision, frames, ``torch.func``) it is.

    Args:
        in_channels: Channels, ``C``.
        groups: Soft groups, ``G``.
        lamda: Weight :math:`\lambda` of what is added.

    Example:
        >>> x = torch.tensor([[1.0], [3.0]])
        >>> out = FastDiffGroupNorm(1, groups=1, lamda=1.0)(x)
        >>> out.detach().round(decimals=3)
        tensor([[0.],
                [4.]])
    """

    def forward(self, x: Tensor) -> Tensor:
        if not self._is_linear(x):
            plain: Tensor = super().forward(x)
            return plain
        share = self.lin(x).softmax(dim=-1)  # [N, G]
        reads_batch = self.norm.training or self.norm.running_mean is None
        added = self._by_batch(x, share) if reads_batch else self._by_running(x, share)
        out: Tensor = x + self.lamda * added
        return out

    def _is_linear(self, x: Tensor) -> bool:
        """Whether BatchNorm has nothing to refuse, and nobody listens to it."""
        return (
            x.dim() == 2
            and x.size(0) > 1
            and has_product(x)
            and not is_wrapped(x)
            and _is_plain(self.norm, x.dtype)
        )

    def _by_batch(self, x: Tensor, share: Tensor) -> Tensor:
        number, level, usual = x.size(0), x.mean(0), share.mean(0).unsqueeze(1)
        rest, spread = x - level, share - usual.t()
        mean, variance = _moments(spread, usual, rest, level)
        if self.norm.training and self.norm.track_running_stats:
            unbiased = variance.detach() * number / (number - 1)
            self._follow((usual * level + mean).detach(), unbiased)
        scale = self._scale(variance)
        shift = self._bias() - (mean * scale).sum(0)
        added: Tensor = rest * (share @ scale) + spread @ (level * scale) + shift
        return added

    def _by_running(self, x: Tensor, share: Tensor) -> Tensor:
        mean, variance = map(
            self._by_group, (self.norm.running_mean, self.norm.running_var)
        )
        scale = self._scale(variance)
        shift: Tensor = self._bias() - (mean * scale).sum(0)
        return x * (share @ scale) + shift

    def _scale(self, variance: Tensor) -> Tensor:
        weight: Tensor | None = self.norm.weight
        scale = torch.rsqrt(variance + self.norm.eps)
        return scale if weight is None else scale * self._by_group(weight)

    def _bias(self) -> Tensor | float:
        bias = self.norm.bias
        return 0.0 if bias is None else self._by_group(bias).sum(0)

    def _follow(self, mean: Tensor, variance: Tensor) -> None:
        norm = self.norm
        norm.num_batches_tracked.add_(1)
        rate = norm.momentum
        rate = 1 / float(norm.num_batches_tracked) if rate is None else rate
        for running, new in ((norm.running_mean, mean), (norm.running_var, variance)):
            running.lerp_(new.flatten(), rate)

    def _by_group(self, values: Tensor) -> Tensor:
        return values.view(self.groups, self.in_channels)


def _moments(
    spread: Tensor, usual: Tensor, rest: Tensor, level: Tensor
) -> tuple[Tensor, Tensor]:
    r"""Moments of shares times states, ``[G, C]``, from both less their means.

    Args:
        spread: Shares less their means :math:`u_g`, ``[N, G]``.
        usual: :math:`u_g`, ``[G, 1]``.
        rest: States less their means :math:`l_c`, ``[N, C]``.
        level: :math:`l_c`, ``[C]``.

    Returns:
        Mean of the products, without :math:`u_g l_c`, and their variance.
    """
    squares = spread.square(), rest.square()
    products = torch.cat([spread, squares[0]], dim=1).t() @ torch.cat(
        [rest, squares[1]], dim=1
    )  # [2 G, 2 C]
    (mean, skew), (skew_of_share, square) = (
        half.chunk(2, dim=1) for half in (products / len(rest)).chunk(2)
    )
    variance = (
        usual.square() * squares[1].mean(0)
        + level.square() * squares[0].mean(0).unsqueeze(1)
        + 2 * usual * (level * mean + skew)
        + 2 * level * skew_of_share
        + square
        - mean.square()
    )
    return mean, variance.clamp(min=0)


_HOOKS = (
    "_forward_hooks",
    "_forward_pre_hooks",
    "_backward_hooks",
    "_backward_pre_hooks",
)


def _is_plain(norm: Any, dtype: torch.dtype) -> bool:
    """Whether this is BatchNorm as it was made, and nobody watches it."""
    if type(norm) is not nn.BatchNorm1d:
        return False
    buffers = norm.running_mean, norm.running_var, norm.num_batches_tracked
    numbers = norm.weight, norm.bias, *buffers[:2]
    return (
        "forward" not in vars(norm)
        and not any(getattr(norm, hooks) for hooks in _HOOKS)
        and not nn.modules.module._has_any_global_hook()
        and (not norm.track_running_stats or all(b is not None for b in buffers))
        and all(part is None or part.dtype == dtype for part in numbers)
    )
