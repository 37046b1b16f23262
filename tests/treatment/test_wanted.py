"""Treatments are sorted by where they act; what is none is refused."""

from __future__ import annotations

from functools import partial

import pytest
from torch_geometric.nn import APPNP, GATConv, LGConv

from benthic.errors import InputError
from benthic.nn.drop import DropEdge, DropMessage, DropNode, DropPath, SkipNode
from benthic.nn.norm import DiffGroupNorm, LayerNorm, PairNorm
from benthic.nn.residual import AntiSymmetric, InitialResidual, Residual
from benthic.treatment.wanted import Norm, sort_treatments


def test_a_norm_is_made_for_its_width():
    assert repr(Norm(LayerNorm, mode="node")) == "Norm(LayerNorm, mode='node')"
    assert Norm(LayerNorm, mode="node")(8).in_channels == 8
    assert Norm(PairNorm, scale=2.0)(8).scale == 2.0
    assert Norm(DiffGroupNorm)(8).groups == 10
    assert Norm(partial(LayerNorm, affine=False))(8).weight is None


def test_each_call_makes_a_norm_of_its_own():
    norm = Norm(LayerNorm)
    assert norm(8).weight is not norm(8).weight


def test_skips_and_edge_drops_may_come_several_in_the_order_given():
    skips = [Residual(), SkipNode(0.5), AntiSymmetric]
    drops = [DropEdge(0.1), DropPath(0.1)]
    wanted = sort_treatments([skips[0], drops[0], *skips[1:], drops[1]])
    assert wanted.skips == skips
    assert wanted.edge_drops == drops


def test_a_propagation_keeps_the_width():
    assert len(sort_treatments([APPNP(3, 0.1)]).propagations) == 1
    assert len(sort_treatments([LGConv()]).propagations) == 1
    with pytest.raises(InputError, match="the layer GATConv"):
        sort_treatments([GATConv(8, 8)])


def test_two_of_a_kind_are_refused():
    with pytest.raises(InputError, match=r"DropNode.*and DropNode.*give one"):
        sort_treatments([DropNode(0.1), DropNode(0.2)])


@pytest.mark.parametrize(
    ("treatments", "idle"),
    [
        ([], True),
        ([Residual(0.0), DropMessage(0.0)], True),
        ([InitialResidual(0.0), DropEdge(0.1)], False),
        ([Norm(LayerNorm)], False),
        ([AntiSymmetric], False),
        ([APPNP(3, 0.1)], False),
    ],
)
def test_strength_zero_everywhere_is_idle(treatments, idle):
    assert sort_treatments(treatments).is_idle is idle


@pytest.mark.parametrize(
    ("walk", "line"),
    [
        (APPNP(3, 2.0), "alpha: found 2.0; give a number, from 0 to 1"),
        (APPNP(3, -0.1), "alpha: found -0.1"),
        (APPNP(-1, 0.1), "K: found -1; give a whole number, 0 or more"),
        (APPNP(2.5, 0.1), "K: found 2.5"),
    ],
)
def test_a_page_rank_that_pyg_takes_without_looking_is_refused(walk, line):
    with pytest.raises(InputError, match=line):
        sort_treatments([walk])
