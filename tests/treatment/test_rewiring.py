from __future__ import annotations

import pytest
import torch
from torch_geometric.data import Data

from benthic.errors import InputError
from benthic.transforms import SDRF
from benthic.treatment.rewiring import rewired


@pytest.fixture
def ring():
    """Twelve nodes in a circle."""
    around = torch.arange(12)
    one_way = torch.stack([around, around.roll(1)])
    return Data(
        x=torch.randn(12, 3),
        edge_index=torch.cat([one_way, one_way.flip(0)], dim=1),
        y=around % 2,
        train_mask=around < 6,
        val_mask=around >= 6,
    )


def test_without_a_rewiring_the_graph_is_the_same(ring):
    assert rewired("none", ring) is ring
    assert rewired("residual+drop_edge", ring) is ring


def test_a_rewiring_does_what_its_class_does_and_leaves_the_graph(ring):
    edges = ring.edge_index.clone()
    after = rewired("sdrf(num_iterations=2)+residual", ring)
    assert torch.equal(after.edge_index, SDRF(2)(ring).edge_index)
    assert torch.equal(ring.edge_index, edges)
    assert after.num_edges == 28


def test_rewirings_act_one_after_the_other(ring):
    after = rewired("fosr(num_iterations=1)+virtual_node", ring)
    assert (after.num_nodes, after.num_edges) == (13, 26 + 24)


@pytest.mark.parametrize("name", ["virtual_node", "half_hop"])
def test_added_nodes_have_no_label_and_are_in_no_mask(name, ring):
    after = rewired(name, ring)
    assert after.num_nodes == len(after.y) == len(after.train_mask) > 12
    assert torch.equal(after.y[:12], ring.y)
    assert (after.y[12:] == -1).all()
    assert not (after.train_mask | after.val_mask)[12:].any()


def test_the_weights_of_a_diffusion_are_weights_of_edges(ring):
    after = rewired("gdc", ring)
    assert after.edge_weight.shape == (after.num_edges,)
    assert "edge_attr" not in after


def test_an_expander_joins_the_edges_that_a_network_sees(ring):
    assert rewired("egp", ring).num_edges > ring.num_edges


def test_a_random_rewiring_is_always_the_same_and_leaves_the_random_state(ring):
    state = torch.get_rng_state()
    first = rewired("half_hop(p=0.5)", ring)
    assert torch.equal(torch.get_rng_state(), state)
    torch.manual_seed(99)
    assert torch.equal(rewired("half_hop(p=0.5)", ring).edge_index, first.edge_index)


def test_a_graph_that_cannot_be_rewired_is_refused(ring):
    ring.edge_index = ring.edge_index[:, :12]
    with pytest.raises(InputError, match="edge_index"):
        rewired("sdrf", ring)
