"""How long is a window, and does it look the right way?"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from benthic.relational.query import canonical
from benthic.relational.query.faults import Faults
from benthic.relational.query.tree import Aggregate, Clauses, Forecast, Window
from benthic.relational.query.walking import aggregates

DAYS = {
    "seconds": 1 / 86_400,
    "minutes": 1 / 1_440,
    "hours": 1 / 24,
    "days": 1.0,
    "weeks": 7.0,
    "months": 365.2425 / 12,
    "years": 365.2425,
}
"""Mean length of each unit in days."""

MOST_FRAMES = 10_000

MOST_YEARS = 1_000
"""Longest way from the anchor; further on, calendars and databases end."""


def end_in_days(window: Window) -> float:
    """Days from the anchor to the end; months and years at their mean length.

    Example:
        >>> end_in_days(Window(0, 2, "weeks"))
        14.0
    """
    return window.end * DAYS[window.unit]


def width(window: Window) -> tuple[int, str] | None:
    """A length that two windows share only if they are always equally long.

    Weeks count as days, years as months; None for a window without a start.

    Example:
        >>> width(Window(0, 2, "weeks")) == width(Window(-14, 0, "days"))
        True
    """
    if window.start is None:
        return None
    whole = {
        "minutes": (60, "seconds"),
        "hours": (3_600, "seconds"),
        "days": (86_400, "seconds"),
        "weeks": (604_800, "seconds"),
        "years": (12, "months"),
    }
    times, unit = whole.get(window.unit, (1, window.unit))
    return (window.end - window.start) * times, unit


def last_frame(window: Window, frames: int) -> Window:
    """The window of the last of so many frames, each one width after the other.

    Example:
        >>> last_frame(Window(0, 7), 3)
        Window(start=14, end=21, unit='days')
    """
    if window.start is None:
        return window
    shift = (frames - 1) * (window.end - window.start)
    return replace(window, start=window.start + shift, end=window.end + shift)


def check_windows(clauses: Clauses, faults: Faults) -> None:
    """Notes windows that are missing, turned round, too far away, or look wrong.

    Args:
        clauses: The query.
        faults: Takes what is wrong.
    """
    modifier = clauses.modifier
    frames = modifier.frames if isinstance(modifier, Forecast) else 1
    frames = frames if 1 <= frames <= MOST_FRAMES else 1
    target = aggregates(clauses.target)
    sound = [_check_one(part, Window(0, 30), faults, frames) for part in target]
    if target and all(sound):
        _check_future(target, faults)
    for part in aggregates(clauses.where):
        if _check_one(part, Window(-30, 0), faults):
            _check(part, lambda window: window.end <= 0, _past, faults)
    for part in aggregates(clauses.assuming):
        if _check_one(part, Window(0, 30), faults):
            _check(part, _starts_now, _ahead, faults)


def _starts_now(window: Window) -> bool:
    return window.start is not None and window.start >= 0


def _check(
    node: Aggregate,
    fits: Callable[[Window], bool],
    note: Callable[[Window, Faults], None],
    faults: Faults,
) -> None:
    if node.window is not None and not fits(node.window):
        note(node.window, faults)


def _past(window: Window, faults: Faults) -> None:
    faults.add(
        "window",
        window.place,
        "WHERE may not look past the anchor: it would leak the future",
        "an end of at most 0",
        "to condition on the future, use ASSUMING",
    )


def _ahead(window: Window, faults: Faults) -> None:
    faults.add(
        "window",
        window.place,
        "ASSUMING speaks of what is to come, and this window begins before the anchor",
        "a start of at least 0",
        "a look-back condition belongs in WHERE",
    )


def _check_future(target: list[Aggregate], faults: Faults) -> None:
    windows = [part.window for part in target if part.window is not None]
    if all(window.end <= 0 for window in windows):
        faults.add(
            "window",
            windows[0].place,
            "the target lies entirely in the past: nothing is left to predict",
            "an end after the anchor (greater than 0)",
            "a look-back condition belongs in WHERE",
        )


def _check_one(
    node: Aggregate, default: Window, faults: Faults, frames: int = 1
) -> bool:
    window = node.window
    if window is None:
        _missing(node, default, faults)
    elif window.start is not None and window.start >= window.end:
        _turned(window, faults)
    elif _years(last_frame(window, frames)) > MOST_YEARS:
        faults.add(
            "window",
            window.place,
            "this window reaches too far from the anchor",
            f"at most {MOST_YEARS} years, over all timeframes",
        )
    else:
        return True
    return False


def _years(window: Window) -> float:
    farthest = max(abs(window.start or 0), abs(window.end))
    # Compared as whole numbers first: a float may not hold the product.
    return min(farthest, 10**15) * DAYS[window.unit] / DAYS["years"]


def _missing(node: Aggregate, default: Window, faults: Faults) -> None:
    message = f"{node.function} needs a window"
    if node.function == "LIST_DISTINCT":
        message = "LIST_DISTINCT without a window is not supported yet"
    mended = canonical.expression(replace(node, window=default))
    hint = f"did you mean {mended}?"
    faults.add("window", node.place, message, "start, end, unit", hint)


def _turned(window: Window, faults: Faults) -> None:
    start, end = window.start, window.end
    if start != end:
        turned = canonical.window(replace(window, start=end, end=start or 0))
        message, hint = "the window ends before it starts", f"did you mean {turned}?"
    else:
        bounds = (min(0, end), max(0, end)) if end else (0, 30)
        full = canonical.window(replace(window, start=bounds[0], end=bounds[1]))
        message, hint = "the window ends where it starts", f"did you mean {full}?"
    faults.add("window", window.place, message, "a start smaller than the end", hint)
