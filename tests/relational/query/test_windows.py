"""Windows: their order, their side of the anchor, and how far they reach."""

from __future__ import annotations

import pytest
from tests.relational.query.asking import asked, customers, error_of, filtered, place_of

from benthic.relational.query.tree import Window
from benthic.relational.query.windows import end_in_days, last_frame, width


@pytest.mark.parametrize(
    "target",
    [
        "COUNT(orders.*, 15, 45, days)",
        "COUNT(orders.*, -7, 30, days)",
        "COUNT(orders.*, -INF, 30)",
        "SUM(orders.total, 0, 30) - SUM(orders.total, -30, 0)",
        "COUNT(orders.*, 0, 1000, years)",
        "COUNT(orders.*, 0, 31000000000, seconds)",
    ],
)
def test_a_target_with_a_window_that_reaches_the_future_is_fine(target):
    assert asked(customers(target))


@pytest.mark.parametrize(
    ("text", "place", "message", "hint"),
    [
        (customers("COUNT(orders.*, 0, 0)"), "0, 0", "the window ends where it starts",
         "did you mean 0, 30, days?"),
        (customers("COUNT(orders.*, 7, 7, weeks)"), "7, 7, weeks",
         "the window ends where it starts", "did you mean 0, 7, weeks?"),
        (filtered("COUNT(orders.*, 0, -30) > 0"), "0, -30",
         "the window ends before it starts", "did you mean -30, 0, days?"),
        (filtered("COUNT(orders.*) > 0"), "COUNT(orders.*)", "COUNT needs a window",
         "did you mean COUNT(orders.*, -30, 0, days)?"),
        (customers("LIST_DISTINCT(orders.channel) CLASSIFY"),
         "LIST_DISTINCT(orders.channel)",
         "LIST_DISTINCT without a window is not supported yet",
         "did you mean LIST_DISTINCT(orders.channel, 0, 30, days)?"),
        (filtered("COUNT(orders.*, -INF, 1) > 0"), "-INF, 1",
         "WHERE may not look past the anchor: it would leak the future",
         "to condition on the future, use ASSUMING"),
        (customers("COUNT(orders.*, 0, 1001, years)"), "0, 1001, years",
         "this window reaches too far from the anchor", None),
        (customers("COUNT(orders.*, 0, 2, years) FORECAST 501 TIMEFRAMES"),
         "0, 2, years", "this window reaches too far from the anchor", None),
        (customers("COUNT(orders.*, 0, INF)"), "0, INF",
         "a window may begin at -INF but always has an end", None),
        (customers("COUNT(orders.*, INF, 3)"), "INF, 3",
         "a window may begin at -INF but always has an end", None),
        (customers("COUNT(orders.*, 0, -INF)"), "0, -INF",
         "a window may begin at -INF but always has an end", None),
    ],
)  # fmt: skip
def test_a_window_that_makes_no_sense_is_refused(text, place, message, hint):
    error = error_of(text)

    assert (error.kind, error.message, error.suggestion) == ("window", message, hint)
    assert place_of(error) == place
    assert error.others == ()


def test_windows_are_measured_in_days_in_widths_and_in_frames():
    assert end_in_days(Window(0, 36, "hours")) == 1.5
    assert width(Window(0, 1, "weeks")) == width(Window(-84, 84, "hours"))
    assert width(Window(0, 1, "years")) == width(Window(1, 13, "months"))
    assert width(Window(0, 30)) != width(Window(0, 1, "months"))
    assert width(Window(None, 3)) is None
    assert last_frame(Window(2, 9), 1) == Window(2, 9)
    assert last_frame(Window(2, 9, "weeks"), 4) == Window(23, 30, "weeks")
