"""Seeds as frames become moments, whatever their times look like."""

from __future__ import annotations

import pandas as pd
import pytest
from tests.relational.features.stores import START, frames, opened

from benthic.errors import InputError
from benthic.relational.features.seeds import (
    microsecond,
    microseconds,
    moments_of,
    seed_history,
)

DAY = pd.Timedelta(days=1)


def test_a_time_with_a_zone_is_the_same_moment_in_utc():
    here = pd.Series([START.tz_localize("Europe/Paris")])
    there = pd.Series([START - pd.Timedelta(hours=1)])
    assert microseconds(here).tolist() == microseconds(there).tolist()


def test_a_missing_time_is_refused():
    with pytest.raises(InputError, match="missing times"):
        microseconds(pd.Series([START, pd.NaT]))


def test_a_seed_sees_up_to_the_earliest_of_its_anchor_its_cut_and_the_cutoff():
    db = opened(frames(0))
    asked = pd.DataFrame({"entity": [0, 1, 2], "anchor_time": START + 5 * DAY})
    asked["cut_time"] = [START + 9 * DAY, START + 2 * DAY, START + 4 * DAY]
    cutoff = (START + 3 * DAY).to_pydatetime()
    for limit, days in ((None, [5, 2, 4]), (cutoff, [3, 2, 3])):
        made = moments_of(db, "people", asked, cutoff=limit, strict=False)
        assert made.until.tolist() == [microsecond(START + n * DAY) for n in days]
    strict = moments_of(db, "people", asked, cutoff=None, strict=True)
    assert strict.until[0] == microsecond(START + 5 * DAY) - 1


def test_a_label_is_past_once_its_window_is_over():
    asked = pd.DataFrame({"entity": [0, 0], "anchor_time": START, "label": 1.0})
    history = seed_history(asked, DAY.to_pytimedelta())
    assert history is not None
    assert history["observed_at"].tolist() == [START + DAY]
    assert seed_history(asked, None) is None
