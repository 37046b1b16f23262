"""What an operation does to rows, seen from what it does to their numbers."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor

# These may move rows without a change of shape. What else keeps the shape keeps rows.
_MOVES = set(
    "__getitem__ __setitem__ __get__ t transpose permute swapaxes swapdims movedim "
    "moveaxis adjoint select narrow narrow_copy split split_with_sizes chunk "
    "tensor_split unbind index_select gather take_along_dim roll flip flipud rot90 "
    "scatter scatter_ select_scatter slice_scatter index_copy index_copy_ index_put "
    "index_put_ masked_scatter masked_scatter_ put put_ take embedding".split()
)
# These add rows up, or choose them by value, which their numbers do not show.
_LOSES = set(
    "sort msort topk unique unique_consecutive kthvalue median nanmedian mode min amin "
    "aminmax prod embedding_bag".split()
)
_ADDS = ("scatter_", "segment_", "_segment_", "index_add", "index_reduce", "spmm")
_PRODUCTS = set(
    "matmul __matmul__ linalg_matmul mm mv bmm _sparse_mm smm hspmm addmm addbmm "
    "baddbmm tensordot".split()
)
_UNKNOWN = -1.0


def numbered(x: Tensor, rows: Tensor | None) -> Tensor:
    """For each entry of a tensor the row of the state that it comes from.

    Args:
        x: States of nodes, ``[N, …]``.
        rows: What is known already; None stands for all rows in order.

    Example:
        >>> numbered(torch.ones(2, 3), None)
        tensor([[0., 0., 0.],
                [1., 1., 1.]], dtype=torch.float64)
    """
    if rows is not None:
        return rows
    numbers = torch.arange(x.size(0), dtype=torch.float64, device=x.device)
    return numbers.view(-1, *[1] * (x.dim() - 1)).expand(x.shape)


def unknown(x: Tensor) -> Tensor:
    """As :func:`numbered`, for entries that come from nowhere.

    Args:
        x: Any tensor.
    """
    return torch.full((), _UNKNOWN, dtype=torch.float64, device=x.device).expand(
        x.shape
    )


def count_in_order(rows: Tensor | None, num_rows: int) -> int:
    """How many rows there are, if they are the first of the state; otherwise -1.

    Args:
        rows: See :func:`numbered`.
        num_rows: Rows of the state.

    Example:
        >>> count_in_order(numbered(torch.ones(5, 2), None)[:3], num_rows=5)
        3
        >>> count_in_order(numbered(torch.ones(5, 2), None)[1:], num_rows=5)
        -1
    """
    if rows is None:
        return num_rows
    if rows.dim() == 0 or rows.size(0) > num_rows:
        return -1
    try:
        in_order = torch.equal(rows, numbered(rows, None))
    except RuntimeError:  # members of a vmap batch have each their own order
        in_order = False
    return rows.size(0) if in_order else -1


class Operation:
    """One operation that ran, and what it does to row numbers.

    Args:
        func: What ran.
        args: What it ran on, before or after.
        kwargs: Its keywords.
        numbers: Row numbers of a tensor; None where it comes from elsewhere.
    """

    def __init__(
        self,
        func: Callable[..., Any],
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        numbers: Callable[[Tensor], Tensor | None],
    ) -> None:
        self.func = func
        self.name = getattr(func, "__name__", "")
        self.args = args
        self.kwargs = kwargs
        self._numbers = numbers
        self._moved: list[Tensor] | None = None

    def rows(self, x: Tensor, rows: Tensor | None, out: Tensor, place: int) -> Any:
        """The rows of one result; None if they are all rows in order.

        Args:
            x: The input that counts.
            rows: Its rows.
            out: The result.
            place: Which of the results it is.
        """
        if self._loses(x):
            return unknown(out)
        if self.name not in _MOVES:
            if out.shape == x.shape or (rows is None and out.shape[:1] == x.shape[:1]):
                return rows
            if rows is not None and out.shape[:-1] == x.shape[:-1]:
                return _constant_rows(rows).expand(out.shape)
        if self._moved is None:
            self._moved = self._of_whole_rows(rows) or self._run()
        found = self._moved[place] if place < len(self._moved) else unknown(out)
        fits = found.dim() == out.dim() and found.shape[:1] == out.shape[:1]
        return found.expand(out.shape) if fits else unknown(out)

    def _loses(self, x: Tensor) -> bool:
        """Whether no numbers tell which rows of the input come out where."""
        if self.name in _MOVES:
            # Written rows have numbers, rows that are added up there have none.
            given = [*self.args[3:], self.kwargs.get("accumulate")]
            return "reduce" in self.kwargs or any(value is True for value in given)
        if self.name in _PRODUCTS or self.name == "einsum":
            return not self._multiplies_channels(x)
        return self.name in _LOSES or self.name.startswith(_ADDS)

    def _multiplies_channels(self, x: Tensor) -> bool:
        """Whether a product sums over the channels of a state, not over its nodes."""
        factors = list(tensors((self.args, tuple(self.kwargs.values()))))
        place = next(i for i, factor in enumerate(factors) if factor is x)
        if self.name != "einsum":
            return place < len(factors) - 1
        terms, _, result = str(self.args[0]).replace(" ", "").partition("->")
        return result.startswith(terms.split(",")[place][:-1])

    def _of_whole_rows(self, rows: Tensor | None) -> list[Tensor]:
        """The short way where nodes are gathered, as often as there are edges."""
        key = self.args[1:]
        gathers = self.name == "__getitem__" or (
            self.name == "index_select" and key[0] == 0
        )
        by_number = key and isinstance(key[-1], Tensor) and key[-1].dim() == 1
        if rows is not None or not (gathers and by_number):
            return []
        x = self.args[0]
        column = (slice(None), *[slice(0, 1)] * (x.dim() - 1))
        return [self.func(numbered(x, None)[column], *key)]

    def _run(self) -> list[Tensor]:
        """What comes out where row numbers go in."""
        # Not every view is one of numbers that repeat.
        for copies in (writes(self.func, self.kwargs), True):
            try:
                with torch.no_grad():
                    args, kwargs = self._with_numbers((self.args, self.kwargs), copies)
                    out = self.func(*args, **kwargs)
            except (RuntimeError, TypeError, IndexError, ValueError):
                continue
            return list(tensors(args[0] if out is None else out))
        return []

    def _with_numbers(self, value: Any, copies: bool) -> Any:
        if isinstance(value, Tensor) and value.is_floating_point():
            known = self._numbers(value)
            numbers = unknown(value) if known is None else known
            return (
                numbers.clone(memory_format=torch.contiguous_format)
                if copies
                else numbers
            )
        if isinstance(value, dict):
            return {key: self._with_numbers(v, copies) for key, v in value.items()}
        if isinstance(value, list) or type(value) is tuple:
            return type(value)(self._with_numbers(v, copies) for v in value)
        return value


def tensors(value: Any) -> Iterator[Tensor]:
    """All tensors in nested tuples and lists.

    Args:
        value: Anything.
    """
    if isinstance(value, Tensor):
        yield value
    elif isinstance(value, tuple | list):
        for item in value:
            yield from tensors(item)


def writes(func: Callable[..., Any], kwargs: dict[str, Any]) -> bool:
    """Whether an operation overwrites its first argument.

    Args:
        func: The operation.
        kwargs: Its keywords.

    Example:
        >>> writes(Tensor.relu_, {}), writes(Tensor.relu, {})
        (True, False)
    """
    name = getattr(func, "__name__", "")
    return (
        (name.endswith("_") and not name.endswith("__"))
        or name == "__setitem__"
        or bool(kwargs.get("inplace"))
    )


def _constant_rows(rows: Tensor) -> Tensor:
    """The rows of what mixes the last dimension: known where it has one row only."""
    first = rows[..., :1]
    return torch.where((rows == first).all(-1, keepdim=True), first, _UNKNOWN)
