from __future__ import annotations

import pytest
import torch
from tests.metrics.random_rows import by_pairs, some_rows

from benthic.metrics.directions import pooled_cosine, sum_directions


def test_the_sum_is_that_of_the_rows_that_have_a_direction():
    x = some_rows()
    live = x[(x != 0).any(1)].double()
    total, count = sum_directions(x)
    expected = (live / live.norm(dim=1, keepdim=True)).sum(0)
    torch.testing.assert_close(total, expected, rtol=1e-5, atol=1e-5)
    assert count == len(live)


def test_from_a_center_rows_that_are_rounding_have_no_direction():
    x = torch.full((5, 3), 0.1)
    x[0] += 1
    _, count = sum_directions(x, torch.full((3,), 0.1).double())
    assert count == 1


def test_the_mean_cosine_follows_from_the_sum():
    x = some_rows()
    assert pooled_cosine(*sum_directions(x)).item() == pytest.approx(
        by_pairs(x), abs=1e-6
    )


def test_groups_are_pooled_over_all_of_their_pairs():
    groups = [some_rows(9), some_rows(30)]
    sums, counts = zip(*map(sum_directions, groups), strict=True)
    cosines = torch.tensor([by_pairs(x) for x in groups])
    pairs = torch.stack(counts) * (torch.stack(counts) - 1)
    pooled = pooled_cosine(torch.stack(sums), torch.stack(counts))
    expected = float((cosines * pairs).sum() / pairs.sum())
    assert pooled.item() == pytest.approx(expected, abs=1e-6)


def test_without_a_pair_the_mean_cosine_is_undefined():
    assert pooled_cosine(*sum_directions(torch.ones(1, 2))).isnan()
