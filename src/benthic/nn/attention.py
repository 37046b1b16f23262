"""Sums over neighbors whose weights are learned, as attention has them."""

from __future__ import annotations

import functools
import inspect
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from scipy.sparse import csr_array
from torch import Tensor

from benthic.nn.propagation import check_edges, compressed
from benthic.nn.torch_func import is_batched_gradient, outside_transforms

__all__ = ["AttentionGraph", "attend"]


class AttentionGraph:
    """Which entries a sparse matrix of nodes and heads has; their values come later.

    Row ``i * H + h`` is head ``h`` of target ``i``, and has an entry for each edge to
    ``i``. So one product sums the messages of all heads, and stores none of them.

    Args:
        edge_index: Edges from source to target, ``[2, E]``.
        size: Numbers of targets and of sources.
        heads: Weights of an edge, ``H``.

    Raises:
        InputError: If an edge comes from, or goes to, a node that is not there.

    Example:
        >>> edge_index = torch.tensor([[0, 1], [1, 2]])
        >>> graph = AttentionGraph(edge_index, (3, 3), heads=2)
        >>> graph.entries.matrix(torch.ones(2, 2)).shape
        torch.Size([6, 6])
    """

    def __init__(self, edge_index: Tensor, size: tuple[int, int], heads: int) -> None:
        check_edges(edge_index, size)
        self.entries = _entries(edge_index[1], edge_index[0], size, heads)

    @functools.cached_property
    @outside_transforms()
    @torch.inference_mode(False)  # it stays for passes that train
    def transposed(self) -> _Entries:
        """The entries with sources as rows."""
        return self.entries.transpose()


@dataclass(frozen=True)
class _Entries:
    """Where a matrix has its entries, in compressed rows.

    Args:
        crow: Where each row begins among the entries, ``[rows + 1]``.
        column: Column of each entry, ``[E * H]``.
        order: Which of the weights, ``[E, H]`` flattened, each entry is.
        size: Rows and columns.
        heads: Weights of an edge.
    """

    crow: Tensor
    column: Tensor
    order: Tensor
    size: tuple[int, int]
    heads: int

    def rows(self) -> Tensor:
        """Row of each entry, ``[E * H]``."""
        return torch.repeat_interleave(self.crow.diff())

    def matrix(self, weight: Tensor) -> Tensor:
        """The entries with their values, the weights ``[E, H]``."""
        values = weight.reshape(-1).index_select(0, self.order)
        return compressed(self.crow, self.column, values, self.size)

    def transpose(self) -> _Entries:
        """The same weights with columns as rows."""
        rows, columns = self.size
        by_column, crow = _sort(self.column, columns)
        column = self.rows().index_select(0, by_column).int()
        order = self.order.index_select(0, by_column)
        return _Entries(crow, column, order, (columns, rows), self.heads)


def _entries(
    target: Tensor, source: Tensor, size: tuple[int, int], heads: int
) -> _Entries:
    head = torch.arange(heads, device=target.device)
    row, column = (
        (node.unsqueeze(1) * heads + head).flatten() for node in (target, source)
    )
    rows, columns = (number * heads for number in size)
    order, crow = _sort(row, rows)
    column = column.index_select(0, order).int()
    return _Entries(crow, column, order, (rows, columns), heads)


def _sort(row: Tensor, num_rows: int) -> tuple[Tensor, Tensor]:
    """Entries by their rows, and where each row begins."""
    if row.device.type == "cpu":  # SciPy counts, where torch compares
        number = row.numel()
        entries = np.ones(number, np.int8), row.numpy(), np.arange(number + 1)
        by_row = csr_array(entries, shape=(number, num_rows)).tocsc()
        order, crow = map(torch.from_numpy, (by_row.indices, by_row.indptr))
        return order.long(), crow.int()
    count = torch.bincount(row, minlength=num_rows)
    crow = torch.cat([count.new_zeros(1), count.cumsum(0)])
    return row.argsort(stable=True), crow.int()


def attend(graph: AttentionGraph, weight: Tensor, x: Tensor) -> Tensor:
    r"""Sums over incoming edges, each weighted by every head on its own.

    .. math:: out_{ih} = \sum_{e:\, j \to i} w_{eh} \, x_{jh}

    The gradients are sums over the same edges,
    :math:`\partial w_{eh} = \langle g_{ih}, x_{jh} \rangle` and
    :math:`\partial x_{jh} = \sum_{e:\, j \to i} w_{eh} \, g_{ih}`, and no message
    ``[E, H, C]`` is ever stored.

    Args:
        graph: The edges, from ``S`` sources to ``N`` targets.
        weight: Weights of the edges, ``[E, H]``.
        x: States of the sources, ``[S, H, C]``.

    Returns:
        Sums at the targets, ``[N, H, C]``.

    Example:
        >>> graph = AttentionGraph(torch.tensor([[0, 1], [1, 1]]), (2, 2), heads=1)
        >>> x = torch.tensor([[[3.0]], [[5.0]]])
        >>> attend(graph, torch.tensor([[0.5], [2.0]]), x).flatten()
        tensor([ 0.0000, 11.5000])
    """
    out: Tensor = _Sum.apply(weight, x, graph, False)
    return out


