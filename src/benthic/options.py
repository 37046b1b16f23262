"""What an option of the command line may be, checked before any work."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

from benthic.errors import InputError


def between(low: int, high: int | None = None) -> Callable[..., Any]:
    """A callback that refuses a number outside of a range, NaN included.

    Args:
        low: Least number to take.
        high: Greatest number to take, if there is one.

    Example:
        >>> from types import SimpleNamespace
        >>> between(0, 1)(None, SimpleNamespace(name="dropout"), 1.5)
        Traceback (most recent call last):
        ...
        benthic.errors.InputError: --dropout: found 1.5; give a number, from 0 to 1
    """
    wanted = f"{low} or more" if high is None else f"from {low} to {high}"

    def check(_: Any, param: Any, value: Any) -> Any:
        if not low <= value <= (sys.float_info.max if high is None else high):
            raise InputError(_flag(param), str(value), f"give a number, {wanted}")
        return value

    return check


def of_training(check: Callable[..., Any] | None = None) -> Callable[..., Any]:
    """A callback that refuses an option of training beside a module of one's own.

    It would be ignored, and silence would mislead.

    Args:
        check: A callback to ask first.
    """

    def refuse(context: Any, param: Any, value: Any) -> Any:
        if check is not None:
            check(context, param, value)
        source = context.get_parameter_source(param.name)
        if source is not None and source.name == "COMMANDLINE":
            from benthic.user_files import is_model_file

            if is_model_file(context.params["target"]):
                raise InputError(
                    _flag(param),
                    f"{value} beside a module of your own",
                    "leave it out; your module is diagnosed as it is, not trained",
                )
        return value

    return refuse


def _flag(param: Any) -> str:
    return f"--{str(param.name).replace('_', '-')}"
