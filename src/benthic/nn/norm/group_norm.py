"""Batch norm in soft groups, without the states of each group."""

from __future__ import annotations

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

    Batch norm is linear once its mean :math:`\mu_{gc}` and variance
    :math:`\sigma^2_{gc}` are known, and both are products of ``[N, G]`` with
    ``[N, C]``. So the sum over groups is

    .. math::
        x_{ic} \sum_g s_{ig} \frac{\gamma_{gc}}{\sigma_{gc}} + \sum_g \left(
        \beta_{gc} - \mu_{gc} \frac{\gamma_{gc}}{\sigma_{gc}} \right)

    and the ``[N, G, C]`` states that PyG normalizes, ten times the layer's, are never
    there. Moments are summed in double precision: a variance is the small difference of
    two of them. Where BatchNorm itself has to be called (hooks on it, half precision,
    frames, ``torch.func``) it is.

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
        mean, variance = self._moments(share, x)
        weight, bias = self.norm.weight, self.norm.bias
        scale = (variance + self.norm.eps).rsqrt()
        scale = scale if weight is None else scale * self._by_group(weight)
        shift = -mean * scale
        shift = shift if bias is None else shift + self._by_group(bias)
        scale, shift = scale.to(x.dtype), shift.sum(0).to(x.dtype)
        out: Tensor = x + self.lamda * (x * (share @ scale) + shift)
        return out

    def _is_linear(self, x: Tensor) -> bool:
        """Whether BatchNorm has nothing to refuse, and nobody listens to it."""
        norm = self.norm
        return (
            type(norm) is nn.BatchNorm1d
            and not (norm._forward_hooks or norm._forward_pre_hooks)
            and x.dim() == 2
            and x.size(0) > 1
            and has_product(x)
            and not is_wrapped(x)
        )

    def _moments(self, share: Tensor, x: Tensor) -> tuple[Tensor, Tensor]:
        """Means and variances of each group's states, ``[G, C]``, as BatchNorm's."""
        norm = self.norm
        if not norm.training and norm.running_mean is not None:
            return self._by_group(norm.running_mean), self._by_group(norm.running_var)
        number, share, x = x.size(0), share.double(), x.double()
        mean = share.t() @ x / number
        square = share.square().t() @ x.square() / number
        variance = (square - mean.square()).clamp(min=0)
        if norm.training and norm.track_running_stats:
            self._follow(mean.detach(), variance.detach() * number / (number - 1))
        return mean, variance

    def _follow(self, mean: Tensor, variance: Tensor) -> None:
        norm = self.norm
        norm.num_batches_tracked.add_(1)
        rate = norm.momentum
        rate = 1 / float(norm.num_batches_tracked) if rate is None else rate
        for running, new in ((norm.running_mean, mean), (norm.running_var, variance)):
            running.lerp_(new.flatten().to(running.dtype), rate)

    def _by_group(self, values: Tensor) -> Tensor:
        return values.view(self.groups, self.in_channels)
