"""Skips act where the width stays, norms everywhere but on the answer."""

from __future__ import annotations

import pytest
from tests.treatment.models import Attributes, Shared, Stack
from torch import nn
from torch_geometric.nn import GCN, GCNConv, GraphSAGE, HypergraphConv

from benthic.errors import InputError
from benthic.nn.residual import AntiSymmetric, Residual
from benthic.treatment.placement import drops_refusal, find_sites, has_two_names, label


def places(model):
    return [(s.name, s.starts_because, s.ends_because) for s in find_sites(model)]


def test_the_last_layer_is_the_answer_unless_a_head_follows():
    assert places(Stack()) == [
        ("convs.0", "6 -> 8 channels", ""),
        ("convs.1", "", ""),
        ("convs.2", "", ""),
        ("convs.3", "8 -> 3 channels", "the model's output"),
    ]
    assert places(Attributes())[-1] == ("conv3", "", "")
    assert places(GraphSAGE(6, 8, 2, 3, jk="cat"))[-1] == ("convs.1", "", "")


def test_the_first_layer_starts_the_stream_even_at_equal_width():
    assert places(GCN(8, 8, 2))[0][1] == "the stream starts here"


def test_a_layer_that_is_used_again_may_skip():
    assert places(Shared())[0] == ("conv", "", "")
    conv = GCNConv(8, 8)
    model = nn.ModuleList([conv, conv, GCNConv(8, 8)])
    first, second = find_sites(model)
    assert has_two_names(model, first.layer)
    assert not has_two_names(model, second.layer)
    assert first.starts_because == ""


def test_an_unknown_width_is_asked_for_only_when_it_is_needed():
    class Odd(GCNConv):
        def __init__(self):
            super().__init__(8, 8)
            del self.out_channels

    site = find_sites(nn.ModuleList([GCNConv(8, 8), Odd()]))[1]
    with pytest.raises(InputError, match="layer 1 of unknown width; set its attribute"):
        _ = site.channels


def test_why_edges_cannot_be_dropped():
    assert drops_refusal(GCNConv(8, 8)) == ""
    assert "cached=True" in drops_refusal(GCNConv(8, 8, cached=True))
    assert drops_refusal(HypergraphConv(8, 8)) == "no input edge_index"


def test_labels_are_short():
    assert label(Residual()) == "Residual"
    assert label(AntiSymmetric) == "AntiSymmetric"
