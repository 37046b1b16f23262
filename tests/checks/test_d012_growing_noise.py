from __future__ import annotations

import pytest
import torch
from benchmarks.networks import GCNII, seeded
from tests.checks.planted import Skips, blocks, case, fit
from torch import nn
from torch_geometric.data import Data
from torch_geometric.nn import GAT, GCN, GATConv

from benthic import diagnose
from benthic.checks import GrowingNoise
from benthic.nn import DeepGNN, IdentityMap, InitialResidual

check = GrowingNoise()
# Few neighbors, so that averaging takes little noise back.
DATA = blocks(per_class=100, within=0.01, between=0.002)


def deep_gat(dropout: float, norm: type[nn.Module] | None = None) -> nn.Module:
    return seeded(
        0,
        DeepGNN,
        lambda i, o: GATConv(i, o // 4, heads=4),
        *(8, 16, 3),
        num_layers=48,
        residual=InitialResidual(0.1),
        identity_map=IdentityMap(),
        norm=norm,
        dropout=dropout,
    )


def test_dropout_that_few_neighbors_do_not_take_back_is_the_cause():
    diagnosis = diagnose(fit(deep_gat(0.6), DATA, epochs=20), DATA, influence=False)
    assert diagnosis.verdict == "D012"
    evidence = diagnosis.findings[0].evidence
    assert evidence["norm_with_dropout_over_without"] > 100
    assert evidence["signal_to_noise_last"] < 1.0


@pytest.mark.parametrize(
    ("dropout", "norm"), [(0.19, None), (0.0, None), (0.6, nn.LayerNorm)]
)
def test_less_dropout_or_a_norm_cures_it(dropout, norm):
    outcome = check(case(deep_gat(dropout, norm), DATA))
    assert outcome.kind == "passed"
    assert outcome.evidence["norm_with_dropout_over_without"] < 5.0


def test_without_dropout_nothing_grows():
    outcome = check(case(seeded(0, GCN, 8, 16, 4, 3), DATA))
    assert outcome.evidence["norm_with_dropout_over_without"] == 1.0


def test_a_model_that_trains_all_the_same_gets_a_tip():
    data = Data(x=DATA.x, edge_index=DATA.edge_index, y=DATA.y)
    data.train_mask = torch.ones(len(DATA.y), dtype=torch.bool)
    examined = case(deep_gat(0.6), data)
    assert check(examined).kind == "issue"
    examined.reading.metrics.update(train=1.0)
    assert check(examined).kind == "tip"


@pytest.mark.parametrize(
    "model",
    [
        seeded(0, GCN, 8, 16, 2, 3, dropout=0.5),
        seeded(0, GAT, 8, 16, 4, 3, dropout=0.5),
        seeded(0, GCNII, 8, 16, 3, 16),
        seeded(0, Skips, 8, 3, 16),
    ],
    ids=["gcn", "gat", "gcnii", "residual and norm"],
)
def test_usual_dropout_passes(model):
    assert check(case(model, DATA)).kind == "passed"


def test_a_network_that_vanishes_without_dropout_as_well_is_called_so():
    model = fit(seeded(0, GCN, 8, 16, 32, 3, dropout=0.7), DATA, epochs=10)
    diagnosis = diagnose(model, DATA, influence=False)
    assert diagnosis.verdict == "D003"


def test_dropout_on_the_stream_is_called_so():
    model = fit(
        Skips(8, 3, 24, noisy_skip=True, norm=False, dropout=0.6), DATA, epochs=10
    )
    assert diagnose(model, DATA, influence=False).verdict == "D010"


def test_one_layer_hears_no_layer_before_it():
    outcome = check(case(seeded(0, GCN, 8, 16, 1, 3, dropout=0.5), DATA))
    assert outcome.kind == "not applicable"
