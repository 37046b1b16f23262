"""Every way in which torch derives a function, against finite differences."""

from __future__ import annotations

from torch.autograd import gradcheck, gradgradcheck


def is_right(function, *inputs, draws=False):
    """Backward and forward, one at a time and in batches, once and twice.

    Args:
        function: Of double precision.
        *inputs: What it is derived by; they ask for gradients.
        draws: Whether it draws random numbers, which torch refuses in a batch of
            forward derivatives.
    """
    return gradcheck(
        function,
        inputs,
        check_forward_ad=True,
        check_batched_grad=True,
        check_batched_forward_grad=not draws,
    ) and gradgradcheck(
        function, inputs, check_fwd_over_rev=True, check_batched_grad=True
    )
