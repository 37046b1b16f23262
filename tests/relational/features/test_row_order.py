"""Rows come out in order of key, time and source, however they came in."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from benthic.relational.features.row_order import row_places

ROWS = st.lists(st.tuples(st.integers(0, 4), st.integers(-3, 3)), max_size=30)


@settings(max_examples=60)
@given(ROWS, st.booleans(), st.randoms(use_true_random=False))
def test_the_order_is_that_of_a_sort_by_key_time_and_number(rows, is_timely, random):
    if is_timely:
        rows = sorted(rows, key=lambda row: row[1])
    numbers = list(range(len(rows)))
    if not is_timely:
        random.shuffle(numbers)
    keys, times = np.array(rows, np.int64).reshape(len(rows), 2).T.copy()
    numbers = np.array(numbers, np.int64)
    offsets, places = row_places(keys, times, numbers, 5)
    expected = np.lexsort((numbers, times, keys))
    assert np.argsort(places).tolist() == expected.tolist()
    assert offsets.tolist() == [int((keys < k).sum()) for k in range(6)]
