"""Windows follow the rhythm of the rows and the horizon of the question."""

from __future__ import annotations

from benthic.relational.features.windows import DAY, Windows, choose_windows


def test_the_horizon_is_the_unit_where_rows_come_more_often():
    found = choose_windows(2 * DAY, 500 * DAY, 30 * DAY)
    assert found.time_names == ["30 days", "90 days", "360 days"]


def test_twice_the_gap_is_the_unit_where_rows_are_rare():
    assert choose_windows(40 * DAY, 300 * DAY, 7 * DAY).time_names == [
        "80 days",
        "240 days",
    ]


def test_without_rhythm_there_are_no_time_windows():
    assert choose_windows(None, None, 30 * DAY) == Windows()


def test_short_windows_are_named_in_hours():
    assert choose_windows(DAY / 24, DAY, None).time_names == ["2 hours", "6 hours"]
