from __future__ import annotations

import pytest
import torch
from benchmarks.networks import seeded
from tests.checks.planted import blocks, case, fit
from torch_geometric.data import Data
from torch_geometric.nn import GCN

from benthic.checks import NotLearning
from benthic.diagnosis import diagnose

check = NotLearning()
DATA = blocks()


def gcn() -> GCN:
    return seeded(0, GCN, 8, 16, 2, 3)


def mistakes():
    shuffled = DATA.y[torch.randperm(180, generator=torch.Generator().manual_seed(0))]
    few = torch.zeros_like(DATA.train_mask)
    few[DATA.y == 0] = True  # the loss sees one class
    return {
        "labels against other rows": lambda: fit(gcn(), DATA, y=shuffled),
        "a mask of one class": lambda: fit(gcn(), DATA, mask=few),
        "a learning rate of nothing": lambda: fit(gcn(), DATA, lr=1e-7),
        "never trained": gcn,
        "frozen": lambda: gcn().requires_grad_(False),
    }


@pytest.mark.parametrize("mistake", mistakes())
def test_ordinary_mistakes_are_named_when_nothing_else_is(mistake):
    diagnosis = diagnose(mistakes()[mistake](), DATA)
    assert diagnosis.verdict == "D009"
    finding = diagnosis.findings[0]
    assert finding.evidence["train_accuracy"] < 0.7
    assert finding.evidence["weights_off_accuracy"] > 0.9


def test_frozen_weights_are_counted_and_the_first_is_named():
    outcome = check(case(gcn().requires_grad_(False), DATA))
    assert outcome.evidence["frozen_parameters"] == 4
    assert outcome.advice[0].startswith("Unfreeze convs.0.")


def test_a_healthy_network_passes():
    assert check(case(fit(gcn(), DATA), DATA)).kind == "passed"


def test_a_network_that_learned_by_heart_has_learned():
    data = DATA.clone()
    data.y = data.y[torch.randperm(180, generator=torch.Generator().manual_seed(0))]
    model = fit(GCN(8, 256, 2, 3), data, epochs=150)
    assert check(case(model, data)).kind == "passed"


def test_where_neighbors_differ_the_advice_is_to_keep_a_nodes_own_features():
    data = blocks(within=0.05, between=0.15, noise=0.3)
    outcome = check(case(gcn(), data))
    assert outcome.evidence["weights_off_num_hops"] == 0
    assert any("own" in advice for advice in outcome.advice)


def test_where_one_class_is_nearly_all_accuracy_cannot_tell():
    data = DATA.clone()
    data.x = torch.randn(180, 8, generator=torch.Generator().manual_seed(0))
    data.y = (torch.arange(180) % 20 == 0).long()
    outcome = check(case(fit(seeded(0, GCN, 8, 16, 2, 2), data), data))
    assert outcome.kind == "tip"
    assert "accuracy cannot tell" in outcome.reason


def test_without_held_out_labels_nobody_can_tell():
    data = Data(x=DATA.x, edge_index=DATA.edge_index, y=DATA.y)
    assert check(case(gcn(), data)).kind == "not applicable"


def test_the_reason_says_what_was_within_reach():
    assert "where a linear probe on features" in check(case(gcn(), DATA)).reason
    data = DATA.clone()
    data.x = torch.randn(180, 8, generator=torch.Generator().manual_seed(0))
    data.y = (torch.arange(180) % 4 == 0).long()
    outcome = check(case(fit(seeded(0, GCN, 8, 16, 2, 2), data, epochs=1), data))
    assert "always answering the most frequent class" in outcome.reason
