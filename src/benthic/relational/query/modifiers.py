"""Do FORECAST, RANK and CLASSIFY fit the target?"""

from __future__ import annotations

from benthic.relational.query.faults import Faults
from benthic.relational.query.kinds import CONDITIONS
from benthic.relational.query.stypes import stype
from benthic.relational.query.tree import (
    Aggregate,
    Classify,
    Clauses,
    ColumnRef,
    Expression,
    Forecast,
    Rank,
)
from benthic.relational.query.walking import aggregates, columns
from benthic.relational.query.windows import MOST_FRAMES, width
from benthic.relational.schema import Schema, SType

NUMBERS = "an aggregate or arithmetic of aggregates"


def check_modifier(clauses: Clauses, schema: Schema | None, faults: Faults) -> None:
    """Notes a modifier that the target does not bear, or one that it lacks.

    Args:
        clauses: The query.
        schema: Tells which columns hold sets; without it they are not known.
        faults: Takes what is wrong.
    """
    modifier = clauses.modifier
    if modifier is None:
        _check_bare(clauses.target, schema, faults)
    elif isinstance(modifier, Forecast):
        _check_forecast(modifier, clauses.target, schema, faults)
    else:
        _check_list(modifier, clauses.target, schema, faults)


def _is_list(node: Expression, schema: Schema | None) -> bool:
    if isinstance(node, Aggregate):
        return node.function == "LIST_DISTINCT"
    known = schema is not None and isinstance(node, ColumnRef)
    return known and stype(node, schema) is SType.multicategorical  # type: ignore[arg-type]


def _check_bare(target: Expression, schema: Schema | None, faults: Faults) -> None:
    if _is_list(target, schema):
        faults.add(
            "clause",
            target.place,
            "a list as target needs to be told what to do with it",
            "RANK TOP k or CLASSIFY after the target",
        )
    elif schema is not None and stype(target, schema) is SType.multicategorical:
        message = "a list of the first or last row cannot be predicted as a whole"
        faults.add("clause", target.place, message, "a condition: CONTAINS and a value")


def _check_list(
    modifier: Rank | Classify, target: Expression, schema: Schema | None, faults: Faults
) -> None:
    word = type(modifier).__name__.upper()
    if modifier.k is not None and modifier.k < 1:
        message = f"{word} TOP 0 asks for nothing"
        faults.add("clause", modifier.place, message, "a number of at least 1")
    unknown = isinstance(target, ColumnRef) and (
        schema is None or stype(target, schema) is None
    )
    if not unknown and not _is_list(target, schema):
        faults.add(
            "clause",
            modifier.place,
            f"{word} needs a list of values, and the target is "
            f"{'a condition' if isinstance(target, CONDITIONS) else 'one value'}",
            "LIST_DISTINCT(...), or a multicategorical column",
            f"drop {word}",
        )


def _check_forecast(
    modifier: Forecast, target: Expression, schema: Schema | None, faults: Faults
) -> None:
    message, hint, expected = None, None, NUMBERS
    needs = "FORECAST needs a number for each timeframe, and the target is"
    if isinstance(target, CONDITIONS):
        message, hint = f"{needs} a condition", "drop the comparison, or drop FORECAST"
    elif _is_list(target, schema):
        message = f"{needs} a list"
    elif not aggregates(target) or columns(target):
        message = "FORECAST needs windows, and a column has none"
    elif schema is not None and stype(target, schema) not in (None, SType.numerical):
        message = f"{needs} {stype(target, schema)}"
    elif not 1 <= modifier.frames <= MOST_FRAMES:
        message = f"{modifier.frames} timeframes cannot be forecast"
        expected = f"a number from 1 to {MOST_FRAMES}"
    if message is not None:
        faults.add("clause", modifier.place, message, expected, hint)
        return
    _check_widths(target, faults)


def _check_widths(target: Expression, faults: Faults) -> None:
    windows = [part.window for part in aggregates(target) if part.window is not None]
    for window in windows:
        if window.start is None:
            message = "FORECAST steps by the width of the window, and this has none"
            faults.add("clause", window.place, message, "a start that is a number")
        elif width(window) != width(windows[0]):
            message = "all windows of a FORECAST have one width, which is its step"
            expected = f"a window as wide as {windows[0].start}, {windows[0].end}"
            faults.add(
                "clause", window.place, message, f"{expected}, {windows[0].unit}"
            )
