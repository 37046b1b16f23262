"""Is this number in its range?  One clear sentence if it is not."""

from __future__ import annotations

import math
import numbers
import sys
from typing import TypeVar

from benthic.errors import InputError

_Value = TypeVar("_Value")

MOST = sys.float_info.max
ABOVE_ZERO = math.ulp(0.0)
"""The least number that is more than zero."""


def number(
    argument: str,
    value: _Value,
    low: int | float = -MOST,
    high: int | float = MOST,
    *,
    remedy: str = "",
) -> _Value:
    """The value, if it is a finite number in its range.

    Args:
        argument: What the user calls it.
        value: Anything.
        low: Least number to take.
        high: Greatest number to take.
        remedy: What to give instead, where the range alone says too little.

    Raises:
        InputError: If it is no number, NaN, or out of its range.

    Example:
        >>> number("alpha", 0.1, 0, 1)
        0.1
        >>> number("alpha", "high", 0, 1)
        Traceback (most recent call last):
        ...
        benthic.errors.InputError: alpha: found 'high'; give a number, from 0 to 1
    """
    try:
        is_in_range = bool(low <= value <= high)  # type: ignore[operator]
    except (TypeError, ValueError, RuntimeError):
        is_in_range = False
    if not is_in_range:
        remedy = remedy or f"give a number{_span(low, high)}"
        raise InputError(argument, repr(value), remedy)
    return value


def whole_number(argument: str, value: _Value, low: int, *, remedy: str = "") -> _Value:
    """The value, if it is a whole number that is large enough.

    Args:
        argument: What the user calls it.
        value: Anything.
        low: Least number to take.
        remedy: What to give instead, where the range alone says too little.

    Raises:
        InputError: If it is no whole number, or below ``low``.

    Example:
        >>> whole_number("epochs", 2.5, 1)
        Traceback (most recent call last):
        ...
        benthic.errors.InputError: epochs: found 2.5; give a whole number, 1 or more
    """
    is_whole = isinstance(value, numbers.Integral) and not isinstance(value, bool)
    remedy = remedy or f"give a whole number{_span(low, MOST)}"
    if not is_whole:
        raise InputError(argument, repr(value), remedy)
    return number(argument, value, low, remedy=remedy)


def _span(low: int | float, high: int | float) -> str:
    if high != MOST:
        return f", from {low} to {high}"
    if low == ABOVE_ZERO:
        return " above 0"
    return "" if low == -MOST else f", {low} or more"
