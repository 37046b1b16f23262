from __future__ import annotations

import pytest
import torch
from benchmarks.networks import SGC, seeded
from tests.checks.planted import blocks, case, fit
from torch_geometric.nn import GCN, GraphSAGE

from benthic.checks import FeatureCollapse

check = FeatureCollapse()
DATA = blocks()


@pytest.fixture
def copies() -> GCN:
    """A hidden layer whose 16 columns all say the same."""
    model = seeded(0, GCN, 8, 16, 2, 3, act="tanh")
    with torch.no_grad():
        row = torch.tensor([1.0, -1.0, 0, 0, 0, 0, 0, 0])
        model.convs[0].lin.weight.copy_(torch.linspace(1, 2, 16)[:, None] * row)
    return model


def test_columns_that_are_copies_hurt_a_model_that_fails(copies):
    outcome = check(case(copies, DATA))
    assert outcome.kind == "issue"
    assert outcome.evidence["layer"] == "convs.0"
    assert outcome.evidence["feature_correlation"] > 0.99
    assert outcome.evidence["effective_rank"] < 1.5


def test_where_nothing_is_lost_copies_are_a_tip(copies):
    two = DATA.clone()
    two.y = (two.y == 0).long()  # one direction tells these two classes apart
    model = seeded(0, GCN, 8, 16, 2, 2, act="tanh")
    model.convs[0].load_state_dict(copies.convs[0].state_dict())
    model.convs[0].requires_grad_(False)
    fit(model, two, epochs=60)
    assert check(case(model, two)).kind == "tip"


@pytest.mark.parametrize("kind", [GCN, GraphSAGE])
def test_columns_that_differ_pass(kind):
    model = fit(kind(8, 16, 2, 3), DATA, epochs=40)
    outcome = check(case(model, DATA))
    assert outcome.kind == "passed"
    assert outcome.evidence["feature_correlation"] < 0.8


def test_columns_made_alike_by_smoothing_are_another_illness():
    outcome = check(case(seeded(0, SGC, 8, 3, 512), DATA))
    assert outcome.kind == "passed"


def test_one_column_cannot_tell():
    assert check(case(GCN(8, 1, 2, 3), DATA)).kind == "not applicable"
