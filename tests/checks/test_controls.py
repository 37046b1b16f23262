from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from tests.checks.planted import blocks
from torch import nn
from torch_geometric.data import Data, HeteroData
from torch_geometric.nn import APPNP, GAT, GCN, GIN, GCNConv, SGConv
from torch_geometric.transforms import ToSparseTensor

from benthic.checks.controls import (
    fresh_copy,
    isolated_copy,
    silenced,
    without_activations,
    without_dropout,
    without_edges,
)
from benthic.errors import ModelError

DATA = blocks(per_class=10)


@pytest.mark.parametrize(
    "drop",
    [
        nn.Dropout(0.9),
        nn.AlphaDropout(0.9),
        lambda x: F.dropout(x, 0.9, training=True),
        lambda x: torch.dropout(x, 0.9, True),
        lambda x: F.dropout(input=x, p=0.9, training=True),
    ],
)
def test_nothing_is_dropped_without_dropout(drop):
    x = torch.ones(50, 4)
    with without_dropout():
        assert torch.equal(drop(x), x)
    assert not torch.equal(drop(x), x)


@pytest.mark.parametrize(
    "act", [nn.ReLU(), nn.ELU(), nn.Tanh(), F.gelu, torch.relu, torch.Tensor.sigmoid]
)
def test_activations_are_the_identity_without_activations(act):
    x = torch.linspace(-2, 2, 9)
    with without_activations():
        assert torch.equal(act(x), x)
    assert not torch.equal(act(x), x)


def test_a_deep_network_without_activations_is_linear():
    model = GCN(8, 16, 4, 3).eval()
    with without_activations(), torch.no_grad():
        at_zero = model(torch.zeros_like(DATA.x), DATA.edge_index)
        once = model(DATA.x, DATA.edge_index) - at_zero
        twice = model(2 * DATA.x, DATA.edge_index) - at_zero
    torch.testing.assert_close(twice, 2 * once)


def test_an_isolated_copy_shares_nothing():
    model = GCN(8, 16, 2, 3)
    twin = isolated_copy(model)
    with torch.no_grad():
        next(twin.parameters()).fill_(7.0)
    assert not (next(model.parameters()) == 7.0).any()


@pytest.mark.parametrize(
    "conv",
    [
        GCNConv(8, 3, cached=True),
        SGConv(8, 3, K=2, cached=True),
        nn.Sequential(APPNP(2, 0.1, cached=True)),
    ],
)
def test_a_cache_does_not_fool_the_graph_off_control(conv):
    def run(model, edge_index):
        layer = model[0] if isinstance(model, nn.Sequential) else model
        return layer(DATA.x, edge_index)

    conv.eval()
    with_graph = run(conv, DATA.edge_index)
    twin = isolated_copy(conv)
    torch.testing.assert_close(run(twin, DATA.edge_index), with_graph)
    alone = run(isolated_copy(conv), DATA.edge_index[:, :0])
    assert not torch.allclose(alone, with_graph)
    torch.testing.assert_close(run(conv, DATA.edge_index[:, :0]), with_graph)


class Remembering(nn.Module):
    """Keeps its last states, as many do to look at them later."""

    def __init__(self):
        super().__init__()
        self.conv = GCNConv(8, 3)
        self.states = None

    def forward(self, x, edge_index):
        self.states = [self.conv(x, edge_index)]
        self.last = self.states[0]
        return self.last


def test_a_model_that_keeps_its_states_can_be_copied():
    model = Remembering()
    out = model(DATA.x, DATA.edge_index)
    twin = isolated_copy(model)
    torch.testing.assert_close(twin.last, out.detach())
    assert model.last is out


def test_a_model_that_cannot_be_copied_is_named():
    class Stubborn(nn.Module):
        def __deepcopy__(self, memo):
            raise TypeError("cannot pickle 'lock'\nobject")

    with pytest.raises(ModelError, match="Stubborn raised TypeError") as raised:
        isolated_copy(Stubborn())
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    "model", [GCN(8, 16, 3, 3), GAT(8, 16, 3, 3), GIN(8, 16, 3, 3, norm="batch_norm")]
)
def test_a_fresh_copy_has_new_weights_everywhere(model):
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.fill_(1e6)
    twin, kept = fresh_copy(model, seed=0)
    assert kept == ()
    assert all(float(p.detach().abs().max()) < 1e2 for p in twin.parameters())
    assert all((p == 1e6).all() for p in model.parameters())


