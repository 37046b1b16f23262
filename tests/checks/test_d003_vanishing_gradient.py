from __future__ import annotations

import pytest
import torch
from benchmarks.networks import GCNII, seeded
from tests.checks.planted import Skips, blocks, case, fit
from torch import nn
from torch_geometric.data import Data
from torch_geometric.nn import GCN, GIN, GCNConv

from benthic.checks import VanishingGradient
from benthic.diagnosis import diagnose
from benthic.nn import DeepGNN, InitialResidual

check = VanishingGradient()
DATA = blocks()


def test_a_plain_deep_stack_starves_its_first_layers_with_the_graph_and_without():
    model = fit(seeded(0, GCN, 8, 16, 16, 3, dropout=0.5), DATA, epochs=30)
    diagnosis = diagnose(model, DATA, influence=False)
    assert diagnosis.verdict == "D003"
    finding = diagnosis.findings[0]
    assert finding.evidence["gradient_ratio_fresh"] < 0.02
    assert finding.evidence["gradient_ratio_fresh_graph_off"] < 0.02
    assert finding.evidence["train_accuracy"] < 0.6
    assert "without the graph too" in finding.reason
    assert finding.confidence == 0.95


def test_skips_and_norms_cure_it():
    outcome = check(case(fit(Skips(8, 3, 16), DATA, epochs=20), DATA))
    assert outcome.kind == "passed"
    assert outcome.evidence["gradient_ratio_fresh"] > 0.02


def test_a_fitted_network_has_small_gradients_and_no_illness():
    model = fit(GCN(8, 16, 2, 3), DATA, epochs=300)
    assert check(case(model, DATA)).kind == "passed"


def test_a_dead_network_is_judged_by_its_fresh_copy():
    with torch.no_grad():
        for parameter in (model := GCN(8, 16, 2, 3)).parameters():
            parameter.zero_()
    assert check(case(model, DATA)).kind == "passed"


def test_a_starved_network_that_fits_all_the_same_passes():
    model = fit(seeded(0, GCN, 8, 16, 8, 3), DATA, epochs=150)
    outcome = check(case(model, DATA))
    assert outcome.kind == "passed"
    assert outcome.evidence["gradient_ratio_fresh"] < 0.02
    assert outcome.evidence["train_accuracy"] > 0.9


def test_one_unlucky_start_is_no_evidence():
    # GIN's last layer has as many hidden units as classes: some starts are dead.
    model = GIN(8, 16, 3, 3)

    def is_unlucky(seed: int) -> bool:
        examined = case(model, DATA, seed=seed)
        again = examined.fresh_again.gradient_ratio
        return examined.fresh.gradient_ratio < 0.02 <= again

    unlucky = next(filter(is_unlucky, range(40)))
    assert check(case(model, DATA, seed=unlucky)).kind == "passed"


def test_without_labels_a_random_direction_of_the_output_is_the_loss():
    unlabelled = Data(x=DATA.x, edge_index=DATA.edge_index)
    assert check(case(seeded(0, GCN, 8, 16, 12, 3), unlabelled)).kind == "issue"
    assert check(case(GCN(8, 16, 2, 3), unlabelled)).kind == "passed"


@pytest.mark.parametrize("frozen", [False, True])
def test_one_layer_or_frozen_weights_cannot_tell(frozen):
    model = GCN(8, 16, 4 if frozen else 1, 3).requires_grad_(not frozen)
    assert check(case(model, DATA)).kind == "not applicable"


def test_batches_without_a_training_node_say_nothing():
    none = DATA.clone()
    none.train_mask = torch.zeros_like(none.train_mask)
    examined = case(GCN(8, 16, 2, 3), [DATA, none])
    assert check(examined).kind == "passed"


def test_an_initial_residual_brings_the_gradient_around_the_layers():
    fresh = seeded(0, GCNII, 8, 16, 3, 64)
    outcome = check(case(fresh, DATA))
    assert outcome.kind == "passed"
    assert outcome.evidence["gradient_ratio_fresh"] > 0.04


@pytest.mark.parametrize("norm", [None, nn.LayerNorm], ids=str)
def test_an_initial_residual_of_a_stack_of_ours_starves_no_layer(norm):
    residual = InitialResidual(0.1)
    model = seeded(
        0, DeepGNN, GCNConv, 8, 16, 3, num_layers=32, residual=residual, norm=norm
    )
    outcome = check(case(model, DATA))
    assert outcome.kind == "passed"
    assert outcome.evidence["gradient_ratio_fresh"] > 0.04


def test_the_same_stack_without_it_starves_behind_its_first_map():
    model = seeded(0, DeepGNN, GCNConv, 8, 16, 3, num_layers=32, norm=None)
    assert check(case(model, DATA)).kind == "issue"
