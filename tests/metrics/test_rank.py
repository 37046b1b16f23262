from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from benthic.metrics.rank import (
    EffectiveRank,
    NumericalRank,
    effective_rank,
    numerical_rank,
)

RANKS = [effective_rank, numerical_rank]


def by_svd(x: torch.Tensor) -> tuple[float, float]:
    sigma = np.linalg.svd(x.double().numpy(), compute_uv=False)
    p = sigma[sigma > 0] / sigma.sum()
    return float(np.exp(-(p * np.log(p)).sum())), float(
        (sigma**2).sum() / sigma[0] ** 2
    )


@pytest.mark.parametrize("rank", RANKS)
def test_equal_rows_have_rank_one(rank):
    x = torch.randn(1, 16).expand(100, 16)
    assert rank(x).item() == pytest.approx(1.0, abs=1e-6)


@pytest.mark.parametrize("rank", RANKS)
def test_orthogonal_rows_have_full_rank(rank):
    x = torch.linalg.qr(torch.randn(8, 8, dtype=torch.float64))[0]
    assert rank(x).item() == pytest.approx(8.0)


@pytest.mark.parametrize("rank", RANKS)
def test_two_opposite_collapsed_clusters_have_rank_one(rank):
    sign = torch.tensor([1.0, -1.0]).repeat(50).unsqueeze(1)
    assert rank(sign * torch.randn(1, 16)).item() == pytest.approx(1.0, abs=1e-6)


@pytest.mark.parametrize("rank", RANKS)
def test_a_dead_network_has_no_rank(rank):
    assert rank(torch.zeros(5, 3)).isnan()


@pytest.mark.parametrize("rank", RANKS)
def test_a_network_dead_but_for_one_row_has_rank_one(rank):
    x = torch.zeros(500, 16)
    x[7] = torch.randn(16)
    assert rank(x).item() == pytest.approx(1.0)


@given(seed=st.integers(0, 1000))
def test_relabelling_nodes_changes_nothing(seed):
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(20, 4, generator=generator)
    order = torch.randperm(20, generator=generator)
    for rank in RANKS:
        torch.testing.assert_close(rank(x), rank(x[order]))


@given(seed=st.integers(0, 1000), power=st.integers(-18, 18))
def test_scale_does_not_matter(seed, power):
    x = torch.randn(20, 4, generator=torch.Generator().manual_seed(seed))
    for rank in RANKS:
        torch.testing.assert_close(rank(x * 10.0**power), rank(x), rtol=1e-5, atol=0)


@pytest.mark.parametrize("rank", RANKS)
@pytest.mark.parametrize("power", [-300, -160, 160, 300])
def test_float64_scale_does_not_matter_where_squares_leave_the_type(rank, power):
    x = torch.randn(20, 4, dtype=torch.float64)
    torch.testing.assert_close(rank(x * 10.0**power), rank(x))


@pytest.mark.parametrize("metric", [EffectiveRank, NumericalRank])
def test_merging_two_halves_equals_the_whole(metric):
    x = torch.randn(50, 6)
    whole, left, right = metric(), metric(), metric()
    whole.update(x)
    left.update(x[:13])
    right.update(x[13:])
    left.merge_state(right)
    torch.testing.assert_close(left.compute(), whole.compute())


@pytest.mark.parametrize("shape", [(300, 20), (20, 300), (7, 7), (1, 5), (5, 1)])
def test_equals_the_singular_value_decomposition(shape):
    x = torch.randn(shape) @ torch.diag(torch.logspace(0, -4, shape[1]))
    effective, numerical = by_svd(x)
    assert effective_rank(x).item() == pytest.approx(effective, rel=1e-4)
    assert numerical_rank(x).item() == pytest.approx(numerical, rel=1e-6)


def test_singular_values_of_a_millionth_are_seen():
    x = torch.diag(torch.tensor([1.0, 1e-6], dtype=torch.float64))
    assert effective_rank(x).item() == pytest.approx(by_svd(x)[0], rel=1e-9)


def test_the_narrow_side_keeps_memory_small():
    assert effective_rank(torch.randn(2, 200_000)).item() == pytest.approx(2, abs=0.01)
