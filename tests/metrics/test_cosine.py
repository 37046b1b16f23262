from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from tests.metrics.random_rows import by_pairs, some_rows

from benthic.errors import InputError
from benthic.metrics.cosine import (
    CenteredCosineSimilarity,
    MeanCosineSimilarity,
    centered_cosine_similarity,
    mean_cosine_similarity,
)

GAUGES = [mean_cosine_similarity, centered_cosine_similarity]


def test_equal_rows_have_cosine_one():
    x = torch.randn(1, 8).expand(30, 8)
    assert mean_cosine_similarity(x).item() == pytest.approx(1.0, abs=1e-6)


def test_orthogonal_rows_have_cosine_zero():
    assert mean_cosine_similarity(torch.eye(8)).item() == pytest.approx(0.0)


def test_opposite_rows_have_cosine_minus_one():
    x = torch.tensor([[1.0, 2.0], [-2.0, -4.0]])
    assert mean_cosine_similarity(x).item() == pytest.approx(-1.0)
    assert centered_cosine_similarity(x).item() == pytest.approx(-1.0)


def test_noise_after_relu_reads_one_over_pi():
    x = torch.randn(20_000, 512).relu()
    assert mean_cosine_similarity(x).item() == pytest.approx(1 / math.pi, abs=0.002)
    assert centered_cosine_similarity(x).item() == pytest.approx(0.0, abs=0.002)


@pytest.mark.parametrize("gauge", GAUGES)
def test_a_dead_network_is_undefined_never_healthy(gauge):
    assert gauge(torch.zeros(10, 4)).isnan()


def test_two_opposite_collapsed_clusters_look_diverse():
    sign = torch.tensor([1.0, -1.0]).repeat(500).unsqueeze(1)
    x = sign * torch.randn(1, 16)
    assert mean_cosine_similarity(x).item() == pytest.approx(-1 / 999, abs=1e-6)
    assert centered_cosine_similarity(x).item() == pytest.approx(-1 / 999, abs=1e-6)
    cluster = torch.tensor([0, 1]).repeat(500)
    assert mean_cosine_similarity(x, cluster).item() == pytest.approx(1.0, abs=1e-6)


@pytest.mark.parametrize("dtype", [torch.float16, torch.float32, torch.float64])
def test_equal_rows_have_no_direction_from_their_mean(dtype):
    x = torch.randn(1, 8).expand(10_001, 8).to(dtype)
    assert centered_cosine_similarity(x).isnan()


@pytest.mark.parametrize("gauge", GAUGES)
def test_one_row_is_undefined(gauge):
    assert gauge(torch.ones(1, 4)).isnan()


def test_components_without_pairs_are_undefined():
    assert mean_cosine_similarity(torch.ones(3, 2), torch.arange(3)).isnan()


@pytest.mark.parametrize("power", [-40, -25, 25, 37])
def test_scale_does_not_matter_where_squares_leave_the_type(power):
    x = some_rows().clamp(-3, 3)
    scaled = x * 10.0**power
    for gauge in GAUGES:
        torch.testing.assert_close(gauge(scaled), gauge(x), rtol=1e-4, atol=1e-4)


@given(seed=st.integers(0, 1000))
def test_relabelling_nodes_changes_nothing(seed):
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(12, 3, generator=generator)
    component = torch.randint(3, (12,), generator=generator)
    order = torch.randperm(12, generator=generator)
    for gauge in GAUGES:
        torch.testing.assert_close(gauge(x[order]), gauge(x), rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(
        mean_cosine_similarity(x[order], component[order]),
        mean_cosine_similarity(x, component),
        rtol=1e-5,
        atol=1e-6,
    )


@given(seed=st.integers(0, 1000))
def test_row_lengths_do_not_matter(seed):
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(12, 3, generator=generator)
    scale = torch.rand(12, 1, generator=generator) + 0.1
    torch.testing.assert_close(
        mean_cosine_similarity(x * scale),
        mean_cosine_similarity(x),
        rtol=1e-5,
        atol=1e-6,
    )


def test_equals_all_pairs():
    x = some_rows()
    assert mean_cosine_similarity(x).item() == pytest.approx(by_pairs(x), abs=1e-6)
    centered = x - x.mean(dim=0)
    expected = by_pairs(centered)
    assert centered_cosine_similarity(x).item() == pytest.approx(expected, abs=1e-6)


def test_equals_the_pairs_inside_components():
    x, component = some_rows(), torch.randint(5, (40,))
    component[:2] = 7  # numbers may have gaps
    expected = by_pairs(x, component)
    actual = mean_cosine_similarity(x, component).item()
    assert actual == pytest.approx(expected, abs=1e-6)


def test_merging_two_halves_equals_the_whole():
    x = some_rows()
    component = torch.randint(3, (40,))
    center = x.double().mean(dim=0)
    cases = [
        (MeanCosineSimilarity, {}, (x,)),
        (MeanCosineSimilarity, {"num_components": 3}, (x, component)),
        (CenteredCosineSimilarity, {"center": center}, (x,)),
    ]
    for metric, options, arguments in cases:
        whole, left, right = (metric(**options) for _ in range(3))
        whole.update(*arguments)
        left.update(*(a[:13] for a in arguments))
        right.update(*(a[13:] for a in arguments))
        left.merge_state(right)
        torch.testing.assert_close(left.compute(), whole.compute())


def test_a_component_number_out_of_range_is_refused():
    with pytest.raises(InputError, match=r"component: found number -1; number comp"):
        mean_cosine_similarity(torch.ones(2, 2), torch.tensor([0, -1]))
    metric = MeanCosineSimilarity(num_components=2)
    with pytest.raises(InputError, match=r"component: found number 2; .* from 0 to 1"):
        metric.update(torch.ones(2, 2), torch.tensor([0, 2]))


def test_components_need_their_number_before_the_stream_starts():
    with pytest.raises(InputError, match="num_components=None; give both or neither"):
        MeanCosineSimilarity().update(torch.ones(2, 2), torch.tensor([0, 1]))
    with pytest.raises(InputError, match="num_components=2; give both or neither"):
        MeanCosineSimilarity(num_components=2).update(torch.ones(2, 2))
