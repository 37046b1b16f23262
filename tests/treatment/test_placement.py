"""Skips act where the width stays, norms everywhere but on the answer."""

from __future__ import annotations

import pytest
from tests.treatment.models import Attributes, Shared, Stack
from torch import fx, nn
from torch_geometric.nn import GCN, GCNConv, GraphSAGE, HypergraphConv, SAGEConv

from benthic.errors import InputError
from benthic.nn.identity_map import IdentityMap
from benthic.nn.residual import AntiSymmetric, Residual
from benthic.treatment import treat
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


def test_at_equal_width_only_a_call_tells_which_layer_starts_or_answers():
    sites = find_sites(GCN(8, 8, 2))
    assert [s.starts_because for s in sites] == ["", ""]
    assert [s.is_first for s in sites] == [True, False]
    assert [s.is_unsure for s in sites] == [False, True]


def test_a_layer_that_does_not_know_its_input_keeps_the_width_of_another():
    lazy = nn.ModuleList([SAGEConv(-1, 8), SAGEConv(-1, 8), SAGEConv(-1, 3)])
    reasons = [s.starts_because for s in find_sites(lazy)]
    assert reasons == ["", "", "? -> 3 channels"]


def test_a_graph_of_calls_tells_their_order():
    class Turned(nn.Module):
        def __init__(self):
            super().__init__()
            self.c, self.b, self.a = GCNConv(8, 3), GCNConv(8, 8), GCNConv(8, 8)

        def forward(self, x, edge_index):
            h = self.b(self.a(x, edge_index), edge_index)
            return self.c(h, edge_index)

    class Tracer(fx.Tracer):
        def is_leaf_module(self, module, name):
            return isinstance(module, GCNConv)

    model = Turned()
    traced = fx.GraphModule(model, Tracer().trace(model))
    assert [s.name for s in find_sites(traced)] == ["a", "b", "c"]
    lines = str(treat(traced, Residual(), IdentityMap()).treatments).splitlines()
    assert lines[2].endswith(
        "IdentityMap(l=1)            Residual: the stream starts here"
    )
    assert lines[3].endswith("Residual, IdentityMap(l=2)")


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
