"""The states of a stack, and their sum."""

from __future__ import annotations

from collections.abc import Iterable

from torch import Tensor

__all__ = ["States"]


class States(list[Tensor]):
    """States, first to current, to which a stack appends.

    Their sum goes on from the sum at the layer before, so that a skip that asks for it
    in each of :math:`L` layers costs :math:`L` additions forward and backward, not
    :math:`L^2 / 2`.

    Args:
        states: The first ones.
        before: The sum of all of them but the last, where it is known.

    Example:
        >>> states = States([torch.ones(2), torch.ones(2)])
        >>> states.total()
        tensor([2., 2.])
        >>> states.append(torch.ones(2))
        >>> states.total()
        tensor([3., 3.])
    """

    def __init__(
        self, states: Iterable[Tensor] = (), before: Tensor | None = None
    ) -> None:
        super().__init__(states)
        self._total = before
        self._num_summed = 0 if before is None else len(self) - 1

    @property
    def known_total(self) -> Tensor | None:
        """The sum of all states, if it was asked for."""
        return self._total if self._num_summed == len(self) else None

    def total(self) -> Tensor:
        """The sum of all states, of the shape of one."""
        for state in self[self._num_summed :]:
            self._total = state if self._total is None else self._total + state
        self._num_summed = len(self)
        if self._total is None:
            raise IndexError("no states")
        return self._total
