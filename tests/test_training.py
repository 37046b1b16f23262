"""The training loop is the published one, and gives the random state back."""

from __future__ import annotations

import copy

import pytest
import torch
import torch.nn.functional as F
from torch import nn
from torch_geometric.data import Data, HeteroData
from torch_geometric.nn import GCN, SAGEConv, to_hetero

from benthic.errors import InputError
from benthic.supervision import Supervision
from benthic.training import build, train


@pytest.fixture
def data():
    generator = torch.Generator().manual_seed(0)
    y = torch.arange(30) % 3
    x = torch.randn(30, 5, generator=generator) + F.one_hot(y, 5)
    rows = torch.arange(30)
    return Data(
        x=x,
        y=y,
        edge_index=torch.randint(0, 30, (2, 60), generator=generator),
        train_mask=rows < 10,
        val_mask=(rows >= 10) & (rows < 20),
        test_mask=rows >= 20,
    )


def by_hand(model, data, epochs, lr, weight_decay, seed):
    """The loop as examples write it, with the states of every epoch."""
    optimizer = torch.optim.Adam(model.parameters(), lr=lr, weight_decay=weight_decay)
    torch.manual_seed(seed)
    states, scores, losses = [], [], []
    for _ in range(epochs):
        model.train()
        optimizer.zero_grad()
        out = model(data.x, data.edge_index)
        loss = F.cross_entropy(out[data.train_mask], data.y[data.train_mask])
        loss.backward()
        optimizer.step()
        losses.append(float(loss.detach()))
        model.eval()
        with torch.no_grad():
            out = model(data.x, data.edge_index)[data.val_mask]
            right = (out.argmax(-1) == data.y[data.val_mask]).float().mean()
            val_loss = F.cross_entropy(out, data.y[data.val_mask])
        states.append(copy.deepcopy(model.state_dict()))
        scores.append((float(right), -float(val_loss)))
    return states, scores, losses


def test_it_is_the_published_loop_to_the_last_bit(data):
    model = build("gcn", 5, 8, 3, num_layers=2, dropout=0.5)
    twin = copy.deepcopy(model)
    result = train(model, data, epochs=25, lr=0.02, weight_decay=1e-3, seed=3)
    states, scores, losses = by_hand(twin, data, 25, 0.02, 1e-3, 3)
    assert list(result.losses) == losses
    best = max(range(25), key=lambda epoch: scores[epoch])
    assert result.best_epoch == best + 1
    assert result.metrics["val"] == pytest.approx(scores[best][0])
    for key, value in model.state_dict().items():
        assert torch.equal(value, states[best][key]), key


def test_metrics_are_those_of_the_weights_the_model_carries(data):
    model = build("sage", 5, 8, 3, num_layers=2)
    result = train(model, data, epochs=15)
    assert not model.training
    with torch.no_grad():
        out = model(data.x, data.edge_index)
    assert result.metrics == Supervision.of(data).accuracy(out)


def test_without_a_validation_split_the_last_epoch_stays(data):
    del data.val_mask, data.test_mask
    model = build("gcn", 5, 8, 3, num_layers=2)
    result = train(model, data, epochs=7)
    assert result.best_epoch == 7
    assert len(result.losses) == 7
    assert result.metrics["val"] is None
    assert result.metrics["train"] is not None


def test_no_epoch_leaves_the_weights(data):
    model = build("gcn", 5, 8, 3, num_layers=2)
    before = copy.deepcopy(model.state_dict())
    result = train(model, data, epochs=0)
    assert (result.best_epoch, result.losses) == (0, ())
    assert result.metrics["test"] is not None
    assert all(torch.equal(before[k], v) for k, v in model.state_dict().items())


def test_the_seed_decides_and_the_callers_random_state_stays(data):
    losses = []
    for _ in range(2):
        model = build("gcn", 5, 8, 3, num_layers=2, seed=1)
        torch.rand(1)
        before = torch.get_rng_state()
        losses.append(train(model, data, epochs=3, seed=4).losses)
        assert torch.equal(before, torch.get_rng_state())
    assert losses[0] == losses[1]


