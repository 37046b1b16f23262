from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest

from benthic.errors import InputError
from benthic.relational.engines.engine import (
    Target,
    check_examples,
    drawn_lags,
    lags_of,
    peak_memory_mb,
)

DAY = pd.Timedelta(days=1)
AT = pd.Timestamp("2025-03-01").as_unit("us")


def examples(size=30, days=(0,)):
    anchors = [AT + days[i % len(days)] * DAY for i in range(size)]
    label = [i % 2 for i in range(size)]
    return pd.DataFrame({"entity": range(size), "anchor_time": anchors, "label": label})


@pytest.mark.parametrize("horizon", [None, pd.Timedelta(days=1, microseconds=1)])
def test_a_target_survives_json(horizon):
    target = Target("a", "b", "ranking", horizon, 5, "c", "d", query="PREDICT …")
    assert Target.from_json(json.loads(json.dumps(target.to_json()))) == target


@pytest.mark.parametrize("column", ["entity", "anchor_time", "label"])
def test_a_missing_column_is_named(column):
    broken = examples().drop(columns=column)
    with pytest.raises(InputError, match=f"train: found no column {column}"):
        check_examples(broken, examples(), "binary")
    with pytest.raises(InputError, match=f"validation: found no column {column}"):
        check_examples(examples(), broken, "binary")


def test_too_little_to_learn_from_says_how_little():
    with pytest.raises(InputError, match="19 training and 30 validation labels"):
        check_examples(examples(19), examples(), "regression")
    with pytest.raises(InputError, match="30 training and 0 validation labels"):
        check_examples(examples(), examples(0), "regression")
    check_examples(examples(20), examples(1), "binary")


def test_one_value_is_no_class_but_may_be_a_number():
    same = examples().assign(label=1)
    check_examples(same, same, "regression")
    with pytest.raises(InputError, match="only the class 1"):
        check_examples(same, same, "multiclass")


def test_each_anchor_draws_its_own_lag_for_all_of_its_rows():
    lags = np.array([1, 2, 3, 4], dtype="timedelta64[D]")
    rows = examples(200, days=range(20))
    cut = drawn_lags(rows, lags, seed=0)
    lag = (cut.anchor_time - cut.cut_time) / DAY
    assert lag.groupby(cut.anchor_time).nunique().eq(1).all()
    assert set(lag) == {1, 2, 3, 4}
    assert "cut_time" not in rows
    shuffled = drawn_lags(rows.sample(frac=1, random_state=0), lags, seed=0)
    assert shuffled.cut_time.sort_index().equals(cut.cut_time)
    assert not drawn_lags(rows, lags, seed=1).equals(cut)


def test_lags_are_those_of_the_anchors_and_none_without_a_cut():
    seeds = examples(6, days=(0, 7, 14))
    assert lags_of(seeds).size == 0
    assert lags_of(seeds.assign(cut_time=seeds.anchor_time + DAY)).size == 0
    lags = lags_of(seeds.assign(cut_time=AT + 7 * DAY))
    assert sorted((lags / np.timedelta64(1, "D")).tolist()) == [0, 0, 7]


def test_the_peak_of_memory_never_falls():
    before = peak_memory_mb()
    block = np.ones(2_000_000)
    assert peak_memory_mb() >= before
    assert block.size
