from __future__ import annotations

from benchmarks.networks import seeded
from tests.checks.planted import blocks, case, fit, trees
from torch import nn
from torch_geometric.data import Data
from torch_geometric.nn import GCN, GCNConv, GPSConv

from benthic.checks import OverSquashing

check = OverSquashing()
DATA = trees(count=60)  # 16 leaves speak to a root through one path each


def gcn(num_layers: int, epochs: int):
    return fit(seeded(0, GCN, 3, 16, num_layers, 2), DATA, epochs=epochs)


def test_leaves_behind_a_bottleneck_are_not_heard():
    outcome = check(case(gcn(4, 3), DATA))
    assert outcome.kind == "issue"
    assert outcome.evidence["needed_hop"] == 4
    assert outcome.evidence["influence_share_if_equal"] > 0.2
    share = outcome.evidence["influence_share"]
    assert 0 < share < 0.01 * outcome.evidence["influence_share_if_equal"]


def test_a_network_that_learned_to_read_the_leaves_passes():
    outcome = check(case(gcn(4, 100), DATA))
    assert outcome.kind == "passed"


def test_a_network_without_influence_cannot_tell():
    model = gcn(4, 0)
    for parameter in model.parameters():
        parameter.detach().zero_()
    assert check(case(model, DATA)).kind in ("not applicable", "passed")


def test_too_few_layers_are_another_illness():
    outcome = check(case(gcn(2, 0), DATA))
    assert outcome.kind == "not applicable"
    assert "reaches 2" in outcome.reason


def test_a_local_task_cannot_be_squashed():
    data = blocks(noise=0.1)
    assert check(case(GCN(8, 16, 4, 3), data)).kind == "not applicable"


def test_without_labels_or_without_influence_nobody_can_tell():
    unlabelled = Data(x=DATA.x, edge_index=DATA.edge_index)
    assert check(case(gcn(4, 0), unlabelled)).kind == "not applicable"
    assert check(case(gcn(4, 0), DATA, influence=False)).kind == "not applicable"


def test_a_layer_that_hears_everyone_is_not_said_to_lack_labels():
    class Global(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv = GPSConv(3, GCNConv(3, 3), heads=1)
            self.lin = nn.Linear(3, 2)

        def forward(self, x, edge_index):
            return self.lin(self.conv(x, edge_index))

    outcome = check(case(seeded(0, Global), DATA))
    assert outcome.kind == "not applicable"
    assert "hears every node" in outcome.reason
