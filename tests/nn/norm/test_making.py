"""A norm is made for a width from whatever a user may type."""

from __future__ import annotations

import copy
from functools import partial

import pytest
import torch
from torch import nn

from benthic.errors import InputError
from benthic.nn.norm import (
    DiffGroupNorm,
    LayerNorm,
    NodeNorm,
    PairNorm,
    make_norm,
)


def test_a_norm_may_be_given_as_a_function_of_the_width():
    assert make_norm(lambda channels: PairNorm(2.0), 6).scale == 2.0
    assert make_norm(lambda: nn.Identity(), 6)(torch.ones(1)) == 1
    assert make_norm(lambda width: DiffGroupNorm(width, 3), 6).groups == 3
    assert make_norm(nn.LayerNorm, 6).normalized_shape == (6,)
    assert make_norm(nn.BatchNorm1d, 6).num_features == 6


def test_what_a_norm_needs_besides_the_width_is_bound_with_partial():
    assert make_norm(partial(DiffGroupNorm, groups=3), 6).groups == 3
    assert make_norm(partial(LayerNorm, mode="node"), 6).mode == "node"
    assert make_norm(partial(PairNorm, 2.0), 6).scale == 2.0
    assert make_norm(partial(NodeNorm, p=2.0), 6).p == 2
    assert make_norm(DiffGroupNorm, 6).groups == 10


def test_a_module_is_copied_with_parameters_of_its_own():
    given = nn.Sequential(LayerNorm(6), DiffGroupNorm(6, 2))
    with torch.no_grad():
        given[0].weight.fill_(5)
    before = copy.deepcopy(given.state_dict())

    made = make_norm(given, 6)
    other = make_norm(given, 6)

    assert made[0].weight.unique() == 1
    assert not torch.equal(made[1].lin.weight, other[1].lin.weight)
    with torch.no_grad():
        made[0].weight.fill_(3)
    for name, value in given.state_dict().items():
        assert torch.equal(value, before[name])


@pytest.mark.parametrize(
    ("norm", "message"),
    [
        ("pair", "norm: found 'pair'; give a class such as PairNorm"),
        (None, "norm: found a NoneType; give a class"),
        (3, "norm: found a int; give a class"),
        (lambda channels: channels, "norm: found a function that makes a int; return"),
        (
            partial(DiffGroupNorm, lamda=0.1),
            "norm: found DiffGroupNorm: missing a required argument: 'groups'; bind",
        ),
    ],
)
def test_what_makes_no_norm_is_refused(norm, message):
    with pytest.raises(InputError, match=message):
        make_norm(norm, 6)
