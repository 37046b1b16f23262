"""What is put around layers fits them, or is refused."""

from __future__ import annotations

import pytest
import torch
from tests.treatment.models import Homogeneous, OfTypes, Stack
from torch import nn
from torch_geometric.nn import GIN, GraphSAGE, JumpingKnowledge, SGConv, to_hetero
from torch_geometric.utils import erdos_renyi_graph, to_undirected

from benthic.errors import InputError
from benthic.nn.drop import DropMessage, DropNode
from benthic.nn.identity_map import IdentityMap
from benthic.nn.norm import LayerNorm
from benthic.nn.residual import AntiSymmetric, InitialResidual, Skip
from benthic.treatment import Norm, treat
from benthic.treatment.insertion import make_joins
from benthic.treatment.placement import find_sites
from benthic.treatment.wanted import sort_treatments


def test_joins_are_made_where_they_act():
    sites = find_sites(Stack((6, 8, 8, 8, 3)))
    wanted = sort_treatments([InitialResidual(0.2), JumpingKnowledge("max")])
    joins = make_joins(sites, wanted)
    assert list(joins) == [("convs.1", ""), ("convs.2", "")]
    assert joins["convs.1", ""].jump is None
    assert joins["convs.2", ""].jump is not None


def test_a_class_is_made_for_the_width_of_each_layer():
    sites = find_sites(Stack((6, 8, 8, 16, 16, 3)))
    joins = make_joins(sites, sort_treatments([AntiSymmetric]))
    sizes = [join.skips[0].weight.size(0) for join in joins.values()]
    assert sizes == [8, 16]


def test_norms_and_skips_follow_the_layer_s_number_format():
    model = Stack().to(torch.bfloat16)
    joins = make_joins(
        find_sites(model), sort_treatments([AntiSymmetric, Norm(LayerNorm)])
    )
    formats = {p.dtype for join in joins.values() for p in join.parameters()}
    assert formats == {torch.bfloat16}


def test_a_class_that_does_not_take_the_width_is_refused():
    class Odd(Skip):
        def __init__(self, a, b):
            super().__init__()

        def forward(self, h, states, edge_index=None):
            return h

    with pytest.raises(InputError, match=r"the class Odd; give an instance: Odd\(…\)"):
        treat(Stack(), Odd)


def test_jumping_knowledge_of_another_width_is_refused():
    with pytest.raises(InputError, match=r"on layer convs\.2 of 8 channels; give it"):
        treat(Stack(), JumpingKnowledge("lstm", 16, 3))
    treat(Stack(), JumpingKnowledge("lstm", 8, 3))


def test_identity_maps_are_counted_over_the_layers_that_have_one():
    treated = treat(Stack((6, 8, 8, 8, 3)), IdentityMap(0.5))
    maps = [conv.lin.identity_map.beta for conv in treated.convs[1:3]]
    assert maps == [IdentityMap(0.5, 1).beta, IdentityMap(0.5, 2).beta]
    assert "IdentityMap: no square weight" in str(treated.treatments)


@pytest.mark.parametrize("num_layers", [4, 16, 64])
def test_an_identity_map_does_not_let_two_maps_of_a_layer_grow(num_layers):
    torch.manual_seed(0)
    edge_index = to_undirected(erdos_renyi_graph(30, 0.2))
    model = GraphSAGE(8, 16, num_layers, 3)
    treated = treat(model, InitialResidual(), IdentityMap()).eval()
    with torch.no_grad():
        assert treated(torch.rand(30, 8), edge_index).abs().max() < 2


def test_an_identity_map_is_refused_where_a_layer_has_none():
    why = r"'convs\.0': GINConv, which adds its neighbors.*use Residual\(\)"
    with pytest.raises(InputError, match=f"treatments: found IdentityMap on .*{why}"):
        treat(GIN(8, 8, 4, 3), InitialResidual(), IdentityMap())
    metadata = ["a", "b"], [("a", "to", "b"), ("b", "to", "a")]
    with pytest.raises(InputError, match="which joins several node types"):
        treat(OfTypes(metadata), IdentityMap())
    with pytest.raises(InputError, match="which joins several node types"):
        treat(to_hetero(Homogeneous(), metadata), IdentityMap())


def test_messages_that_a_layer_keeps_for_ever_are_refused():
    class Simple(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv = SGConv(6, 8, K=2, cached=True)

        def forward(self, x, edge_index):
            return self.conv(x, edge_index)

    with pytest.raises(InputError, match="keeps the first messages"):
        treat(Simple(), DropMessage(0.5))


def test_nodes_are_dropped_before_the_first_layer_only(x, edge_index):
    treated = treat(Stack(), DropNode(0.5))
    seen = []
    for conv in treated.convs:
        conv.register_forward_pre_hook(lambda _, args: seen.append(args[0]))
    treated(x, edge_index)
    silent = (seen[0] == 0).all(1)
    assert 0 < silent.sum() < 20
    torch.testing.assert_close(seen[0][~silent], 2 * x[~silent])
    assert seen[1].size(1) == 8
