from __future__ import annotations

import math

import pytest
import torch
import torch.nn.functional as F
from benchmarks.networks import seeded
from tests.checks.planted import Skips, blocks
from torch import nn
from torch_geometric.data import Data
from torch_geometric.nn import GCN, GCNConv

from benthic.checks.noise import training_noise
from benthic.nn import DeepGNN, InitialResidual

DATA = blocks()


def noise(model: nn.Module, **options):
    run = lambda m: m(DATA.x, DATA.edge_index)  # noqa: E731
    return training_noise(model, run, **options)


@pytest.mark.parametrize("p", [0.2, 0.5])
def test_dropout_on_the_stream_multiplies_up_as_the_formula_says(p):
    model = Skips(8, 3, 6, noisy_skip=True, norm=False, dropout=p, hidden_channels=64)
    layers = noise(model)
    assert [layer.name for layer in layers] == [f"convs.{i}" for i in range(1, 6)]
    # The first layer's message is heard, the others are silent.
    for depth, layer in enumerate(layers, start=1):
        assert layer.skip_only == pytest.approx(1 / ((1 - p) ** -depth - 1), rel=0.2)


def test_dropout_on_the_branch_leaves_the_stream_alone():
    layers = noise(Skips(8, 3, 6))
    assert len({layer.skip_only for layer in layers}) == 1
    assert layers[-1].all_paths < layers[0].all_paths


def test_without_dropout_nothing_is_lost():
    layers = noise(Skips(8, 3, 4, dropout=0.0))
    assert {layer.skip_only for layer in layers} == {math.inf}
    assert {layer.all_paths for layer in layers} == {math.inf}


def test_where_nothing_skips_there_is_no_stream():
    layers = noise(GCN(8, 16, 4, 3, dropout=0.5))
    assert {layer.skip_only for layer in layers[1:]} == {None}


def test_a_stream_that_dropout_erases_whole_reads_zero():
    class Erasing(Skips):
        def forward(self, x, edge_index):
            x = self.lin_in(x)
            for conv in self.convs:
                x = F.dropout(x + conv(x, edge_index), 1.0, self.training)
            return self.lin_out(x)

    assert noise(Erasing(8, 3, 3))[-1].skip_only == 0.0


def test_the_scale_of_the_noise_does_not_count():
    class Rescaling(Skips):
        def forward(self, x, edge_index):
            x = self.lin_in(x)
            for conv in self.convs:
                x = (x + conv(x, edge_index)) * (3.0 if self.training else 1.0)
            return self.lin_out(x)

    assert noise(Rescaling(8, 3, 3))[-1].skip_only > 1e6


def test_the_callers_random_state_stays():
    model = Skips(8, 3, 3)
    torch.manual_seed(7)
    before = torch.get_rng_state()
    noise(model)
    assert torch.equal(torch.get_rng_state(), before)


def test_one_layer_has_no_stream_between_layers():
    assert noise(GCN(8, 16, 1, 3)) == []


def test_where_nothing_is_averaged_dropout_grows_as_its_power_does():
    # Without edges and weights a row of 4,096 equal entries keeps 1 / (1 - p) of power.
    class Dropping(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.convs = nn.ModuleList(GCNConv(4096, 4096) for _ in range(4))

        def forward(self, x, edge_index):
            for conv in self.convs:
                x = F.dropout(conv(x, edge_index), 0.6, self.training)
            return x

    model, x = Dropping(), torch.ones(3, 4096)
    for conv in model.convs:
        conv.lin = nn.Identity()
    edges = torch.empty(2, 0, dtype=torch.int64)
    layers = training_noise(model, lambda m: m(x, edges))
    for depth, layer in enumerate(layers, start=1):
        assert layer.growth == pytest.approx(0.4 ** (-depth / 2), rel=0.2)


def test_a_few_nodes_that_stand_alone_do_not_count_as_growth():
    model = seeded(
        0, DeepGNN, GCNConv, 8, 16, 3, 48, residual=InitialResidual(0.1), dropout=0.5
    )
    alone = torch.randn(4, 8)
    data = Data(x=torch.cat([DATA.x, alone]), edge_index=DATA.edge_index)
    layers = training_noise(model, lambda m: m(data.x, data.edge_index))
    assert max(layer.growth for layer in layers) < 10


def test_states_that_dropout_makes_infinite_grow_without_bound():
    class Dividing(Skips):
        def forward(self, x, edge_index):
            x = self.lin_in(x)
            for conv in self.convs:
                x = x + conv(x, edge_index)
                x = x / F.dropout(torch.ones_like(x), 0.5, self.training)
            return self.lin_out(x)

    assert noise(Dividing(8, 3, 3))[-1].growth == math.inf
