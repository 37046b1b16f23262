"""The first linear map, at the cost of the features that are not zero."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch_geometric.nn.inits import glorot

from benthic.nn.dropout import draw_masks, dropout
from benthic.nn.propagation import Adjacency, GraphCache, compressed, has_product

__all__ = ["InputLinear", "map_features"]

_SPARSE = 0.1  # share of non-zeros below which the sparse product is the faster one


class InputLinear(nn.Module):
    r"""Dropout and a linear map of input features, which may be mostly zeros.

    .. math:: y = \operatorname{dropout}(x) W^\top + b

    Bags of words are: of Cora's features 1.3 % are not zero, and dense dropout of all
    of them takes most of a 2-layer network's epoch. Features that are constant and at
    most a tenth non-zero are kept as a sparse matrix, for as long as they live; only
    what is not zero is dropped out and multiplied. The result is the same.

    Args:
        in_channels: Features of a node.
        out_channels: Width of the result.
        p: Share of features that training drops.
        bias: Whether to add :math:`b`.

    Example:
        >>> InputLinear(8, 3).eval()(torch.eye(8)).shape
        torch.Size([8, 3])
    """

    def __init__(
        self, in_channels: int, out_channels: int, p: float = 0.0, bias: bool = True
    ) -> None:
        super().__init__()
        self.p = p
        self.weight = nn.Parameter(torch.empty(out_channels, in_channels))
        self.bias = nn.Parameter(torch.empty(out_channels)) if bias else None
        self._patterns = GraphCache(capacity=2)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draws fresh weights (Glorot), and a bias of zero."""
        glorot(self.weight)
        if self.bias is not None:
            nn.init.zeros_(self.bias)

    def forward(self, x: Tensor) -> Tensor:
        """Maps features to states.

        Args:
            x: Features, ``[N, F]``.
        """
        p = self.p if self.training else 0.0
        return map_features(x, self.weight, self.bias, p, self._patterns)

    def extra_repr(self) -> str:
        out_channels, in_channels = self.weight.shape
        return f"{in_channels}, {out_channels}, p={self.p}"


def map_features(
    x: Tensor, weight: Tensor, bias: Tensor | None, p: float, patterns: GraphCache
) -> Tensor:
    """:class:`InputLinear` as a function.

    Args:
        x: Features, ``[N, F]``.
        weight: ``[C, F]``.
        bias: ``[C]`` or None.
        p: Share of features to drop.
        patterns: Keeps the sparse form of the features.

    Example:
        >>> map_features(torch.eye(8), torch.ones(3, 8), None, 0.0, GraphCache()).shape
        torch.Size([8, 3])
    """
    pattern = None
    if type(x) is Tensor and x.dim() == 2 and _is_constant(x):
        pattern = patterns.get(x, None, ("features", x.dtype), lambda: _pattern(x))
    if pattern is None or p == 1:
        return nn.functional.linear(dropout(x, p), weight, bias)
    out: Tensor = _SparseProduct.apply(weight, pattern, p)[0]
    return out if bias is None else out + bias


def _is_constant(x: Tensor) -> bool:
    return (
        x.device.type == "cpu"
        and has_product(x)
        and x.layout == torch.strided
        and not x.requires_grad
        and not x.is_inference()
        and torch._C._get_tracing_state() is None  # the trace is for other x too
        and not torch._C._functorch.is_functorch_wrapped_tensor(x)
    )


@dataclass(frozen=True)
class _Pattern:
    """Sparse features and, for the gradient, where each entry is in the transpose."""

    features: Tensor
    transposed: Tensor
    order: Tensor

    def with_mask(self, mask: Tensor) -> tuple[Tensor, Tensor]:
        """Both matrices with dropped-out entries."""
        value = self.features.values() * mask
        return _refill(self.features, value), _refill(
            self.transposed, value[self.order]
        )


def _refill(matrix: Tensor, value: Tensor) -> Tensor:
    rows, columns = matrix.shape
    return compressed(
        matrix.crow_indices(), matrix.col_indices(), value, (rows, columns)
    )


def _pattern(x: Tensor) -> _Pattern | None:
    if x.count_nonzero() > _SPARSE * x.numel():
        return None
    row, column = x.nonzero().t()
    size = (x.size(0), x.size(1))
    matrix = Adjacency(torch.stack([column, row]), x[row, column], size)
    # Entries numbered in the order of rows, and read in the order of columns.
    number = torch.arange(len(row), dtype=torch.float64)
    numbered = Adjacency(torch.stack([column, row]), number, size)
    order = numbered.transposed.values().long()
    return _Pattern(matrix.matrix, matrix.transposed, order)


class _SparseProduct(torch.autograd.Function):
    """``dropout(features) @ weight.t()``, and the mask for the gradient."""

    @staticmethod
    def forward(weight: Tensor, pattern: _Pattern, p: float) -> tuple[Tensor, Tensor]:
        mask = dropout(torch.ones_like(pattern.features.values()), p)
        return pattern.with_mask(mask)[0] @ weight.t(), mask

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Any) -> None:
        ctx.pattern = inputs[1]
        ctx.mark_non_differentiable(output[1])
        ctx.save_for_backward(output[1])

    @staticmethod
    def backward(ctx: Any, grad: Tensor, _: Any) -> tuple[Tensor, None, None]:
        (mask,) = ctx.saved_tensors
        return _SparseGradient.apply(grad, mask, ctx.pattern), None, None

    @staticmethod
    def vmap(
        info: Any,
        in_dims: tuple[int | None, ...],
        weight: Tensor,
        pattern: _Pattern,
        p: float,
    ) -> tuple[tuple[Tensor, Tensor], tuple[int, int]]:
        weight = weight.movedim(in_dims[0] or 0, 0)
        ones = torch.ones_like(pattern.features.values()).expand(len(weight), -1)
        masks = draw_masks(ones, p) if p else ones.clone()
        out = torch.stack(
            [
                pattern.with_mask(mask)[0] @ part.t()
                for mask, part in zip(masks, weight, strict=True)
            ]
        )
        return (out, masks), (0, 0)


class _SparseGradient(torch.autograd.Function):
    @staticmethod
    def forward(grad: Tensor, mask: Tensor, pattern: _Pattern) -> Tensor:
        return (pattern.with_mask(mask)[1] @ grad).t()

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
        pass

    @staticmethod
    def vmap(
        info: Any,
        in_dims: tuple[int | None, ...],
        grad: Tensor,
        mask: Tensor,
        pattern: _Pattern,
    ) -> tuple[Tensor, int]:
        grad = grad.movedim(in_dims[0] or 0, 0)
        mask = mask.movedim(in_dims[1] or 0, 0)
        parts = [
            (pattern.with_mask(m)[1] @ g).t() for g, m in zip(grad, mask, strict=True)
        ]
        return torch.stack(parts), 0
