"""Mapped weights lie between the identity and themselves, under their old names."""

from __future__ import annotations

import copy
import math

import pytest
import torch
from torch import nn
from torch_geometric.nn import (
    ChebConv,
    ClusterGCNConv,
    GATConv,
    GATv2Conv,
    GCN2Conv,
    GCNConv,
    GeneralConv,
    GINConv,
    GPSConv,
    GraphConv,
    HypergraphConv,
    MessagePassing,
    ResGatedGraphConv,
    SAGEConv,
    SGConv,
    SSGConv,
    SuperGATConv,
    TAGConv,
    TransformerConv,
)
from torch_geometric.utils import erdos_renyi_graph, to_undirected

from benthic.errors import InputError
from benthic.nn.acceleration import accelerate
from benthic.nn.identity_map import IdentityMap
from benthic.nn.residual import InitialResidual

EDGES = torch.tensor([[0, 1, 1, 2, 3, 0], [1, 0, 2, 1, 0, 3]])


@pytest.mark.parametrize("layer", [1, 2, 64])
@pytest.mark.parametrize("theta", [0.5, 1.5])
def test_the_share_of_the_weight_is_the_papers(theta, layer):
    weight = torch.randn(3, 3)
    beta = math.log(theta / layer + 1)
    expected = (1 - beta) * torch.eye(3) + beta * weight
    torch.testing.assert_close(IdentityMap(theta, layer)(weight), expected)


def test_the_share_is_never_above_one():
    weight = torch.randn(3, 3)
    assert torch.equal(IdentityMap(100.0, 1)(weight), weight)


def gcnii(layer=3):
    """PyG's layer, and the same from a GCNConv, an initial residual and this map."""
    torch.manual_seed(0)
    reference = GCN2Conv(4, alpha=0.2, theta=0.5, layer=layer).double()
    conv = GCNConv(4, 4, bias=False).double()
    with torch.no_grad():
        conv.lin.weight.copy_(reference.weight1.t())
    IdentityMap(0.5).attach(conv, layer)
    return reference, lambda x, x_0: InitialResidual(0.2)(conv(x, EDGES), [x_0, x])


def test_without_the_first_states_it_is_gcnii_to_rounding():
    reference, ours = gcnii()
    x, zero = torch.randn(5, 4).double(), torch.zeros(5, 4).double()
    torch.testing.assert_close(ours(x, zero), reference(x, zero, EDGES))


def test_the_first_states_join_after_the_map_and_in_gcnii_before_it():
    reference, ours = gcnii()
    x, x_0 = torch.randn(2, 5, 4).double()
    weight = reference.weight1
    difference = 0.2 * reference.beta * x_0 @ (weight - torch.eye(4))
    torch.testing.assert_close(ours(x, x_0) + difference, reference(x, x_0, EDGES))


def test_deep_layers_cannot_lose_their_rank():
    matrix = torch.eye(8)
    for layer in range(1, 129):
        matrix = IdentityMap(0.5, layer)(torch.zeros(8, 8)) @ matrix
    assert float(matrix.diagonal().min()) > 0.05  # without the map: zero
    assert int(torch.linalg.matrix_rank(matrix)) == 8


@pytest.mark.parametrize(
    ("conv", "count"),
    [
        (GCNConv(4, 4), 1),
        (GCNConv(4, 5), 0),
        (SAGEConv(4, 4), 2),
        (SAGEConv(4, 4, root_weight=False), 1),
        (GATConv(4, 2, heads=2), 1),
        (GATConv(4, 2, heads=2, concat=False), 0),
        (SAGEConv((3, 4), 4), 0),
        (GPSConv(4, GCNConv(4, 4)), 1),
        (GCN2Conv(4, 0.1), 0),
    ],
    ids=repr,
)
@pytest.mark.parametrize("fast", [False, True])
def test_square_weights_are_mapped_and_keep_their_names(conv, count, fast):
    conv = copy.deepcopy(conv)
    if fast:
        accelerate(conv)
    before = {key: value.clone() for key, value in conv.state_dict().items()}
    assert IdentityMap(0.5).attach(conv, layer=2) == count
    assert {*before} == {*conv.state_dict()}
    assert all(torch.equal(before[key], v) for key, v in conv.state_dict().items())
    assert conv.load_state_dict(before)


def test_the_layer_uses_the_mapped_weight_and_trains_its_own():
    torch.manual_seed(0)
    linear = nn.Linear(3, 3)
    IdentityMap(0.5).attach(linear, layer=4)
    x = torch.randn(2, 3)
    beta = math.log(0.5 / 4 + 1)
    expected = (1 - beta) * x + beta * x @ linear.weight.t() + linear.bias
    torch.testing.assert_close(linear(x), expected)
    linear(x).sum().backward()
    expected = beta * x.sum(0).expand(3, 3)
    torch.testing.assert_close(linear.weight.grad, expected)


def test_a_mapped_layer_survives_a_copy():
    conv = GCNConv(4, 4)
    IdentityMap(0.5).attach(conv, layer=2)
    x = torch.randn(5, 4)
    torch.testing.assert_close(copy.deepcopy(conv)(x, EDGES), conv(x, EDGES))


@pytest.mark.parametrize("theta", [0.0, -1.0, math.nan])
def test_a_theta_not_above_zero_is_refused(theta):
    with pytest.raises(InputError, match="theta: found"):
        IdentityMap(theta)


