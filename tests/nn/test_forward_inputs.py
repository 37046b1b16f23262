"""Each layer is handed what its forward names, and nothing else."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch_geometric.nn import GATv2Conv, GCN2Conv, GCNConv, GPSConv, SAGEConv

from benthic.errors import InputError
from benthic.nn.acceleration import accelerate
from benthic.nn.forward_inputs import (
    convolve,
    parameter_names,
    refuse_untaken,
    some_takes,
    taken,
)

OFFERED = {"edge_weight": 1, "edge_attr": 2, "edge_type": None, "batch": 3, "x_0": 4}


@pytest.mark.parametrize(
    ("conv", "expected"),
    [
        (GCNConv(2, 2), {"edge_weight"}),
        (GATv2Conv(2, 2), {"edge_attr"}),
        (SAGEConv(2, 2), set()),
        (GCN2Conv(2, 0.1), {"edge_weight", "x_0"}),
        (GPSConv(2, GCNConv(2, 2)), {"edge_weight", "edge_attr", "batch"}),
        (nn.LayerNorm(2), set()),
    ],
    ids=lambda value: type(value).__name__,
)
def test_a_module_takes_what_it_names(conv, expected):
    assert set(taken(conv, OFFERED)) == expected
    assert set(taken(accelerate(conv), OFFERED)) == expected


def test_names_are_those_of_the_class_that_was_accelerated():
    conv = accelerate(GCN2Conv(2, 0.1))
    assert parameter_names(type(conv)) == ("x", "x_0", "edge_index", "edge_weight")


def test_one_layer_that_asks_for_an_input_is_enough():
    layers = [SAGEConv(2, 2), GCNConv(2, 2)]
    assert some_takes(layers, "edge_weight")
    assert not some_takes(layers, "edge_attr")
    assert not some_takes([], "edge_weight")


def test_what_one_of_the_layers_takes_is_not_refused():
    refuse_untaken([SAGEConv(2, 2), GCNConv(2, 2)], ["edge_weight"])
    refuse_untaken([], ["edge_weight"])
    with pytest.raises(InputError, match="edge_attr: found values for SAGEConv"):
        refuse_untaken([SAGEConv(2, 2), GCNConv(2, 2)], ["edge_attr"])


def test_the_first_states_stand_where_the_layer_wants_them():
    x, edge_index = torch.ones(2, 3), torch.tensor([[0, 1], [1, 0]])
    conv = GCN2Conv(3, 0.5)
    out = convolve(conv, x, edge_index, {"x_0": 2 * x})
    torch.testing.assert_close(out, conv(x, 2 * x, edge_index))
