"""Dropout whose random mask costs no more than the layer."""

from __future__ import annotations

import contextlib
import contextvars
import itertools
from collections.abc import Iterator, Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.overrides import has_torch_function_unary

from benthic.errors import InputError
from benthic.nn.torch_func import in_transform, is_wrapped

__all__ = [
    "FastDropout",
    "ReLUBeforeDropout",
    "draw_masks",
    "dropout",
    "relu_dropout",
    "streams",
]

_BITS = 16  # most random bits of an element; p is met to 2^-16


def dropout(x: Tensor, p: float = 0.5, training: bool = True) -> Tensor:
    r"""Zeroes a random share of the entries and scales up the rest.

    From the `"Dropout: A Simple Way to Prevent Neural Networks from Overfitting"
    <https://jmlr.org/papers/v15/srivastava14a.html>`_ paper:

    .. math:: y_{ik} = \frac{m_{ik}}{1 - p}\, x_{ik}, \qquad m_{ik} \sim B(1 - p)

    As ``torch.nn.functional.dropout``, from the same generator but with another stream
    of masks: it draws 8 or 16 random bits for an entry where torch draws a number, and
    on a CPU torch's way takes longer than the propagation of a layer
    (``benchmarks/propagation.py``). ``p`` is met to :math:`2^{-16}`. Elsewhere, and
    where a ``TorchFunctionMode`` wants to see what is called, it is torch's.

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
    if x.device.type != "cpu" or has_torch_function_unary(x):
        return F.dropout(x, p)
    if _is_shared(x):
        x = x + 0 * torch.rand((), dtype=x.dtype)  # one for each member
        if _is_shared(x):  # all members are to drop the same
            return F.dropout(x, p)
    threshold = round(p * 2**_BITS)
    if threshold == 2**_BITS:
        return x * 0
    out: Tensor = _Dropout.apply(x, threshold)[0]
    return out


def relu_dropout(x: Tensor, p: float = 0.5, training: bool = True) -> Tensor:
    r"""A ReLU and :func:`dropout` in one: the result is all that the gradient needs.

    .. math:: y_{ik} = \frac{m_{ik}}{1 - p} \max(x_{ik}, 0)

    Neither the ReLU's result nor a mask is stored, which are two thirds of what a deep
    network keeps for its backward pass. The masks are those of :func:`dropout`.

    Args:
        x: Anything, ``[…]``.
        p: Share to drop, 0 … 1.
        training: Without it, only the ReLU is left.

    Raises:
        InputError: If ``p`` is outside 0 … 1.

    Example:
        >>> relu_dropout(torch.linspace(-1, 1, 1000), p=0.5).max() <= 2
        tensor(True)
    """
    alone = has_torch_function_unary(x) or in_transform() or x.device.type != "cpu"
    if alone or not training or not 0 < p < 1 - 2**-_BITS:
        return dropout(F.relu(x), p, training)
    threshold = round(p * 2**_BITS)
    out: Tensor = _ReLUDropout.apply(x, threshold)
    return out


def _is_shared(x: Tensor) -> bool:
    """Whether all members of a ``vmap`` batch hold this very tensor."""
    return in_transform() and not is_wrapped(x)


class _Dropout(torch.autograd.Function):
    @staticmethod
    def forward(x: Tensor, threshold: int) -> tuple[Tensor, Tensor]:
        mask = _draw(x, threshold)
        return x * mask, mask

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Any) -> None:
        ctx.mark_non_differentiable(output[1])
        ctx.save_for_backward(output[1])
        ctx.save_for_forward(output[1])

    @staticmethod
    def backward(ctx: Any, grad: Tensor, _: Any) -> tuple[Tensor, None]:
        (mask,) = ctx.saved_tensors
        return grad * mask, None

    @staticmethod
    def jvp(ctx: Any, tangent: Tensor, _: Any) -> tuple[Tensor, None]:
        (mask,) = ctx.saved_tensors
        return tangent * mask, None

    @staticmethod
    def vmap(
        info: Any, in_dims: tuple[int | None, ...], x: Tensor, threshold: int
    ) -> tuple[tuple[Tensor, Tensor], tuple[int, int]]:
        x = x.movedim(in_dims[0] or 0, 0)
        mask = draw_masks(x, threshold / 2**_BITS)
        # The mask is a constant: a product is all the gradient it needs.
        return (x * mask, mask), (0, 0)


class _ReLUDropout(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, threshold: int) -> Tensor:
        out = x.relu().mul_(_draw(x, threshold))
        ctx.save_for_backward(out)
        ctx.save_for_forward(out)
        ctx.scale = _scale(threshold)
        return out

    @staticmethod
    def jvp(ctx: Any, tangent: Tensor, _: Any) -> Tensor:
        (out,) = ctx.saved_tensors
        moved: Tensor = tangent * (out > 0) * ctx.scale
        return moved

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None]:
        (out,) = ctx.saved_tensors
        passed: Tensor = torch.ops.aten.threshold_backward(grad, out.detach(), 0)
        return passed * ctx.scale if grad.requires_grad else passed.mul_(
            ctx.scale
        ), None


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
    generators = _streams.get() or itertools.repeat(None, len(x))
    threshold = round(p * 2**_BITS)
    masks = torch.empty(x.shape, dtype=x.dtype)
    for mask, generator in zip(masks, generators, strict=True):
        _fill(mask.view(-1), threshold, generator)
    return masks


def _draw(x: Tensor, threshold: int) -> Tensor:
    mask = torch.empty(x.shape, dtype=x.dtype)
    return _fill(mask.view(-1), threshold, None).view(x.shape)


def _fill(mask: Tensor, threshold: int, generator: torch.Generator | None) -> Tensor:
    # Eight bits are enough for every p that is a multiple of 1/256.
    bits = _BITS // 2 if threshold % 2 ** (_BITS // 2) == 0 else _BITS
    words = torch.empty(mask.numel() * bits // 64 + 1, dtype=torch.int64)
    words.random_(-(2**63), None, generator=generator)
    draws = words.view(torch.int8 if bits == _BITS // 2 else torch.int16)
    least = threshold // 2 ** (_BITS - bits) - 2 ** (bits - 1)
    # Straight into floats: a boolean on the way costs more than the draws.
    torch.ge(draws[: mask.numel()], least, out=mask)
    return mask.mul_(_scale(threshold))


def _scale(threshold: int) -> float:
    return float(1 / (1 - threshold / 2**_BITS))


class FastDropout(nn.Dropout):
    """:func:`dropout` as a module, in place of ``torch.nn.Dropout``.

    One that works in place (``inplace=True``) does it torch's way.

    Args:
        p: Share to drop, 0 … 1.

    Raises:
        InputError: If ``p`` is outside 0 … 1.

    Example:
        >>> FastDropout(0.5).eval()(torch.ones(2))
        tensor([1., 1.])
    """

    def __init__(self, p: float = 0.5) -> None:
        if not 0 <= p <= 1:
            raise InputError("p", str(p), "give a share from 0 to 1")
        super().__init__(p)

    def forward(self, input: Tensor) -> Tensor:
        """Drops in training, returns the input otherwise.

        Args:
            input: Anything, ``[…]``.
        """
        if hasattr(input, _DROPPED):
            return input
        if self.inplace:
            return super().forward(input)
        return dropout(input, self.p, self.training)


_DROPPED = "_benthic_dropped"  # a tensor's note


class ReLUBeforeDropout(nn.ReLU):
    """A ReLU that does the work of the dropout right after it, by :func:`relu_dropout`.

    The tensor says so, and the dropout lets it pass. If either has hooks, each does its
    own work.

    Args:
        dropout: Comes next; it stays its owner's.

    Example:
        >>> drop = FastDropout(0.5)
        >>> drop(ReLUBeforeDropout(drop)(torch.ones(1000))).unique()
        tensor([0., 2.])
    """

    def __init__(self, dropout: nn.Dropout) -> None:
        super().__init__()
        self.precede(dropout)

    def precede(self, dropout: nn.Dropout) -> None:
        """Says which dropout comes next.

        Args:
            dropout: The module.
        """
        self._next = (dropout,)  # a tuple, so that it is no child of this module

    def forward(self, input: Tensor) -> Tensor:
        """The ReLU, and in training the dropout.

        Args:
            input: Anything, ``[…]``.
        """
        (dropout,) = self._next
        if not (self.training and dropout.training) or _is_watched(self, dropout):
            return F.relu(input)
        out = relu_dropout(input, dropout.p)
        setattr(out, _DROPPED, True)
        return out


def _is_watched(*modules: nn.Module) -> bool:
    return any(module._forward_hooks or module._forward_pre_hooks for module in modules)
