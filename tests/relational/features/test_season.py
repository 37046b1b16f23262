"""The same season of earlier years, only when it is over."""

from __future__ import annotations

import numpy as np
import pandas as pd

from benthic.relational.features.events import Moments
from benthic.relational.features.season import (
    Days,
    calendar_features,
    season_features,
    years_back,
)
from benthic.relational.features.windows import DAY


def moments(anchor, until=None):
    anchors = np.array([pd.Timestamp(anchor).value // 1000])
    ends = anchors if until is None else np.array([pd.Timestamp(until).value // 1000])
    return Moments(np.zeros(1, np.int64), anchors, ends)


def test_a_shift_is_whole_weeks_and_ends_before_the_cut():
    for until in ("2024-06-01", "2023-09-01", "2019-01-01"):
        seed = moments("2024-06-01", until)
        shift = years_back(seed, 30 * DAY, 0)
        assert shift[0] % (7 * DAY) == 0
        assert seed.anchors[0] - shift[0] + 30 * DAY <= seed.until[0]
        assert abs(shift[0] / DAY / 365.2425 % 1 - 0.5) > 0.48


def test_rows_of_this_season_last_year_are_counted():
    days = pd.date_range("2020-01-01", "2024-05-31")
    rows = np.where(days.month == 6, 10, 1)
    table = Days(days.to_numpy("datetime64[us]").astype(np.int64), rows)
    found = dict(
        (feature.name, values[0])
        for feature, values in season_features(
            "t", table, moments("2024-06-01"), 30 * DAY
        )
    )
    assert 250 < found["t rows this season last year"] <= 300
    assert found["t days with rows this season last year"] == 30


def test_the_calendar_is_that_of_the_anchor():
    found = {
        f.aggregate: v[0] for f, v in calendar_features(moments("2024-06-05 13:00"))
    }
    assert found == {
        "month": 6,
        "day of year": 157,
        "day of month": 5,
        "weekday": 2,
        "hour": 13,
        "days since cut": 0,
    }
