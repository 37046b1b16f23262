"""How is a text read that says a number, yes or no?"""

from __future__ import annotations

from benthic.relational.inference.number_notation import NOTATIONS, Notation
from benthic.relational.inference.profile import ColumnProfile
from benthic.relational.overrides import written_stype
from benthic.relational.schema import Problem, SType
from benthic.relational.sql import quoted

_RATE = 0.99  # share of the texts that are numbers where a column is
_MOSTLY = 0.9  # ... where it may be meant as one: most codes hold fewer


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


def number_problem(
    table: str, seen: ColumnProfile, kind: SType, *, is_said: bool = False
) -> Problem | None:
    """What the texts of a column of numbers hold that is none, or the other way round.

    Args:
        table: Its table.
        seen: What a sample says about the column.
        kind: What it is taken to be.
        is_said: Whether someone says so.
    """
    if seen.family != "text":
        return None
    if kind is SType.numerical:
        text = _unread_numbers(seen)
    elif kind in (SType.text, SType.categorical) and not is_said:
        text = _mostly_numbers(table, seen)
    else:
        return None
    could_be_number = kind is not SType.numerical
    problem = Problem(table, seen.name, text, could_be_number=could_be_number)
    return problem if text else None


def _unread_numbers(seen: ColumnProfile) -> str:
    unread = seen.worded - _numbers(seen, notation(seen) or NOTATIONS[0])
    if not unread:
        return ""
    where = "" if seen.whole_table else " sampled"
    counts = f"{unread:,.0f} of {seen.worded:,}{where} texts"
    return f"no number in {counts}; they count as NULL"


def _mostly_numbers(table: str, seen: ColumnProfile) -> str:
    most = max(_numbers(seen, how) for how in NOTATIONS)
    if not _MOSTLY * seen.worded <= most < seen.worded:
        return ""
    where = "" if seen.whole_table else " sampled"
    counts = f"numbers in {most:,.0f} of {seen.worded:,}{where} texts"
    said = written_stype(table, seen.name, SType.numerical)
    return f"{counts}; to read it as a number, write in {said}"


def _numbers(seen: ColumnProfile, how: Notation) -> float:
    return seen.get(f"number_{how.name}")
