from __future__ import annotations

import torch
from tests.checks.planted import blocks, case, fit
from torch_geometric.data import Data
from torch_geometric.nn import GCN, GraphSAGE

from benthic.checks import OverFitting
from benthic.diagnosis import diagnose

check = OverFitting()
DATA = blocks()


def random_labels() -> Data:
    data = DATA.clone()
    generator = torch.Generator().manual_seed(0)
    data.y = data.y[torch.randperm(len(data.y), generator=generator)]
    return data


def test_labels_learned_by_heart_are_over_fitting():
    data = random_labels()
    model = fit(GCN(8, 256, 2, 3), data, epochs=150)
    diagnosis = diagnose(model, data)
    assert diagnosis.verdict == "D006"
    assert diagnosis.metrics["train"] > 0.95
    assert "chance" in diagnosis.findings[0].evidence


def test_falling_behind_a_linear_probe_is_over_fitting():
    # Wide noisy features of a node's own, which its neighbors' average cancels.
    data = blocks(channels=200, noise=2.0, per_class=80)
    model = fit(GraphSAGE(200, 256, 2, 3), data, epochs=60)
    outcome = check(case(model, data))
    assert outcome.kind in ("issue", "tip")
    evidence = outcome.evidence
    assert evidence["train_accuracy"] == 1.0
    assert evidence["val_accuracy"] < evidence["weights_off_accuracy"]


def test_a_gap_alone_is_no_illness():
    data = blocks(noise=2.5, within=0.08)
    model = fit(GCN(8, 16, 2, 3), data)
    examined = case(model, data)
    assert check(examined).kind == "passed"


def test_a_network_that_does_not_fit_its_training_nodes_passes():
    assert check(case(GCN(8, 16, 2, 3), random_labels())).kind == "passed"


def test_without_held_out_labels_nobody_can_tell():
    data = Data(x=DATA.x, edge_index=DATA.edge_index, y=DATA.y)
    assert check(case(GCN(8, 16, 2, 3), data)).kind == "not applicable"
    data = Data(x=DATA.x, edge_index=DATA.edge_index)
    assert check(case(GCN(8, 16, 2, 3), data)).kind == "not applicable"
