"""NodeNorm divides each row by its own deviation."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from benthic.errors import InputError
from benthic.nn.norm import (
    NodeNorm,
)


@pytest.mark.parametrize("p", [1.0, 2.0, 3.0])
def test_node_norm_is_the_formula_of_its_paper(p):
    x = torch.randn(8, 6, dtype=torch.double)
    deviation = np.sqrt(x.numpy().var(axis=1, keepdims=True) + 1e-5)

    torch.testing.assert_close(
        NodeNorm(p)(x), torch.from_numpy(x.numpy() / deviation ** (1 / p))
    )


def test_node_norm_holds_the_variance_that_transformations_inflate():
    plain = normed = torch.randn(50, 32)
    for _ in range(20):
        weight = torch.randn(32, 32) / 32**0.5
        plain = plain + (plain @ weight).relu()
        normed = NodeNorm()(normed)
        normed = normed + (normed @ weight).relu()

    assert plain.std(dim=1).mean() > 20 * normed.std(dim=1).mean()
    out = NodeNorm()(normed)
    torch.testing.assert_close(
        out.std(dim=1, correction=0), torch.ones(50), atol=1e-4, rtol=0
    )


@pytest.mark.parametrize("p", [0.5, 0.0, float("nan")])
def test_a_root_below_1_is_refused(p):
    with pytest.raises(InputError, match="give a root of 1 or more"):
        NodeNorm(p)
