"""How much a backward pass has to do, counted and not timed."""

from __future__ import annotations

from torch import Tensor


def num_edges(out: Tensor) -> int:
    """How many gradients the operations behind a tensor hand to one another."""
    seen, queue = {out.grad_fn}, [out.grad_fn]
    for node in queue:
        parents = {p for p, _ in node.next_functions if p is not None} - seen
        seen |= parents
        queue += parents
    return sum(p is not None for node in seen for p, _ in node.next_functions)
