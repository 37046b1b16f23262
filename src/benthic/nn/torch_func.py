"""What the transforms of ``torch.func``, and torch's tracers, ask of us."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import torch
from torch import Tensor
from torch._functorch.pyfunctorch import temporarily_clear_interpreter_stack

__all__ = [
    "in_transform",
    "is_batched_gradient",
    "is_recorded",
    "is_wrapped",
    "outside_transforms",
]


def in_transform() -> bool:
    """Whether a transform is under way.

    Example:
        >>> in_transform()
        False
    """
    return torch._C._functorch.maybe_current_level() is not None


def is_wrapped(x: Tensor) -> bool:
    """Whether a transform follows this tensor: another than its numbers alone.

    Args:
        x: Any tensor.

    Example:
        >>> def double(x):
        ...     print(is_wrapped(x))
        ...     return 2 * x
        >>> torch.func.vmap(double)(torch.ones(3))
        True
        tensor([2., 2., 2.])
    """
    return torch._C._functorch.is_functorch_wrapped_tensor(x)


def is_batched_gradient(x: Tensor) -> bool:
    """Whether this stands for several gradients at once.

    Autograd hands them out itself, as for ``torch.autograd.functional.jacobian(…,
    vectorize=True)``; then no rule of ``torch.func`` is asked, and an operation that
    writes into a given tensor fails.

    Args:
        x: Any tensor.

    Example:
        >>> is_batched_gradient(torch.ones(3))
        False
    """
    return torch._C._functorch.is_legacy_batchedtensor(x)


def is_recorded(x: Tensor) -> bool:
    """Whether torch writes down what is computed, to compute it again for other inputs.

    So do compilers, ``torch.export``, ``torch.jit.trace``, ``torch.func.linearize`` and
    ``functionalize``. What is kept of one graph must not be in there, and a sparse
    product cannot be.

    Args:
        x: Any tensor.

    Example:
        >>> is_recorded(torch.ones(3))
        False
    """
    return (
        torch.compiler.is_compiling()
        or torch._C._get_tracing_state() is not None
        or torch._C._get_dispatch_mode(torch._C._TorchDispatchModeKey.PROXY) is not None
        or torch._is_functional_tensor(x)
    )


@contextlib.contextmanager
def outside_transforms() -> Iterator[None]:
    """Computes constants that outlive a transform, and that it need not follow.

    Example:
        >>> def wrapped(x):
        ...     with outside_transforms():
        ...         print(in_transform())
        ...     return x.sum()
        >>> _ = torch.func.grad(wrapped)(torch.ones(3))
        False
    """
    if not in_transform():  # nothing to leave, and compilers see nothing
        yield
        return
    with temporarily_clear_interpreter_stack():
        yield
