"""What an option of the command line may be, checked before any work."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterator
from typing import Any

from benthic.errors import InputError, OutputError, QueryError


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


def whole_numbers(text: str, option: str) -> list[int]:
    """Numbers by comma, such as the depths of a sweep.

    Args:
        text: What was typed.
        option: What to call it in an error.

    Raises:
        InputError: If one of them is no whole number.

    Example:
        >>> whole_numbers("2, 4,8", "--num-layers")
        [2, 4, 8]
        >>> whole_numbers("2,4.5", "--num-layers")
        Traceback (most recent call last):
        ...
        benthic.errors.InputError: --num-layers: found '4.5'; \
give whole numbers by comma, such as 2,4,8
    """
    numbers = []
    for part in text.split(","):
        try:
            numbers.append(int(part))
        except ValueError as error:
            remedy = "give whole numbers by comma, such as 2,4,8"
            raise InputError(option, repr(part.strip()), remedy) from error
    return numbers


@contextlib.contextmanager
def named(**typed: str) -> Iterator[None]:
    """Calls the argument of an error by the name that the user typed.

    Args:
        typed: What the user knows an argument by, where it is not its flag.

    Example:
        >>> with named(model="TARGET"):
        ...     raise InputError("num_layers", "0", "give a depth of 1 or more")
        Traceback (most recent call last):
        ...
        benthic.errors.InputError: --num-layers: found 0; give a depth of 1 or more
    """
    try:
        yield
    except QueryError:  # it points at a word of the query itself
        raise
    except (InputError, OutputError) as error:
        flag = _spelled(error.argument)
        argument = typed.get(error.argument, flag)
        raise type(error)(argument, error.found, error.remedy) from error


def _flag(param: Any) -> str:
    return _spelled(str(param.name))


def _spelled(argument: str) -> str:
    """``num_layers`` -> ``--num-layers``; what is not a name of Python stays."""
    is_name = argument.isidentifier() and argument.islower()
    return f"--{argument.replace('_', '-')}" if is_name else argument
