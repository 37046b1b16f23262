from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.metrics.labeled_rows import labeled

from benthic.metrics.group_distance import GroupDistanceRatio, group_distance_ratio


def ratio_by_brute_force(x, y) -> float:
    keep = (y >= 0) & x.ne(0).any(1)
    unit, y = torch.nn.functional.normalize(x[keep].double()), y[keep]
    square = torch.cdist(unit, unit).square()
    classes = y.unique().tolist()
    members = [(y == k).nonzero().flatten() for k in classes]
    inside = [
        square[m][:, m].sum() / (len(m) * (len(m) - 1)) for m in members if len(m) > 1
    ]
    between = [
        square[members[a]][:, members[b]].mean()
        for a in range(len(classes))
        for b in range(a)
    ]
    return float(torch.stack(between).mean() / torch.stack(inside).mean())


@pytest.mark.parametrize("distance", [0.0, 0.5, 3.0])
def test_the_ratio_equals_all_pairs_by_brute_force(distance):
    x, y = labeled(80, 6, distance, num_classes=4)
    x[::9] = 0
    y[::7] = -1
    y[1] = 6  # a class of one row, after an empty class
    expected = ratio_by_brute_force(x, y)
    assert group_distance_ratio(x, y) == pytest.approx(expected, rel=1e-9)


def test_the_ratio_is_one_on_noise_and_large_on_separated_classes():
    x, y = labeled(2100, 16, num_classes=7)
    assert group_distance_ratio(x, y) == pytest.approx(1, abs=0.002)
    x, y = labeled(2100, 16, distance=2.0, num_classes=7)
    assert group_distance_ratio(x, y) > 3


@settings(max_examples=20)
@given(st.integers(0, 10**6))
def test_the_ratio_ignores_the_length_and_the_order_of_rows(seed):
    torch.manual_seed(seed)
    x, y = labeled(40, 5, distance=1.0)
    x = x.double()
    order = torch.randperm(40)
    moved = (x * (torch.rand(40, 1) * 1e6 + 1e-6))[order]
    expected = group_distance_ratio(x, y)
    assert group_distance_ratio(moved, y[order]) == pytest.approx(float(expected))


def test_the_ratio_is_undefined_or_infinite_without_distances():
    y = torch.tensor([0, 0, 1, 1])
    collinear = torch.rand(4, 1) @ torch.rand(1, 5)
    assert group_distance_ratio(collinear, y).isnan()
    assert group_distance_ratio(torch.zeros(4, 5), y).isnan()
    assert group_distance_ratio(torch.rand(4, 5), torch.zeros(4).long()).isnan()
    assert group_distance_ratio(torch.rand(4, 5), torch.arange(4)).isnan()
    assert group_distance_ratio(torch.rand(0, 5), y[:0]).isnan()
    for value in (math.nan, math.inf):
        x = torch.rand(4, 5)
        x[0, 0] = value
        assert group_distance_ratio(x, y).isnan()
    two = torch.tensor([[1.0, 0.0], [2.0, 0.0], [0.0, 0.1], [0.0, 3.0]])
    assert group_distance_ratio(two, y) == math.inf


def test_merged_shards_of_the_ratio_equal_the_whole():
    x, y = labeled(90, 5, distance=0.5)
    left, right = GroupDistanceRatio(3), GroupDistanceRatio(3)
    left.update(x[:20], y[:20])
    right.update(x[20:21], y[20:21])
    right.update(x[21:], y[21:])
    left.merge_state(right)
    assert left.compute() == pytest.approx(float(group_distance_ratio(x, y)))
