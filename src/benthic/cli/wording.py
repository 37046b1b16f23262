"""An error in one line."""

from __future__ import annotations

from benthic.errors import BenthicError


def one_line(error: BaseException) -> str:
    """What an error says, without a line break; its kind, where it is not ours.

    Args:
        error: Any.

    Example:
        >>> one_line(KeyError("x"))
        "KeyError: 'x'"
    """
    if isinstance(error, OSError) and error.strerror:
        return error.strerror.lower()
    text = " ".join(str(error).split())
    known = isinstance(error, BenthicError)
    return text if known and text else f"{type(error).__name__}: {text[:300]}"
