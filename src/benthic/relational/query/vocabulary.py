"""The words of the language."""

from __future__ import annotations

KEYWORDS = frozenset(
    "PREDICT FORECAST TIMEFRAMES RANK TOP CLASSIFY FOR EACH WHERE ASSUMING VIA AND OR "
    "NOT IS IN LIKE CONTAINS STARTS ENDS WITH TRUE FALSE NULL INF INFINITY".split()
)

FUNCTIONS = (
    "AVG",
    "COUNT",
    "COUNT_DISTINCT",
    "FIRST",
    "LAST",
    "LIST_DISTINCT",
    "MAX",
    "MIN",
    "SUM",
)

UNITS = ("seconds", "minutes", "hours", "days", "weeks", "months", "years")


def unit(word: str) -> str | None:
    """The unit a word stands for, singular or plural in any case.

    Example:
        >>> unit("Month")
        'months'
    """
    plural = f"{word.lower().removesuffix('s')}s"
    return plural if plural in UNITS else None
