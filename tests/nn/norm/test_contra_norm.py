"""ContraNorm pushes like rows apart, without holding their pairs."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn.attention import SDPBackend, sdpa_kernel

from benthic.errors import InputError
from benthic.nn.norm import (
    ContraNorm,
)


def effective_rank(x: torch.Tensor) -> float:
    values = np.linalg.svd(x.detach().numpy(), compute_uv=False)
    share = values / values.sum()
    return float(np.exp(-(share * np.log(share + 1e-30)).sum()))


@pytest.mark.parametrize("tau", [0.1, 1.0])
def test_contra_norm_is_the_formula_of_its_paper(tau):
    x = torch.randn(12, 5, dtype=torch.double)
    rows = x.numpy() / np.linalg.norm(x.numpy(), axis=1, keepdims=True)
    weight = np.exp(rows @ rows.T / tau)
    weight /= weight.sum(1, keepdims=True)
    step = x.numpy() - 0.3 * weight @ x.numpy()
    centered = step - step.mean(1, keepdims=True)
    expected = centered / np.sqrt(centered.var(1, keepdims=True) + 1e-5)

    norm = ContraNorm(5, scale=0.3, tau=tau).double()

    torch.testing.assert_close(norm(x), torch.from_numpy(expected))


def test_contra_norm_widens_a_narrow_cone():
    # Dimensional collapse: nearly one direction, though no two rows are equal.
    x = (1 + torch.rand(100, 1)) * torch.randn(1, 8) + 0.1 * torch.randn(100, 8)

    before = effective_rank(ContraNorm(8, scale=0.0)(x))
    ranks = [effective_rank(ContraNorm(8, scale=s, tau=0.2)(x)) for s in (0.5, 0.9)]

    assert before < ranks[0] < ranks[1]
    assert ranks[1] > 1.5 * before


def test_contra_norm_without_a_step_is_its_layer_norm_or_nothing():
    x = torch.randn(9, 4)

    assert torch.equal(ContraNorm(4, scale=0.0)(x), nn.LayerNorm(4)(x))
    assert ContraNorm(4, scale=0.0, layer_norm=False)(x) is x


def test_contra_norm_never_holds_the_pairs_of_nodes():
    x = torch.randn(3000, 8, requires_grad=True)
    norm = ContraNorm(8)

    # No other way of attention is allowed here, so this fails if pairs were held.
    with sdpa_kernel([SDPBackend.FLASH_ATTENTION]):
        expected = norm(x)
    with torch.profiler.profile(profile_memory=True) as profile:
        out = norm(x)
        out.sum().backward()

    torch.testing.assert_close(out, expected)
    largest = max(event.cpu_memory_usage for event in profile.events())
    assert largest < 3000 * 3000 * 4 / 10


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"scale": -0.1}, "scale: found -0.1; give a step of 0 or more"),
        ({"tau": 0.0}, "tau: found 0.0; give a temperature above 0"),
    ],
)
def test_a_step_back_or_a_temperature_of_zero_is_refused(arguments, message):
    with pytest.raises(InputError, match=message):
        ContraNorm(4, **arguments)