def test_a_fresh_copy_follows_its_seed_and_leaves_the_callers_random_state():
    model = GCN(8, 16, 2, 3)
    before = torch.get_rng_state()
    first, again, other = (fresh_copy(model, s)[0] for s in (1, 1, 2))
    assert torch.equal(torch.get_rng_state(), before)
    weight = [m.convs[0].lin.weight for m in (first, again, other)]
    assert torch.equal(weight[0], weight[1])
    assert not torch.equal(weight[0], weight[2])


def test_a_model_may_start_its_parts_in_a_way_of_its_own():
    class Gate(nn.Module):
        def __init__(self):
            super().__init__()
            self.lin = nn.Linear(2, 2)

        def reset_parameters(self):
            nn.init.zeros_(self.lin.weight)

    twin, _ = fresh_copy(Gate(), seed=0)
    assert not twin.lin.weight.any()


def test_a_parameter_that_nobody_resets_is_named():
    class Scale(nn.Module):
        def __init__(self):
            super().__init__()
            self.scale = nn.Parameter(torch.full((1,), 9.0))
            self.lin = nn.Linear(1, 1)

    assert fresh_copy(Scale(), seed=0)[1] == ("scale",)


def test_a_graph_loses_its_edges_and_what_belongs_to_them():
    data = DATA.clone()
    data.edge_weight = torch.ones(data.num_edges)
    data.edge_attr = torch.ones(data.num_edges, 2)
    bare = without_edges(data)
    assert bare.edge_index.shape == (2, 0)
    assert bare.edge_weight.shape == (0,)
    assert bare.edge_attr.shape == (0, 2)
    assert bare.x is data.x
    assert data.num_edges == data.edge_weight.numel() > 0


@pytest.mark.filterwarnings("ignore:Sparse")
@pytest.mark.parametrize("layout", [torch.sparse_coo, torch.sparse_csr])
def test_a_sparse_adjacency_loses_its_entries(layout):
    data = ToSparseTensor(layout=layout, attr=None)(DATA.clone())
    bare = without_edges(data)
    assert bare.adj_t._nnz() == 0
    assert bare.adj_t.shape == data.adj_t.shape
    assert data.adj_t._nnz() > 0


def test_a_heterogeneous_graph_loses_the_edges_of_every_relation():
    data = HeteroData()
    data["a"].x = torch.ones(3, 2)
    data["a", "to", "a"].edge_index = torch.tensor([[0, 1], [1, 2]])
    data["a", "of", "a"].edge_index = torch.tensor([[2], [0]])
    assert without_edges(data).num_edges == 0
    assert data.num_edges == 3


def test_inputs_in_a_tuple_or_a_mapping_lose_their_edges():
    x, edges = without_edges((DATA.x, DATA.edge_index))
    assert x is DATA.x
    assert edges.shape == (2, 0)
    named = without_edges({"x_dict": {"a": DATA.x}, "edge_index": DATA.edge_index})
    assert named["x_dict"]["a"] is DATA.x
    assert named["edge_index"].shape == (2, 0)


def test_what_has_no_edges_stays():
    assert without_edges(7) == 7
    assert without_edges(Data(x=torch.ones(2, 1))).x.shape == (2, 1)


def test_a_silent_module_answers_zero_also_for_infinity():
    layer = nn.Linear(2, 2)
    with silenced([layer]):
        out = layer(torch.full((1, 2), float("inf")))
    assert torch.equal(out, torch.zeros(1, 2))
    assert layer(torch.ones(1, 2)).any()
    assert not layer._forward_hooks


def test_hooks_are_gone_when_the_body_raises():
    layer = nn.Linear(2, 2)
    with pytest.raises(RuntimeError), silenced([layer]):
        raise RuntimeError
    assert not layer._forward_hooks
