"""Who is told how far the work is."""

from __future__ import annotations


def silent(text: str) -> None:
    """Progress that nobody watches.

    Args:
        text: What was done.
    """
    del text
