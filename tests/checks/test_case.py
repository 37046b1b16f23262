from __future__ import annotations

import copy
import dataclasses

import pytest
import torch
from benchmarks.networks import seeded
from tests.checks.planted import blocks, case, distant, fit
from torch import nn
from torch_geometric.data import Data
from torch_geometric.nn import GCN, GCNConv, SGConv, global_mean_pool

from benthic.checks.propagation import HopAccuracy
from benthic.errors import InputError, ModelError

DATA = blocks(per_class=30)


@pytest.fixture(scope="module")
def healthy() -> nn.Module:
    return fit(seeded(0, GCN, 8, 16, 2, 3, dropout=0.5), DATA, epochs=150)


CONTROLS = [
    "reading",
    "fresh",
    "fresh_again",
    "fresh_graph_off",
    "graph_off",
    "linear",
    "weights_off",
    "influence",
    "influence_null",
    "noise",
]


@pytest.mark.parametrize("control", CONTROLS)
def test_a_control_leaves_the_model_the_data_and_the_random_state(control):
    model = GCN(8, 16, 2, 3, norm="batch_norm", dropout=0.5).train()
    model.convs[0].eval()
    model.convs[1].lin.weight.requires_grad_(False)
    model.convs[0].bias.grad = torch.full((16,), 3.0)
    state = copy.deepcopy(model.state_dict())
    modes = [module.training for module in model.modules()]
    data, numbers = DATA.clone(), torch.get_rng_state()
    before = data.clone().to_dict()

    getattr(case(model, data), control)

    assert torch.equal(torch.get_rng_state(), numbers)
    assert [module.training for module in model.modules()] == modes
    assert torch.equal(model.convs[0].bias.grad, torch.full((16,), 3.0))
    assert [p.requires_grad for p in model.parameters()].count(False) == 1
    for name, value in model.state_dict().items():
        assert torch.equal(value, state[name])
    assert not any(m._forward_hooks or m._forward_pre_hooks for m in model.modules())
    for name, value in data.to_dict().items():
        assert torch.equal(value, before[name])


