"""How do files and databases write that a value is missing?"""

from __future__ import annotations

from benthic.relational.sql import literal

ALWAYS_MISSING = ("", r"\N", "NaN", "nan")
"""Cells of a CSV file that are NULL in every column: few mean anything else by them."""

_WORDS = (
    *(r"\n", "null", "(null)", "<null>", "na", "n/a", "#n/a", "<na>", "nan", "nat"),
    *("nil", "none", "-", "--", "?", "."),
)
_WRITTEN = [spelled for w in _WORDS for spelled in (w, w.upper(), w.capitalize())]
MISSING_SPELLINGS = tuple(dict.fromkeys((*ALWAYS_MISSING, *_WRITTEN, "NaT")))
"""Cells that are missing among numbers, dates and truth values; a kind elsewhere."""

_LISTED = ", ".join(literal(word) for word in ("", *_WORDS))


def is_missing(text: str) -> str:
    """SQL condition: a text is blank, or a word for a missing value.

    Args:
        text: SQL of the text.

    Example:
        >>> print(is_missing("total")[:24])
        lower(trim(total)) IN ('
    """
    return f"lower(trim({text})) IN ({_LISTED})"


def without_nan(value: str, dtype: str) -> str:
    """SQL of a value with NULL for NaN, which says nothing either.

    Args:
        value: SQL of it.
        dtype: DuckDB's name of its type.

    Example:
        >>> print(without_nan("total", "DOUBLE"), without_nan("name", "VARCHAR"))
        CASE WHEN NOT isnan(total) THEN total END name
    """
    floats = ("FLOAT", "DOUBLE")
    return (
        f"CASE WHEN NOT isnan({value}) THEN {value} END" if dtype in floats else value
    )
