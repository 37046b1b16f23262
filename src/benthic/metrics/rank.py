"""Effective rank, numerical rank."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torchmetrics import Metric

from benthic.metrics.rows import row_blocks
from benthic.typing import NodeFeatures, Scalar


def effective_rank(x: NodeFeatures) -> Scalar:
    r"""How many directions the rows use, weighted by how much they use them.

    From `"The Effective Rank: A Measure of Effective Dimensionality"
    <https://infoscience.epfl.ch/record/110188>`_, with singular values
    :math:`\sigma_k` of :math:`\mathbf{X}`, not centred:

    .. math::
        \exp \left( - \sum_k p_k \ln p_k \right), \qquad
        p_k = \frac{\sigma_k}{\sum_l \sigma_l}

    From 1 (every row on one line) to :math:`\min(N, C)`. Bounded by the width, so
    compare it with the width and the number of classes: trained shallow networks sit
    near 7 to 20 of 64. A network whose rows are almost all zero reads near 1; when
    all are, the value is NaN. A row with NaN or an infinity makes the result NaN.

    The singular values come from the :math:`C \times C` matrix
    :math:`\mathbf{X}^{\top} \mathbf{X}` (:math:`N \times N` if that is smaller), summed
    in float64: those below about 1e-8 of the largest, times the square root of the
    width, are lost and read as zero.

    Args:
        x: Node features.

    Example:
        >>> effective_rank(torch.eye(3))
        tensor(3.0000, dtype=torch.float64)
        >>> effective_rank(torch.ones(5, 3))
        tensor(1., dtype=torch.float64)
    """
    return _effective_rank(_smaller_gram(x))


class EffectiveRank(Metric):
    r""":func:`effective_rank` over shards of nodes; keeps a :math:`C \times C` sum.

    The first shard sets the width of the state, so before a sync every process must
    have seen at least one shard, which may have no rows. Float64 entries beyond 1e150
    overflow to NaN here; the function rescales them.

    Example:
        >>> metric = EffectiveRank()
        >>> metric.update(torch.tensor([[1.0, 0.0]]))
        >>> metric.update(torch.tensor([[0.0, 1.0]]))
        >>> metric.compute()
        tensor(2., dtype=torch.float64)
    """

    full_state_update = False
    is_differentiable = False
    gram: Tensor

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        zero = torch.zeros((), dtype=torch.float64)
        self.add_state("gram", zero, dist_reduce_fx="sum")

    def update(self, x: NodeFeatures) -> None:
        """Add a shard of nodes."""
        self.gram = self.gram + _gram(x).to(self.device)

    def compute(self) -> Scalar:
        """Effective rank of all rows seen so far."""
        return _effective_rank(self.gram)


def numerical_rank(x: NodeFeatures) -> Scalar:
    r"""How many times the strongest direction's energy the rows hold.

    From `"Are We Measuring Oversmoothing in Graph Neural Networks Correctly?"
    <https://arxiv.org/abs/2502.04591>`_, also called the stable rank:

    .. math::
        \frac{\| \mathbf{X} \|^2_F}{\| \mathbf{X} \|^2_2} =
        \frac{\sum_k \sigma_k^2}{\sigma_1^2}

    From 1 (one direction holds everything) to the rank. Free of scale, so it falls
    where a Dirichlet energy stays flat. Stricter than :func:`effective_rank`: one
    strong direction (the shared mean after ReLU) is enough to read near 1. All-zero
    rows, or none, give NaN, and so does a row with NaN or an infinity.

    Args:
        x: Node features.

    Example:
        >>> numerical_rank(torch.diag(torch.tensor([2.0, 1.0, 1.0])))
        tensor(1.5000, dtype=torch.float64)
    """
    return _numerical_rank(_smaller_gram(x))


class NumericalRank(Metric):
    r""":func:`numerical_rank` over shards of nodes; keeps a :math:`C \times C` sum.

    State, sync and range as :class:`EffectiveRank`.

    Example:
        >>> metric = NumericalRank()
        >>> metric.update(torch.tensor([[1.0, 0.0]]))
        >>> metric.update(torch.tensor([[0.0, 1.0]]))
        >>> metric.compute()
        tensor(2., dtype=torch.float64)
    """

    full_state_update = False
    is_differentiable = False
    gram: Tensor

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        zero = torch.zeros((), dtype=torch.float64)
        self.add_state("gram", zero, dist_reduce_fx="sum")

    def update(self, x: NodeFeatures) -> None:
        """Add a shard of nodes."""
        self.gram = self.gram + _gram(x).to(self.device)

    def compute(self) -> Scalar:
        """Numerical rank of all rows seen so far."""
        return _numerical_rank(self.gram)


@torch.no_grad()
def _gram(x: NodeFeatures, exponent: Tensor | None = None) -> Tensor:
    """XᵀX in float64; with an exponent, of X / 2^exponent."""
    gram = x.new_zeros((x.shape[1], x.shape[1]), dtype=torch.float64)
    for block in row_blocks(x):
        wide = block.double()
        if exponent is not None:
            wide = torch.ldexp(wide, -exponent)
        gram.addmm_(wide.T, wide)
    return gram


@torch.no_grad()
def _smaller_gram(x: NodeFeatures) -> Tensor:
    """XᵀX or XXᵀ, whichever is smaller: both have the singular values of X."""
    x = x if x.shape[0] >= x.shape[1] else x.T
    if x.dtype != torch.float64 or x.numel() == 0:
        return _gram(x)
    # A square leaves float64 beyond 1e154; a rank has no scale.
    low, high = x.aminmax()
    return _gram(x, torch.frexp(torch.maximum(-low, high))[1])


def _spectrum(gram: Tensor) -> Tensor:
    """Eigenvalues, rounding set to zero; NaN for a dead, empty or broken matrix."""
    trace = gram.diagonal().sum() if gram.dim() else gram
    if not 0 < trace < torch.inf:
        return torch.full_like(trace, torch.nan).unsqueeze(0)
    # Scaling to trace 1 keeps the spectrum of tiny features away from underflow.
    eigenvalues: Tensor = torch.linalg.eigvalsh(gram / trace)
    rounding = gram.shape[0] * torch.finfo(gram.dtype).eps * eigenvalues[-1]
    return eigenvalues.masked_fill(eigenvalues < rounding, 0.0)


def _effective_rank(gram: Tensor) -> Scalar:
    singular = _spectrum(gram).sqrt()
    entropy: Tensor = torch.special.entr(singular / singular.sum()).sum()
    return entropy.exp()


def _numerical_rank(gram: Tensor) -> Scalar:
    spectrum = _spectrum(gram)
    return spectrum.sum() / spectrum[-1]
