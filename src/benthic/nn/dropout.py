"""Dropout whose random mask costs no more than the layer."""

from __future__ import annotations

import contextlib
import contextvars
from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from benthic.errors import InputError

__all__ = ["FastDropout", "draw_masks", "dropout", "streams"]

_BITS = 16  # random bits of an element; p is met to 2^-16


def dropout(x: Tensor, p: float = 0.5, training: bool = True) -> Tensor:
    r"""Zeroes a random share of the entries and scales up the rest.

    From the `"Dropout: A Simple Way to Prevent Neural Networks from Overfitting"
    <https://jmlr.org/papers/v15/srivastava14a.html>`_ paper:

    .. math:: y_{ik} = \frac{m_{ik}}{1 - p}\, x_{ik}, \qquad m_{ik} \sim B(1 - p)

    As ``torch.nn.functional.dropout``, from the same generator but with another stream
    of masks: it draws 16 random bits for an entry where torch draws a number, and on a
    CPU torch's way takes longer than the propagation of a layer
    (``benchmarks/propagation.py``). ``p`` is met to :math:`2^{-16}`.

    Args:
        x: Anything, ``[…]``.
        p: Share to drop, 0 … 1.
        training: Without it, ``x`` is returned as it is.

    Raises:
        InputError: If ``p`` is outside 0 … 1.

    Example:
        >>> dropout(torch.ones(10_000), p=0.5).unique()
        tensor([0., 2.])
    """
    if not 0 <= p <= 1:
        raise InputError("p", str(p), "give a share from 0 to 1")
    if p == 0 or not training:
        return x
    if x.device.type != "cpu" or _is_shared(x):
        return nn.functional.dropout(x, p)
    threshold = round(p * 2**_BITS)
    if threshold == 2**_BITS:
        return x * 0
    return _Dropout.apply(x, threshold)[0]  # type: ignore[no-any-return]


def _is_shared(x: Tensor) -> bool:
    """Whether all members of a ``vmap`` batch hold this very tensor."""
    functorch = torch._C._functorch
    inside = functorch.maybe_current_level() is not None
    return inside and not functorch.is_functorch_wrapped_tensor(x)


class _Dropout(torch.autograd.Function):
    @staticmethod
    def forward(x: Tensor, threshold: int) -> tuple[Tensor, Tensor]:
        mask = _draw(x, threshold, None)
        return x * mask, mask

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Any) -> None:
        ctx.mark_non_differentiable(output[1])
        ctx.save_for_backward(output[1])

    @staticmethod
    def backward(ctx: Any, grad: Tensor, _: Any) -> tuple[Tensor, None]:
        (mask,) = ctx.saved_tensors
        return grad * mask, None

    @staticmethod
    def vmap(
        info: Any, in_dims: tuple[int | None, ...], x: Tensor, threshold: int
    ) -> tuple[tuple[Tensor, Tensor], tuple[int, int]]:
        x = x.movedim(in_dims[0] or 0, 0)
        mask = draw_masks(x, threshold / 2**_BITS)
        # The mask is a constant: a product is all the gradient it needs.
        return (x * mask, mask), (0, 0)


_streams: contextvars.ContextVar[Sequence[torch.Generator]] = contextvars.ContextVar(
    "_streams", default=()
)


@contextlib.contextmanager
def streams(generators: Sequence[torch.Generator]) -> Iterator[None]:
    """Gives each member of a ``torch.func.vmap`` batch a stream of masks of its own.

    A model that is trained beside others then meets the very masks that it would meet
    alone, if it were seeded alike.

    Args:
        generators: One for each member of the batch, in order.

    Example:
        >>> ones = torch.ones(2, 1000)
        >>> with streams([torch.Generator().manual_seed(seed) for seed in (0, 1)]):
        ...     both = torch.func.vmap(dropout, randomness="different")(ones)
        >>> _ = torch.manual_seed(1)
        >>> torch.equal(both[1], dropout(ones[1]))
        True
    """
    token = _streams.set(generators)
    try:
        yield
    finally:
        _streams.reset(token)


def draw_masks(x: Tensor, p: float) -> Tensor:
    """Scaled dropout masks for a batch, ``[B, …]``, each from its own stream.

    Args:
        x: Gives shape and type; its first dimension counts the members.
        p: Share to drop, below 1.

    Example:
        >>> draw_masks(torch.ones(2, 100), p=0.5).unique()
        tensor([0., 2.])
    """
    generators = _streams.get() or [None] * len(x)
    threshold = round(p * 2**_BITS)
    masks = [
        _draw(part, threshold, generator)
        for part, generator in zip(x, generators, strict=True)
    ]
    return torch.stack(masks)


def _draw(x: Tensor, threshold: int, generator: torch.Generator | None) -> Tensor:
    draws = torch.empty(x.numel() // 4 + 1, dtype=torch.int64)
    draws.random_(-(2**63), None, generator=generator)
    mask = torch.empty(x.numel(), dtype=x.dtype)
    # Straight into floats: a boolean on the way costs more than the draws.
    bits = draws.view(torch.int16)[: x.numel()]
    torch.ge(bits, threshold - 2 ** (_BITS - 1), out=mask)
    return mask.mul_(1 / (1 - threshold / 2**_BITS)).view(x.shape)


class FastDropout(nn.Module):
    """:func:`dropout` as a module, in place of ``torch.nn.Dropout``.

    Args:
        p: Share to drop, 0 … 1.

    Raises:
        InputError: If ``p`` is outside 0 … 1.

    Example:
        >>> FastDropout(0.5).eval()(torch.ones(2))
        tensor([1., 1.])
    """

    def __init__(self, p: float = 0.5) -> None:
        super().__init__()
        if not 0 <= p <= 1:
            raise InputError("p", str(p), "give a share from 0 to 1")
        self.p = p

    def forward(self, x: Tensor) -> Tensor:
        """Drops in training, returns ``x`` otherwise.

        Args:
            x: Anything, ``[…]``.
        """
        return dropout(x, self.p, self.training)

    def extra_repr(self) -> str:
        return f"p={self.p}"