def test_layers_are_counted_from_one():
    with pytest.raises(InputError, match="layer: found 0; count layers from 1"):
        IdentityMap(0.5, 0)
    with pytest.raises(InputError, match="layer: found 0"):
        IdentityMap(0.5).attach(GCNConv(4, 4), layer=0)


def test_it_says_its_strength():
    assert repr(IdentityMap(0.5, 2)) == "IdentityMap(theta=0.5, beta=0.2231)"


class Own(MessagePassing):
    """As users write it: normalized by itself, under any name."""

    def __init__(self, channels):
        super().__init__(aggr="add")
        self.lin = nn.Linear(channels, channels)

    def forward(self, x, edge_index):
        count = torch.bincount(edge_index[1], minlength=len(x)).clamp(min=1)
        return self.propagate(edge_index, x=self.lin(x)) / count[:, None]


AVERAGING = [
    *(GCNConv(8, 8), GCNConv(8, 8, improved=True), GCNConv(8, 8, add_self_loops=False)),
    *(SAGEConv(8, 8), SAGEConv(8, 8, aggr="max"), SAGEConv(8, 8, root_weight=False)),
    *(GATConv(8, 4, heads=2), GATConv(8, 8, residual=True), GATv2Conv(8, 8)),
    *(GATv2Conv(8, 8, residual=True), GraphConv(8, 8, aggr="mean"), SGConv(8, 8, K=2)),
    *(TAGConv(8, 8), SuperGATConv(8, 8), ClusterGCNConv(8, 8)),
    *(TransformerConv(8, 4, heads=2), TransformerConv(8, 8, beta=True)),
    *(SSGConv(8, 8, alpha=0.1), HypergraphConv(8, 8), Own(8)),
]


@pytest.mark.parametrize("conv", AVERAGING, ids=repr)
def test_a_layer_that_is_its_propagation_alone_does_not_grow_with_depth(conv):
    torch.manual_seed(0)
    conv = copy.deepcopy(conv).eval()
    assert IdentityMap(1e-9).attach(conv, layer=1) > 0  # beta is 0 to rounding
    for name, parameter in conv.named_parameters():
        if "bias" in name:
            nn.init.zeros_(parameter)
    edge_index = to_undirected(erdos_renyi_graph(20, 0.2))
    first = x = torch.rand(20, 8)
    with torch.no_grad():
        for _ in range(64):
            x = conv(x, edge_index)
    assert 0.2 < x.max() < 2 * first.max()


def test_a_gcn_without_a_say_of_its_weights_is_propagation_to_the_bit():
    conv = GCNConv(4, 4, bias=False)
    IdentityMap(1e-30).attach(conv, layer=1)
    x = torch.randn(5, 4)
    plain = copy.deepcopy(conv)
    plain.lin = nn.Identity()
    assert torch.equal(conv(x, EDGES), plain(x, EDGES))


def test_maps_that_are_added_up_share_one_identity():
    torch.manual_seed(0)
    conv = SAGEConv(4, 4)
    IdentityMap(0.5).attach(conv, layer=4)
    x = torch.randn(5, 4)
    mean = SAGEConv(4, 4, root_weight=False, bias=False)
    with torch.no_grad():
        mean.lin_l.weight.copy_(torch.eye(4))
    heard, beta = mean(x, EDGES), math.log(0.5 / 4 + 1)
    expected = (1 - beta) * (heard + x) / 2 + conv.lin_l.bias
    expected += beta * (heard @ conv.lin_l.weight.t() + x @ conv.lin_r.weight.t())
    torch.testing.assert_close(conv(x, EDGES), expected)
    assert "num_maps=2" in repr(conv.lin_l.identity_map)


def test_weights_that_choose_neighbors_are_left_alone():
    conv = TransformerConv(4, 4)
    assert IdentityMap(0.5).attach(conv, layer=1) == 2
    mapped = [n for n, m in conv.named_children() if hasattr(m, "identity_map")]
    assert mapped == ["lin_value", "lin_skip"]


@pytest.mark.parametrize("fast", [False, True])
@pytest.mark.parametrize(
    ("conv", "why"),
    [
        (GINConv(nn.Linear(4, 4)), "GINConv, which adds its neighbors"),
        (GINConv(nn.Linear(4, 4), aggr="mean"), "GINConv, which adds its neighbors"),
        (SAGEConv(4, 4, aggr="sum"), "SAGEConv, aggr='sum', whose sums grow"),
        (GraphConv(4, 4), "GraphConv, aggr='add', whose sums grow"),
        (GCNConv(4, 4, normalize=False), "GCNConv, normalize=False, whose sums"),
        (TAGConv(4, 4, normalize=False), "TAGConv, normalize=False, whose sums"),
        (GeneralConv(4, 4), "GeneralConv, aggr='add', whose sums grow"),
        (ResGatedGraphConv(4, 4), "ResGatedGraphConv with 4 square weights"),
        (ChebConv(4, 4, K=3), "ChebConv with 3 square weights"),
        (nn.Sequential(nn.Linear(4, 4), nn.Linear(4, 4)), "with 2 square weights"),
    ],
    ids=repr,
)
def test_a_layer_that_has_no_one_identity_is_refused(conv, why, fast):
    conv = copy.deepcopy(conv)
    if fast:
        accelerate(conv)
    with pytest.raises(InputError, match=f"identity_map: found .*{why}"):
        IdentityMap(0.5).attach(conv, layer=2)
    assert not any(hasattr(module, "identity_map") for module in conv.modules())


def test_a_part_of_nothing_is_refused():
    with pytest.raises(InputError, match="num_maps: found 0; give 1 or more"):
        IdentityMap(0.5, num_maps=0)
