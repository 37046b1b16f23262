"""measure_smoothing reads what the model computes, and leaves it as it was."""

from __future__ import annotations

import pytest
import torch
from tests.trace.true_states import state_of
from torch import nn
from torch_geometric.data import Data
from torch_geometric.nn import GCN, BatchNorm, GCNConv, SAGEConv, to_hetero

from benthic.errors import InputError
from benthic.metrics import mean_cosine_similarity
from benthic.trace import measure_smoothing


@pytest.fixture
def data(x, edge_index):
    return Data(x=x, edge_index=edge_index)


def cosine(x):
    return float(mean_cosine_similarity(x.detach()))


def test_a_gcn_is_read_after_its_relu_and_in_evaluation_mode(data):
    model = GCN(6, 8, num_layers=4, out_channels=3, dropout=0.5)
    h, expected = data.x, {}
    for i, conv in enumerate(model.convs):
        h = conv(h, data.edge_index)
        h = h.relu() if i < 3 else h
        expected[f"convs.{i}"] = pytest.approx(cosine(h), rel=1e-5)
    assert model.training
    assert measure_smoothing(model, data) == expected
    assert list(expected) == list(measure_smoothing(model, data))


def test_a_residual_network_is_read_on_its_stream(data):
    class Residual(nn.Module):
        def __init__(self):
            super().__init__()
            self.lin = nn.Linear(6, 8)
            self.convs = nn.ModuleList(GCNConv(8, 8) for _ in range(3))
            self.norms = nn.ModuleList(BatchNorm(8) for _ in range(3))

        def forward(self, x, edge_index):
            x = self.lin(x)
            self.stream = []
            for conv, norm in zip(self.convs, self.norms, strict=True):
                x = x + norm(conv(x, edge_index)).relu()
                self.stream.append(x)
            return x

    model = Residual()
    found = measure_smoothing(model, data)
    model.eval()(data.x, data.edge_index)
    expected = [cosine(x) for x in model.stream]
    assert list(found.values()) == pytest.approx(expected, rel=1e-5)


def test_a_dead_layer_is_none_and_never_zero(data):
    model = GCN(6, 8, num_layers=3, out_channels=3)
    nn.init.zeros_(model.convs[1].lin.weight)
    assert measure_smoothing(model, data)["convs.1"] is None


def test_noise_after_a_relu_reads_its_floor():
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(64, 256, bias=False), nn.ReLU())
    data = torch.randn(2000, 64)
    found = measure_smoothing(
        model, data, forward=lambda model, x: model(x), layers=["0"]
    )
    assert found["0"] == pytest.approx(1 / torch.pi, abs=0.01)


def test_batches_are_read_as_one(data):
    model = GCN(6, 8, num_layers=2)
    assert measure_smoothing(model, [data, data])["convs.1"] is not None


def test_node_types_are_read_apart(data):
    class Plain(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv = SAGEConv(6, 8)

        def forward(self, x, edge_index):
            return self.conv(x, edge_index)

    metadata = (["a", "b"], [("a", "to", "b"), ("b", "to", "a")])
    model = to_hetero(Plain(), metadata)
    x_dict = {"a": data.x, "b": data.x[:5]}
    edges = torch.tensor([[0, 1, 2], [0, 1, 2]])
    found = measure_smoothing(
        model, (x_dict, {("a", "to", "b"): edges, ("b", "to", "a"): edges})
    )
    assert sorted(found) == ["conv (a)", "conv (b)"]


@pytest.mark.parametrize("fails", [False, True])
def test_everything_is_left_as_it_was(fails, data):
    model = GCN(6, 8, num_layers=3, norm="batch", dropout=0.5, cached=True)
    model.convs[1].eval()
    model.convs[0].lin.weight.grad = torch.ones_like(model.convs[0].lin.weight)
    model.norms[0].module.weight.requires_grad_(False)
    before, buffers = state_of(model), [b.clone() for b in model.buffers()]

    def forward(model, data):
        model(data.x, data.edge_index)
        torch.rand(3)
        if fails:
            raise KeyboardInterrupt

    if fails:
        with pytest.raises(KeyboardInterrupt):
            measure_smoothing(model, data, forward=forward)
    else:
        measure_smoothing(model, data, forward=forward)
    after = state_of(model)
    assert before[:2] == after[:2]
    assert torch.equal(before[4], after[4])
    assert all(map(torch.equal, buffers, model.buffers()))
    assert all(conv._cached_edge_index is None for conv in model.convs)
    assert all(
        p.requires_grad == (p is not model.norms[0].module.weight)
        for p in model.parameters()
    )


def test_a_call_that_runs_no_layer_is_refused(data):
    model = GCN(6, 8, num_layers=2)
    with pytest.raises(InputError, match="forward: found a call that ran no layer"):
        measure_smoothing(model, data, forward=lambda model, data: None)
    with pytest.raises(InputError, match="forward: found a call that ran no layer"):
        measure_smoothing(model, [])


def test_the_published_reading_of_cora_is_far_from_one_for_the_best_depth(cora):
    torch.manual_seed(0)
    found = measure_smoothing(GCN(1433, 64, num_layers=2, out_channels=7), cora)
    assert 0.318 < found["convs.0"] < 1.0
