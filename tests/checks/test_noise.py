from __future__ import annotations

import math

import pytest
import torch
import torch.nn.functional as F
from tests.checks.planted import Skips, blocks
from torch import nn
from torch_geometric.nn import GCN

from benthic.checks.noise import training_noise

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
