from __future__ import annotations

import itertools

import pytest
import torch
import torch.nn.functional as F
from benchmarks.networks import seeded
from tests.checks.planted import Skips, blocks, case, fit
from torch import nn
from torch_geometric.data import Data
from torch_geometric.nn import GCN, GIN, GraphConv

from benthic.checks import Exploding
from benthic.diagnosis import diagnose

check = Exploding()
DATA = blocks()


class Sums(nn.Module):
    """GraphConv layers that add up neighbors and normalize nothing."""

    def __init__(self, num_layers: int) -> None:
        super().__init__()
        widths = [8, *[16] * (num_layers - 1), 3]
        self.convs = nn.ModuleList(
            GraphConv(*pair) for pair in itertools.pairwise(widths)
        )

    def forward(self, x, edge_index):
        for conv in self.convs[:-1]:
            x = F.relu(conv(x, edge_index))
        return self.convs[-1](x, edge_index)


@pytest.mark.parametrize(
    "model", [seeded(0, Sums, 16), seeded(0, GIN, 8, 16, 12, 3)], ids=["sum", "gin"]
)
def test_sums_over_neighbors_explode_with_depth(model):
    outcome = check(case(model, DATA))
    assert outcome.kind == "issue"
    assert outcome.evidence["norm_growth_fresh"] > 50
    assert outcome.evidence["norm_growth_per_layer_fresh"] > 1.4


def test_it_is_the_verdict_after_training_too():
    diagnosis = diagnose(fit(Sums(12), DATA, epochs=30), DATA, influence=False)
    assert diagnosis.verdict == "D004"


def test_nan_and_infinity_count_at_once():
    model = GCN(8, 16, 3, 3)
    with torch.no_grad():
        model.convs[1].bias[0] = float("nan")
    outcome = check(case(model, DATA))
    assert outcome.kind == "issue"
    assert outcome.confidence == 1.0
    assert outcome.evidence["non_finite_layers"][0] == "convs.1"


def test_growth_that_training_got_along_with_is_a_tip():
    model = fit(Skips(8, 3, 16, norm=False), DATA, epochs=50)
    outcome = check(case(model, DATA))
    assert outcome.kind == "tip"
    assert outcome.evidence["norm_growth_fresh"] > 30


@pytest.mark.parametrize(
    "model",
    [
        seeded(0, GCN, 8, 16, 4, 3),
        seeded(0, GCN, 8, 16, 12, 3),
        seeded(0, Skips, 8, 3, 12),
        seeded(0, GIN, 8, 16, 3, 16),
    ],
    ids=["gcn", "deep gcn", "skips", "gin"],
)
def test_norms_that_stay_pass(model):
    assert check(case(model, DATA)).kind == "passed"


def test_large_units_of_the_input_are_no_explosion():
    data = Data(x=1e6 * DATA.x, edge_index=DATA.edge_index)
    assert check(case(GCN(8, 16, 5, 3), data)).kind == "passed"


def test_two_layers_show_no_trend():
    assert check(case(GCN(8, 16, 2, 3), DATA)).kind == "not applicable"


def test_a_gradient_may_explode_where_the_states_do_not():
    class Waves(Sums):
        """Bounded states, and a slope of 20 in each layer."""

        def forward(self, x, edge_index):
            for conv in self.convs[:-1]:
                x = torch.sin(20.0 * conv(x, edge_index))
            return self.convs[-1](x, edge_index)

    outcome = check(case(seeded(0, Waves, 8), DATA))
    assert outcome.kind == "issue"
    assert outcome.evidence["norm_growth_fresh"] < 30
    assert "times the last layer's gradient" in outcome.reason
