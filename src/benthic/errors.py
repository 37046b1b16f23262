"""The exception tree.

::

    BenthicError                 everything Benthic raises on purpose
    ├── InputError               the request was wrong; exit code 2
    └── ModelError               the model itself failed while it ran; exit code 1
"""

from __future__ import annotations


class BenthicError(Exception):
    """Everything Benthic raises on purpose."""


class InputError(BenthicError, ValueError):
    """The request was wrong: names the argument, what was found and what to do.

    Example:
        >>> raise InputError("num_layers", "0", "give a depth of 1 or more")
        Traceback (most recent call last):
        ...
        benthic.errors.InputError: num_layers: found 0; give a depth of 1 or more
    """

    def __init__(self, argument: str, found: str, remedy: str) -> None:
        super().__init__(f"{argument}: found {found}; {remedy}")
        self.argument = argument
        self.found = found
        self.remedy = remedy

    def __reduce__(self) -> tuple[type[InputError], tuple[str, str, str]]:
        # An exception is otherwise rebuilt from its message alone, and the error
        # of a loader's worker process would arrive as a TypeError.
        return type(self), (self.argument, self.found, self.remedy)


class ModelError(BenthicError, RuntimeError):
    """The model itself failed while it ran."""
