"""Gaps, spans and common values of rows before the training cutoff."""

from __future__ import annotations

import numpy as np
import pandas as pd

from benthic.relational.features import rhythm
from benthic.relational.features.columns import Reading
from benthic.relational.schema import SType

ROWS = pd.DataFrame({"key": [1, 1, 1, 2, 2], "time": [0, 10, 10, 5, 25]})


def test_rows_of_one_moment_are_one_beat():
    assert rhythm.usual_gap(ROWS) == 15
    assert rhythm.moments_per_key(ROWS) == 2


def test_a_span_is_that_of_a_long_lived_key():
    assert rhythm.usual_span(ROWS) == 19
    assert rhythm.usual_span(ROWS.head(0)) is None
    assert rhythm.usual_gap(ROWS.head(1)) is None


def statistics(values, stype):
    return rhythm.with_statistics(Reading("v", stype), pd.DataFrame({"v": values}))


def test_common_categories_are_named_commonest_first():
    found = statistics(["b", "a", "b", None], SType.categorical)
    assert found is not None
    assert found.common == ("b", "a")
    assert found.missing


def test_a_number_that_is_often_the_same_has_that_value_named():
    values = np.append(np.zeros(50), np.arange(1, 51) / 7)
    found = statistics(values, SType.numerical)
    assert found is not None
    assert found.common == ("0.0",)


def test_what_never_varies_or_never_repeats_is_left_out():
    assert statistics([1.0, 1.0], SType.numerical) is None
    assert statistics(["a", "b", "c"], SType.categorical) is None