class RaisesLate(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.gnn = GCN(8, 16, 2, 3)

    def forward(self, x, edge_index):
        self.gnn(x, edge_index)
        torch.rand(9)
        raise ValueError("too late")


def test_a_model_that_raises_is_left_as_it_was():
    model, numbers = RaisesLate().train(), torch.get_rng_state()
    with pytest.raises(ModelError, match="RaisesLate raised ValueError: too late"):
        _ = case(model, DATA).reading
    assert torch.equal(torch.get_rng_state(), numbers)
    assert model.training
    assert not any(m._forward_hooks or m._forward_pre_hooks for m in model.modules())


@pytest.mark.parametrize(
    "conv", [GCNConv(8, 3, cached=True), SGConv(8, 3, K=2, cached=True)]
)
def test_a_cached_graph_does_not_fool_graph_off(conv):
    conv(DATA.x, DATA.edge_index)  # fills the caller's cache
    examined = case(conv, DATA)
    with_graph, without = examined.reading, examined.graph_off
    plain = type(conv)(8, 3, **({"K": 2} if isinstance(conv, SGConv) else {}))
    plain.load_state_dict(conv.state_dict())
    expected = case(plain, DATA)
    assert with_graph.layers[0].norm == pytest.approx(expected.reading.layers[0].norm)
    assert without.layers[0].norm == pytest.approx(expected.graph_off.layers[0].norm)
    assert without.layers[0].norm != pytest.approx(with_graph.layers[0].norm)


def test_a_healthy_model_does_not_fail(healthy):
    examined = case(healthy, DATA)
    assert examined.is_failing is False
    assert examined.fits
    assert examined.chance == pytest.approx(1 / 3, abs=0.1)


def test_a_model_at_chance_fails():
    assert case(GCN(8, 16, 2, 3), DATA).is_failing


def test_a_model_far_below_the_weights_off_probe_fails():
    data = distant(hops=2)
    examined = case(GCN(3, 16, 2, 2), data)
    assert examined.is_failing
    assert examined.needed_hops.num_hops == 2


@pytest.mark.parametrize(
    ("chance", "value", "probe", "fails"),
    [
        (0.33, 0.40, 0.33, True),  # near chance
        (0.33, 0.70, 0.70, False),
        (0.33, 0.50, 0.95, True),  # far below the probe
        (0.33, 0.80, 0.95, False),  # within the margin of the probe
        (0.90, 0.91, 0.90, True),
        (0.90, 0.94, 0.90, False),  # much of what chance leaves to gain
    ],
)
def test_failing_is_near_chance_or_far_below_the_probe(chance, value, probe, fails):
    examined = case(GCN(8, 16, 2, 3), DATA)
    metrics = {**examined.reading.metrics, "val": value}
    examined.reading = dataclasses.replace(
        examined.reading, metrics=metrics, chance=chance
    )
    examined.weights_off = (HopAccuracy(0, probe),)
    assert examined.is_failing is fails


def test_fitting_means_more_than_always_answering_the_most_frequent_class():
    data = DATA.clone()
    data.y = (torch.arange(90) % 20 == 0).long()
    model = GCN(8, 16, 2, 2)
    with torch.no_grad():
        model.convs[1].bias.copy_(torch.tensor([99.0, 0.0]))
    examined = case(model, data)
    assert examined.reading.metrics["train"] > 0.9
    assert not examined.fits


def test_the_margin_grows_as_the_held_out_nodes_get_fewer():
    few = blocks(per_class=5)
    assert case(GCN(8, 16, 2, 3), few).margin > 0.2
    many = DATA.clone()
    many.val_mask = torch.ones_like(many.val_mask)
    assert case(GCN(8, 16, 2, 3), many).margin < 0.16


def test_without_labels_nothing_is_said_about_learning():
    examined = case(GCN(8, 16, 2, 3), Data(x=DATA.x, edge_index=DATA.edge_index))
    assert examined.is_failing is None
    assert examined.chance is None
    assert examined.weights_off == ()


def test_the_test_split_decides_nothing(healthy):
    data = DATA.clone()
    data.test_mask = data.val_mask.clone()
    del data.val_mask
    examined = case(healthy, data)
    assert examined.is_failing is None
    assert examined.reading.metrics["test"] > 0.5


def test_without_training_nodes_there_is_no_chance_and_no_probe(healthy):
    data = DATA.clone()
    del data.train_mask
    examined = case(healthy, data)
    assert examined.chance is None
    assert examined.weights_off == ()
    assert examined.is_failing is None
    assert examined.reading.metrics["val"] > 0.5


@pytest.mark.parametrize(
    "data",
    [[DATA], (DATA.x, DATA.edge_index), {"x": DATA.x, "edge_index": DATA.edge_index}],
)
def test_what_is_no_single_graph_has_no_weights_off_and_no_influence(data):
    examined = case(GCN(8, 16, 2, 3), data)
    assert examined.weights_off == ()
    assert examined.influence is None
    assert examined.graph_off.layers


def test_a_backward_pass_that_torch_refuses_leaves_influence_unknown():
    class InPlace(GCN):
        def forward(self, x, edge_index):
            x = x.div_(x.norm(dim=1, keepdim=True) + 1)
            return super().forward(x, edge_index)

    assert case(InPlace(8, 16, 2, 3), DATA.clone()).influence is None


def test_influence_can_be_left_out():
    assert case(GCN(8, 16, 2, 3), DATA, influence=False).influence is None


def test_equal_hearing_counts_the_nodes_at_each_hop():
    data = Data(
        x=torch.ones(5, 8),
        edge_index=torch.tensor([[1, 2, 3, 4], [0, 0, 0, 3]]),
    )
    examined = case(GCN(8, 16, 2, 3), data)
    counts = examined.influence_null.influence
    assert sum(counts) > 0
    assert all(count >= 0 for count in counts)


class Readout(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv = GCNConv(8, 16)
        self.norm = nn.BatchNorm1d(16)
        self.lin = nn.Linear(16, 2)

    def forward(self, x, edge_index, batch):
        x = global_mean_pool(self.conv(x, edge_index).relu(), batch)
        return self.lin(self.norm(x))


def test_a_batch_norm_that_sees_one_graph_is_read_in_evaluation_mode():
    one = Data(
        x=torch.randn(4, 8),
        edge_index=torch.tensor([[0, 1], [1, 2]]),
        y=torch.tensor([1]),
        batch=torch.zeros(4).long(),
    )
    examined = case(Readout(), [one, one])
    assert examined.fresh.layers
    assert examined.noise == ()


def test_a_control_that_the_model_refuses_reads_nothing():
    class NeedsEdges(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv = GCNConv(8, 3)

        def forward(self, x, edge_index):
            if edge_index.numel() == 0:
                raise ValueError("no edges")
            return self.conv(x, edge_index)

    examined = case(NeedsEdges(), DATA)
    assert examined.reading.layers
    assert examined.graph_off.layers == ()
    assert examined.fresh_graph_off.gradient_ratio is None


def test_layers_that_never_run_are_refused():
    class Idle(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv, self.lin = GCNConv(8, 3), nn.Linear(8, 3)

        def forward(self, x, edge_index):
            return self.lin(x)

    with pytest.raises(InputError, match="conv") as raised:
        _ = case(Idle(), DATA).reading
    assert raised.value.argument == "model"


def test_progress_is_told(healthy):
    told: list[str] = []
    _ = case(healthy, DATA, progress=told.append).weights_off
    assert told == ["reading the layers", "control: weights off"]
