"""The loops agree with pandas, whatever the rows."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benthic.relational.features import aggregates


def rows(seed, count=40, keys=4):
    rng = np.random.default_rng(seed)
    key = np.sort(rng.integers(0, keys, count))
    time = np.concatenate(
        [np.sort(rng.integers(0, 30, (key == k).sum())) for k in range(keys)]
    ).astype(np.int64)
    values = rng.normal(size=count)
    values[rng.random(count) < 0.2] = np.nan
    offsets = np.searchsorted(key, np.arange(keys + 1)).astype(np.int64)
    return key, time, values, offsets


def seeds(seed, keys=4):
    rng = np.random.default_rng(seed + 1)
    return rng.integers(-1, keys, 15), rng.integers(-2, 35, 15)


@settings(max_examples=30)
@given(st.integers(0, 10_000))
def test_a_seed_sees_the_rows_of_its_key_up_to_its_time(seed):
    key, time, _, offsets = rows(seed)
    who, until = seeds(seed)
    begin, end = aggregates.visible_rows(offsets, time, who, until)
    for i in range(len(who)):
        seen = np.flatnonzero((key == who[i]) & (time <= until[i]))
        assert list(range(begin[i], end[i])) == list(seen)


@settings(max_examples=30)
@given(st.integers(0, 10_000))
def test_time_windows_hold_the_rows_after_their_edge(seed):
    _, time, _, offsets = rows(seed)
    who, until = seeds(seed)
    begin, end = aggregates.visible_rows(offsets, time, who, until)
    starts = aggregates.time_starts(time, begin, end, until, np.array([3, 10]))
    for i in range(len(who)):
        for j, length in enumerate((3, 10)):
            inside = time[begin[i] : end[i]] > until[i] - length
            assert end[i] - starts[i, j] == inside.sum()


@settings(max_examples=30)
@given(st.integers(0, 10_000))
def test_windows_and_whole_history_are_what_pandas_says(seed):
    _, time, values, offsets = rows(seed)
    who, until = seeds(seed)
    begin, end = aggregates.visible_rows(offsets, time, who, until)
    starts = aggregates.row_starts(begin, end, np.array([1, 5]))
    found = aggregates.nested_windows(values, end, starts)
    order = np.lexsort((end, begin))
    whole = aggregates.whole_history(values, begin, end, order, 0.5)
    slope = aggregates.slopes(values, end, begin)
    for i in range(len(who)):
        for j in range(2):
            expected = _described(values[starts[i, j] : end[i]])
            assert found[i, j] == pytest.approx(expected, nan_ok=True)
        seen = pd.Series(values[begin[i] : end[i]])
        known = seen.dropna()
        assert np.nan_to_num(whole[i, :5]) == pytest.approx(
            np.nan_to_num(_described(seen.to_numpy()))
        )
        if len(known):
            weights = 0.5 ** np.arange(len(known))[::-1]
            assert whole[i, 5] == known.iloc[0]
            assert whole[i, 6] == known.iloc[-1]
            assert whole[i, 7] == pytest.approx(np.average(known, weights=weights))
        if len(known) > 2:
            line = np.polyfit(known.index, known, 1)[0]
            assert slope[i] == pytest.approx(line, abs=1e-9)


@settings(max_examples=30)
@given(st.integers(0, 10_000))
def test_shares_are_the_means_of_ones_and_zeros_to_the_bit(seed):
    _, time, values, offsets = rows(seed)
    who, until = seeds(seed)
    truths = values > 0.3
    begin, end = aggregates.visible_rows(offsets, time, who, until)
    starts = aggregates.row_starts(begin, end, np.array([1, 3, 7]))
    order = np.lexsort((end, begin))
    numbers = truths.astype(np.float64)
    windows = aggregates.nested_windows(numbers, end, starts)
    whole = aggregates.whole_history(numbers, begin, end, order, 0.8)
    shares = aggregates.nested_shares(truths, end, starts)
    both = aggregates.whole_shares(truths, begin, end, order, 0.8)
    assert np.array_equal(shares, windows[:, :, 1], equal_nan=True)
    assert np.array_equal(both, whole[:, [1, 7]], equal_nan=True)


@settings(max_examples=30)
@given(st.integers(0, 10_000))
def test_distinct_values_and_runs_agree_with_sets(seed):
    _, time, _, offsets = rows(seed)
    codes = np.random.default_rng(seed).integers(-1, 3, len(time))
    who, until = seeds(seed)
    begin, end = aggregates.visible_rows(offsets, time, who, until)
    found = aggregates.distinct_values(codes, end, begin[:, None], 3)
    runs = aggregates.run_starts(codes, begin, end)
    for i in range(len(who)):
        seen = codes[begin[i] : end[i]]
        assert found[i, 0] == len(set(seen[seen >= 0]))
        if len(seen):
            changes = np.flatnonzero(seen != seen[-1])
            first = changes[-1] + 1 if len(changes) else 0
            assert runs[i] == begin[i] + first


def _described(values):
    known = pd.Series(values).dropna()
    return [len(known), known.mean(), known.std(), known.min(), known.max()]