class _Sum(torch.autograd.Function):
    """The matrix of the weights, or its transpose, times states."""

    @staticmethod
    def forward(
        weight: Tensor, x: Tensor, graph: AttentionGraph, backward: bool
    ) -> Tensor:
        entries = graph.transposed if backward else graph.entries
        (rows, columns), channels = entries.size, x.size(-1)
        shape = rows // entries.heads, entries.heads, channels
        x = x.reshape(columns, channels)
        if is_batched_gradient(weight) or is_batched_gradient(x):
            values = weight.reshape(-1).index_select(0, entries.order)
            messages = values.unsqueeze(1) * x.index_select(0, entries.column)
            out = x.new_zeros(rows, channels)
            return out.index_add(0, entries.rows(), messages).view(shape)
        out = x.new_empty(shape)  # and no view of another: it may be written to
        flat, matrix = out.view(rows, channels), entries.matrix(weight)
        torch.addmm(flat, matrix, x.contiguous(), beta=0, out=flat)
        return out

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
        weight, x, ctx.graph, ctx.backward_pass = inputs
        ctx.save_for_backward(weight, x)
        ctx.save_for_forward(weight, x)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        weight, x = ctx.saved_tensors
        by_weight = by_x = None
        if ctx.needs_input_grad[0]:
            ends = (x, grad) if ctx.backward_pass else (grad, x)
            by_weight = _Dot.apply(*ends, ctx.graph)
        if ctx.needs_input_grad[1]:
            by_x = _Sum.apply(weight, grad, ctx.graph, not ctx.backward_pass)
        return by_weight, by_x, None, None

    @staticmethod
    def jvp(ctx: Any, by_weight: Any, by_x: Any, *_: Any) -> Tensor:
        weight, x = ctx.saved_tensors
        edges = ctx.graph, ctx.backward_pass
        return _total(
            None if by_weight is None else _Sum.apply(by_weight, x, *edges),
            None if by_x is None else _Sum.apply(weight, by_x, *edges),
        )

    @staticmethod
    def vmap(info: Any, in_dims: tuple[int | None, ...], *arguments: Any) -> Any:
        return _each(_Sum.apply, info, in_dims, arguments)


class _Dot(torch.autograd.Function):
    """What the states at the two ends of each edge have in common, head by head."""

    @staticmethod
    def forward(target: Tensor, source: Tensor, graph: AttentionGraph) -> Tensor:
        entries = graph.entries
        rows, columns = entries.size
        target = target.reshape(rows, target.size(-1))
        source = source.reshape(columns, source.size(-1))
        if is_batched_gradient(target) or is_batched_gradient(source):
            at_target = target.index_select(0, entries.rows())
            values = (at_target * source.index_select(0, entries.column)).sum(1)
            place = entries.order.argsort()
            return values.index_select(0, place).view(-1, entries.heads)
        values = target.new_zeros(len(entries.order))
        pattern = compressed(entries.crow, entries.column, values, entries.size)
        dots = torch.sparse.sampled_addmm(
            pattern, target.contiguous(), source.contiguous().t(), beta=0.0
        )
        out = torch.empty_like(values).view(-1, entries.heads)
        out.view(-1).index_copy_(0, entries.order, dots.values())
        return out

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
        target, source, ctx.graph = inputs
        ctx.save_for_backward(target, source)
        ctx.save_for_forward(target, source)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        target, source = ctx.saved_tensors
        by_target, by_source, *_ = ctx.needs_input_grad
        return (
            _Sum.apply(grad, source, ctx.graph, False) if by_target else None,
            _Sum.apply(grad, target, ctx.graph, True) if by_source else None,
            None,
        )

    @staticmethod
    def jvp(ctx: Any, by_target: Any, by_source: Any, *_: Any) -> Tensor:
        target, source = ctx.saved_tensors
        return _total(
            None if by_target is None else _Dot.apply(by_target, source, ctx.graph),
            None if by_source is None else _Dot.apply(target, by_source, ctx.graph),
        )

    @staticmethod
    def vmap(info: Any, in_dims: tuple[int | None, ...], *arguments: Any) -> Any:
        return _each(_Dot.apply, info, in_dims, arguments)


def _total(*parts: Tensor | None) -> Tensor:
    known = [part for part in parts if part is not None]
    return functools.reduce(torch.add, known)


def _each(
    function: Any, info: Any, in_dims: tuple[int | None, ...], arguments: Any
) -> tuple[Tensor, int]:
    """The members of a batch one by one: each has weights of its own."""
    members = [
        function(
            *(
                argument if dim is None else argument.select(dim, member)
                for argument, dim in zip(arguments, in_dims, strict=True)
            )
        )
        for member in range(info.batch_size)
    ]
    return torch.stack(members), 0


# autograd asks for it at every call, which takes a third of the call to work out.
_function: Any
for _function in (_Sum, _Dot):
    _function.forward.__signature__ = inspect.signature(_function.forward)