def test_an_interrupted_run_gives_the_random_state_back(data):
    model = build("gcn", 5, 8, 3, num_layers=2)

    def stop(done, planned):
        assert planned == 9
        if done == 2:
            raise KeyboardInterrupt

    before = torch.get_rng_state()
    with pytest.raises(KeyboardInterrupt):
        train(model, data, epochs=9, progress=stop)
    assert torch.equal(before, torch.get_rng_state())


def test_the_data_and_the_gradients_are_left_clean(data):
    before = {key: value.clone() for key, value in data.to_dict().items()}
    model = build("gcn", 5, 8, 3, num_layers=2)
    train(model, data, epochs=2)
    assert all(torch.equal(before[key], value) for key, value in data.to_dict().items())
    assert all(parameter.grad is None for parameter in model.parameters())


def test_progress_counts_the_epochs(data):
    seen = []
    model = build("gcn", 5, 8, 3, num_layers=1)
    train(model, data, epochs=3, progress=lambda *count: seen.append(count))
    assert seen == [(1, 3), (2, 3), (3, 3)]


@pytest.mark.parametrize("change", ["no labels", "no mask", "empty mask", "unlabelled"])
def test_data_without_training_nodes_is_refused(change, data):
    if change == "no labels":
        del data.y
    elif change == "no mask":
        del data.train_mask
    elif change == "empty mask":
        data.train_mask[:] = False
    else:
        data.y[:] = -1
    model = build("gcn", 5, 8, 3, num_layers=1)
    with pytest.raises(InputError, match="data: found no labelled training nodes"):
        train(model, data)


def test_a_heterogeneous_graph_trains_on_its_labelled_type(data):
    class Plain(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv = SAGEConv(5, 3)

        def forward(self, x, edge_index):
            return self.conv(x, edge_index)

    hetero = HeteroData()
    hetero["user"].update({k: v for k, v in data.items() if k != "edge_index"})
    hetero["item"].x = torch.rand(30, 5)
    for edge_type in (("user", "to", "item"), ("item", "of", "user")):
        hetero[edge_type].edge_index = data.edge_index
    model = to_hetero(Plain(), hetero.metadata())
    result = train(model, hetero, epochs=30)
    assert result.losses[-1] < result.losses[0]
    assert result.metrics["train"] > 0.5


@pytest.mark.parametrize(
    ("conv", "name"),
    [
        ("gcn", "GCN"),
        ("GCN", "GCN"),
        ("sage", "GraphSAGE"),
        ("graphsage", "GraphSAGE"),
        ("gat", "GAT"),
        ("gin", "GIN"),
        ("edgecnn", "EdgeCNN"),
    ],
)
def test_basic_gnns_are_built_by_the_name_of_their_layer(conv, name, data):
    model = build(conv, 5, 8, 3, num_layers=3)
    assert type(model).__name__ == name
    assert model(data.x, data.edge_index).shape == (30, 3)


def test_building_is_seeded_and_leaves_the_random_state():
    before = torch.get_rng_state()
    one, two, other = (build("gcn", 5, 8, 3, num_layers=2, seed=s) for s in (1, 1, 2))
    assert torch.equal(before, torch.get_rng_state())
    weights = [model.convs[0].lin.weight for model in (one, two, other)]
    assert torch.equal(weights[0], weights[1])
    assert not torch.equal(weights[0], weights[2])


@pytest.mark.parametrize("conv", ["gcm", "", "n", "pna", "cnnn"])
def test_an_unknown_layer_lists_the_names_nearest_first(conv):
    with pytest.raises(
        InputError, match=f"conv: found '{conv}'; choose one of "
    ) as error:
        build(conv, 5, 8, 3, num_layers=2)
    for name in ("gcn", "graphsage", "gin", "gat", "edgecnn"):
        assert name in error.value.remedy
    if conv == "gcm":
        assert error.value.remedy.startswith("choose one of gcn")


def test_a_users_own_basic_gnn_does_not_change_the_names():
    class MyGCN(GCN):
        pass

    assert type(build("gcn", 5, 8, 3, num_layers=1)) is GCN
    assert MyGCN is not GCN


@pytest.mark.parametrize("num_layers", [0, -3])
def test_no_layers_are_refused(num_layers):
    with pytest.raises(
        InputError, match=f"num_layers: found {num_layers}; give a depth"
    ):
        build("gcn", 5, 8, 3, num_layers=num_layers)
