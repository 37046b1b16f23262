from __future__ import annotations

import itertools
import math

import numpy as np
import pandas as pd
import pytest

from benthic.sweeps.summary import GROUP, summarize


def table(seed):
    """Rows of 2 x 2 x 3 x 4 combinations with 5 seeds, some without a test score."""
    rng = np.random.default_rng(seed)
    grid = itertools.product(
        ("cora", "texas"), ("gcn", "gat"), ("none", "a", "b"), (2, 4, 8, 64), range(5)
    )
    return [
        {
            **dict(zip((*GROUP, "seed"), cell, strict=True)),
            "test": None if rng.random() < 0.2 else float(rng.random()),
        }
        for cell in grid
    ]


def by_brute_force(rows):
    frame = pd.DataFrame(rows)
    frame["test"] = frame["test"].astype(float)
    for key, group in frame.groupby(list(GROUP), sort=False):
        *which, depth = key
        alike = (frame[list(GROUP[:3])] == which).all(axis=1)
        shallower = frame[alike & (frame["num_layers"] < depth)]
        medians = shallower.groupby("num_layers")["test"].median()
        best = medians.max() if len(medians) else math.nan
        median = group["test"].median()
        yield [*key, median, group["test"].min(), best, best - median]


@pytest.mark.parametrize("seed", range(3))
def test_the_summary_equals_that_of_pandas(seed):
    rows = table(seed)
    groups = [dict(zip(GROUP, key, strict=True)) for key in _keys(rows)]
    found = pd.DataFrame(summarize(rows, groups))
    assert list(found) == [*GROUP, "median", "worst", "best_shallower", "depth_loss"]
    wanted = pd.DataFrame(by_brute_force(rows), columns=list(found))
    numbers = list(found)[4:]
    found[numbers] = found[numbers].astype(float)
    pd.testing.assert_frame_equal(found, wanted)


def _keys(rows):
    return dict.fromkeys(tuple(row[name] for name in GROUP) for row in rows)


def test_a_depth_where_every_seed_failed_is_undefined_and_no_rival():
    group = dict(zip(GROUP, ("cora", "gcn", "none", 2), strict=True))
    groups = [{**group, "num_layers": depth} for depth in (2, 4, 8)]
    rows = [{**groups[0], "test": 0.8}, {**groups[2], "test": 0.7}]
    _, lost, deep = summarize(rows, groups)
    assert lost["median"] is lost["worst"] is lost["depth_loss"] is None
    assert lost["best_shallower"] == 0.8
    assert deep["depth_loss"] == pytest.approx(0.1)


def test_depth_that_helps_is_a_negative_loss():
    group = dict(zip(GROUP, ("cora", "gcn", "none", 2), strict=True))
    groups = [group, {**group, "num_layers": 4}]
    rows = [{**groups[0], "test": 0.5}, {**groups[1], "test": 0.75}]
    assert summarize(rows, groups)[1]["depth_loss"] == -0.25
