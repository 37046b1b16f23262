"""No norm on the model's answer, wherever in the model it comes from."""

from __future__ import annotations

import copy

import pytest
import torch
from tests.treatment.models import Attributes, run
from torch import nn
from torch_geometric.data import Data
from torch_geometric.nn import GCN, GCNConv, global_mean_pool

from benthic.nn.norm import LayerNorm
from benthic.treatment import Norm, treat
from benthic.treatment.answers import find_maps, may_take


class Skips(nn.Module):
    """Linear maps before and beside the layers, none after them."""

    def __init__(self, out_channels):
        super().__init__()
        self.convs = nn.ModuleList([GCNConv(8, 8), GCNConv(8, out_channels)])
        self.lin_in = nn.Linear(6, 8)
        self.lins = nn.ModuleList([nn.Linear(8, 8), nn.Linear(8, out_channels)])

    def forward(self, x, edge_index):
        x = self.lin_in(x)
        x = (self.convs[0](x, edge_index) + self.lins[0](x)).relu()
        return self.convs[1](x, edge_index) + self.lins[1](x)


class Around(nn.Module):
    def __init__(self, gnn):
        super().__init__()
        self.gnn = gnn

    def forward(self, x, edge_index):
        return self.gnn(x, edge_index)


class Raw(nn.Module):
    """A head without a module."""

    def __init__(self):
        super().__init__()
        self.conv1, self.conv2 = GCNConv(6, 8), GCNConv(8, 8)
        self.weight = nn.Parameter(torch.randn(8, 3))

    def forward(self, x, edge_index):
        x = self.conv1(x, edge_index).relu()
        return self.conv2(x, edge_index).relu() @ self.weight


class Pooled(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1, self.conv2 = GCNConv(6, 8), GCNConv(8, 8)
        self.head = nn.Sequential(nn.Linear(16, 8), nn.ReLU(), nn.Linear(8, 2))

    def forward(self, data):
        data.x = self.conv1(data.x, data.edge_index).relu()  # writes what it is given
        x = self.conv2(data.x, data.edge_index).relu()
        mean = global_mean_pool(x, data.batch)
        return self.head(torch.cat([mean, mean], -1))


def last_row(treated):
    return str(treated.treatments).splitlines()[-1]


@pytest.mark.parametrize("out_channels", [2, 4, 8])
def test_maps_before_and_beside_the_layers_take_nothing_further(
    out_channels, x, edge_index
):
    model = Skips(out_channels)
    treated = treat(model, Norm(LayerNorm), fast=False)
    assert "LayerNorm, if a map follows" in last_row(treated)
    first = treated.treatments.layers["convs_0"].joins["nodes"].norm
    h = model.lin_in(x)
    h = (first(model.convs[0](h, edge_index)) + model.lins[0](h)).relu()
    expected = model.convs[1](h, edge_index) + model.lins[1](h)
    torch.testing.assert_close(treated(x, edge_index), expected)
    assert last_row(treated).endswith("-          LayerNorm: the model's output")


@pytest.mark.parametrize("wrap", [Around, nn.DataParallel])
def test_what_holds_the_layers_is_no_head(wrap):
    treated = treat(wrap(GCN(10, 16, 3, 5)), Norm(LayerNorm))
    assert last_row(treated).endswith("LayerNorm: the model's output")


@pytest.mark.parametrize("make", [Attributes, Raw])
def test_a_head_takes_a_norm_before_it(make, x, edge_index):
    treated = treat(make(), Norm(LayerNorm))
    treated(x, edge_index)
    assert last_row(treated).endswith("8 -> 8    LayerNorm")
    assert not treated.treatments.unsure


def test_a_head_behind_a_pooling_is_found_and_the_data_stay(x, edge_index):
    treated = treat(Pooled(), Norm(LayerNorm))
    data = Data(x=x, edge_index=edge_index, batch=torch.arange(20) // 10)
    expected = treated(copy.copy(data))
    assert last_row(treated).endswith("LayerNorm")
    torch.testing.assert_close(treated(copy.copy(data)), expected)


def test_looking_for_the_answer_leaves_no_trace(x, edge_index):
    treated = treat(Skips(2), Norm(LayerNorm)).train()
    calls = []
    treated.lin_in.register_forward_hook(lambda *_: calls.append(1))
    treated.lins[0].eval()
    torch.manual_seed(0)
    treated(x, edge_index)
    state = torch.get_rng_state()
    assert len(calls) == 2
    torch.manual_seed(0)
    treated(x, edge_index)
    assert len(calls) == 3
    assert torch.equal(torch.get_rng_state(), state)
    assert treated.lin_in.training
    assert not treated.lins[0].training


def test_a_call_that_fails_decides_nothing(x, edge_index):
    treated = treat(Skips(2), Norm(LayerNorm))
    with pytest.raises(RuntimeError, match="shapes cannot be multiplied"):
        treated(x[:, :2], edge_index)
    assert "if a map follows" in last_row(treated)
    treated(x, edge_index)
    assert "the model's output" in last_row(treated)


@pytest.mark.filterwarnings("ignore")  # of the compiler's own
def test_a_compiled_model_finds_its_answer_too(x, edge_index):
    treated = treat(Attributes(), Norm(LayerNorm)).eval()
    other = copy.deepcopy(treated)
    out = torch.compile(treated, backend="eager")(x, edge_index)[0]
    torch.testing.assert_close(out, run(other, x, edge_index)[0])


def test_a_map_is_told_by_its_matrix_and_its_width():
    model = nn.Sequential(nn.Linear(6, 8), nn.LayerNorm(8), nn.LSTM(8, 4))
    assert find_maps(model, []) == [model[0], model[2]]
    assert may_take(model[0], 3)
    assert not may_take(model[0], 4)
    assert may_take(model[0], None)
    assert may_take(model[2], 5)
