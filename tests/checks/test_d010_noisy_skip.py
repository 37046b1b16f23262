from __future__ import annotations

import pytest
from benchmarks.networks import GCNII, DeepGCN, seeded
from tests.checks.planted import Skips, blocks, case, fit
from torch_geometric.data import Data
from torch_geometric.nn import GCN

from benthic.checks import NoisySkip
from benthic.diagnosis import diagnose

check = NoisySkip()
DATA = blocks()


@pytest.mark.parametrize("norm", [False, True])
def test_dropout_after_the_add_drowns_the_stream(norm):
    model = fit(Skips(8, 3, 12, noisy_skip=True, norm=norm), DATA, epochs=20)
    diagnosis = diagnose(model, DATA, influence=False)
    assert diagnosis.verdict == "D010"
    evidence = diagnosis.findings[0].evidence
    assert evidence["skip_signal_to_noise_last"] < 0.01


def test_the_guides_network_has_it():
    outcome = check(case(seeded(0, DeepGCN, 8, 16, 3, 16), DATA))
    assert outcome.kind == "issue"
    assert "before it is added" in outcome.advice[0]


def test_a_shallow_noisy_skip_that_trains_is_a_tip():
    model = seeded(0, Skips, 8, 3, 3, noisy_skip=True, dropout=0.3)
    fit(model, DATA)
    assert check(case(model, DATA)).kind == "tip"


@pytest.mark.parametrize("norm", [False, True])
def test_dropout_before_the_add_passes(norm):
    outcome = check(case(Skips(8, 3, 8, norm=norm), DATA))
    assert outcome.kind == "passed"


def test_a_noisy_skip_without_dropout_passes():
    assert check(case(Skips(8, 3, noisy_skip=True, dropout=0.0), DATA)).kind == "passed"


@pytest.mark.parametrize(
    "model",
    [seeded(0, GCN, 8, 16, 8, 3), seeded(0, GCNII, 8, 16, 3, 8)],
    ids=["gcn", "gcnii"],
)
def test_where_nothing_skips_from_layer_to_layer_there_is_no_stream(model):
    assert check(case(model, DATA)).kind == "not applicable"


def test_it_needs_no_labels():
    data = Data(x=DATA.x, edge_index=DATA.edge_index)
    assert check(case(Skips(8, 3, 8, noisy_skip=True), data)).kind == "issue"
