"""How is a text read that says a number, yes or no?"""

from __future__ import annotations

from benthic.relational.inference.number_notation import NOTATIONS, Notation
from benthic.relational.inference.profile import ColumnProfile
from benthic.relational.schema import SType
from benthic.relational.sql import quoted

_RATE = 0.99  # share of the texts that are numbers where a column is


def notation(seen: ColumnProfile) -> Notation | None:
    """How a column of texts writes its numbers; None if they are no numbers.

    Whole numbers are no evidence: a code of digits is text for a reason.

    Args:
        seen: What a sample says about the column.
    """
    for how in NOTATIONS:
        enough = _numbers(seen, how) >= _RATE * seen.worded
        if seen.get(f"fraction_{how.name}") and enough:
            return how
    return None


def text_value(seen: ColumnProfile, kind: SType) -> tuple[str, str] | None:
    """SQL over the raw column and its type, where a text stands for another value.

    Args:
        seen: What a sample says about the column.
        kind: What it is taken to be.
    """
    if seen.family != "text":
        return None
    if kind is SType.boolean:
        return f"TRY_CAST(trim({quoted(seen.name)}) AS BOOLEAN)", "BOOLEAN"
    if kind is SType.numerical:
        how = notation(seen) or NOTATIONS[0]
        return how.sql(seen.name), "DOUBLE"
    return None


def unread_numbers(seen: ColumnProfile) -> str:
    """What the texts of a column of numbers hold that is none; "" if nothing.

    Args:
        seen: What a sample says about the column.
    """
    unread = seen.worded - _numbers(seen, notation(seen) or NOTATIONS[0])
    if seen.family != "text" or not unread:
        return ""
    where = "" if seen.whole_table else " sampled"
    counts = f"{unread:,.0f} of {seen.worded:,}{where} texts"
    return f"no number in {counts}; they count as NULL"


def _numbers(seen: ColumnProfile, how: Notation) -> float:
    return seen.get(f"number_{how.name}")
