"""No norm on the model's answer, wherever in the model it comes from."""

from __future__ import annotations

import copy

import pytest
import torch
from tests.treatment.models import Attributes, run
from torch import nn
from torch_geometric.data import Data
from torch_geometric.nn import (
    GCN,
    VGAE,
    GATConv,
    GCNConv,
    SAGEConv,
    global_mean_pool,
    to_hetero,
)

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


class Heads(nn.Module):
    """Two convolutions answer."""

    def __init__(self, first=3, second=1):
        super().__init__()
        self.conv, self.stem = SAGEConv(6, 8), SAGEConv(8, 8)
        self.first, self.second = SAGEConv(8, first), SAGEConv(8, second)

    def forward(self, x, edge_index):
        x = self.conv(x, edge_index).relu()
        x = self.stem(x, edge_index).relu()
        return self.first(x, edge_index), self.second(x, edge_index)


class Branches(nn.Module):
    """A head takes two convolutions side by side."""

    def __init__(self):
        super().__init__()
        self.conv1, self.conv2 = GCNConv(6, 8), GATConv(6, 8)
        self.head = nn.Linear(16, 3)

    def forward(self, x, edge_index):
        both = [self.conv1(x, edge_index), self.conv2(x, edge_index)]
        return self.head(torch.cat(both, -1))


class Through(nn.Module):
    """What lies between the layers cannot be followed."""

    def __init__(self):
        super().__init__()
        self.conv1, self.conv2 = GCNConv(6, 8), GCNConv(8, 3)

    def forward(self, x, edge_index):
        x = torch.from_numpy(self.conv1(x, edge_index).detach().numpy())
        return self.conv2(x, edge_index)


class Either(nn.Module):
    """Embeddings or logits, as one likes."""

    def __init__(self):
        super().__init__()
        self.conv1, self.conv2 = GCNConv(6, 8), GCNConv(8, 8)
        self.head = nn.Linear(8, 3)

    def forward(self, x, edge_index, embeds=False):
        x = self.conv2(self.conv1(x, edge_index), edge_index)
        return x if embeds else self.head(x)


def last_row(treated):
    return str(treated.treatments).splitlines()[-1]


def normed(treated):
    """Whether a norm acts, layer by layer, by the table."""
    lines = str(treated.treatments).splitlines()[2:]
    return ["LayerNorm: the model's output" not in line for line in lines]


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


@pytest.mark.parametrize("widths", [(3, 1), (1, 3), (8, 8)])
def test_each_of_several_heads_is_an_answer(widths, x, edge_index):
    model = Heads(*widths)
    treated = treat(model, Norm(LayerNorm), fast=False)
    conv, stem = (
        treated.treatments.layers[name].joins["nodes"].norm for name in ("conv", "stem")
    )
    h = conv(model.conv(x, edge_index)).relu()
    h = stem(model.stem(h, edge_index)).relu()
    for out, head in zip(
        treated(x, edge_index), (model.first, model.second), strict=True
    ):
        torch.testing.assert_close(out, head(h, edge_index))
    assert normed(treated) == [True, True, False, False]


def test_each_head_of_a_heterogeneous_model_is_an_answer():
    metadata = ["a"], [("a", "to", "a")]
    treated = treat(to_hetero(Heads(), metadata), Norm(LayerNorm))
    assert normed(treated) == [True, True, False, False]


def test_mean_and_variance_of_an_auto_encoder_are_answers(x, edge_index):
    treated = treat(VGAE(Heads(4, 4)), Norm(LayerNorm)).eval()
    treated.encode(x, edge_index)
    assert normed(treated) == [True, True, False, False]


@pytest.mark.parametrize("make", [Branches, Through])
def test_what_is_taken_further_unseen_or_beside_others_is_no_answer(
    make, x, edge_index
):
    treated = treat(make(), Norm(LayerNorm))
    treated(x, edge_index)
    assert normed(treated)[0]
    assert normed(treated)[1] == (make is Branches)


@pytest.mark.parametrize("embeds_first", [True, False])
def test_each_kind_of_call_has_its_own_answer(embeds_first, x, edge_index):
    model = Either()
    treated = treat(model, Norm(LayerNorm), fast=False)
    norms = [join.joins["nodes"].norm for join in treated.treatments.layers.values()]
    for embeds in (embeds_first, not embeds_first, embeds_first):
        h = model.conv2(norms[0](model.conv1(x, edge_index)), edge_index)
        expected = h if embeds else model.head(norms[1](h))
        torch.testing.assert_close(treated(x, edge_index, embeds=embeds), expected)
    assert normed(treated) == [True, True]
    assert all(p.requires_grad for p in treated.parameters())


def test_only_a_norm_that_no_call_asks_for_is_frozen(x, edge_index):
    treated = treat(Either(), Norm(LayerNorm))
    treated(x, edge_index, embeds=True)
    assert normed(treated) == [True, False]
    norm = treated.treatments.layers["conv2"].joins["nodes"].norm
    assert not any(p.requires_grad for p in norm.parameters())


@pytest.mark.parametrize("make", [Attributes, Raw])
def test_a_head_takes_a_norm_before_it(make, x, edge_index):
    treated = treat(make(), Norm(LayerNorm))
    treated(x, edge_index)
    assert last_row(treated).endswith("8 -> 8    LayerNorm")


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
