"""The training loop is the published one, and gives the random state back."""

from __future__ import annotations

import copy
from functools import partial

import pytest
import torch
import torch.nn.functional as F
from torch import nn
from torch_geometric.data import Data, HeteroData
from torch_geometric.nn import GAT, GCN, GCNConv, SAGEConv, to_hetero

from benthic.errors import InputError
from benthic.nn import (
    APPNP,
    BatchNorm,
    DeepGNN,
    DropEdge,
    FastDropout,
    InitialResidual,
    LayerNorm,
    Residual,
)
from benthic.supervision import Supervision, roc_auc
from benthic.training import Protocol, Training, build, train, train_together


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


def parts(model):
    """Parameters at the two ends, and of the layers between them."""
    hidden = [p for n, p in model.named_parameters() if n.startswith(("convs", "skip"))]
    ends = [p for p in model.parameters() if not any(p is h for h in hidden)]
    return ends, hidden


def steps(model, data, optimizer, epochs, warmup, lr):
    """A few epochs by hand, without dropout."""
    for epoch in range(1, epochs + 1):
        for group in optimizer.param_groups:
            group["lr"] = lr * min(1.0, epoch / max(warmup, 1))
        optimizer.zero_grad()
        out = model.train()(data.x, data.edge_index)[data.train_mask]
        F.cross_entropy(out, data.y[data.train_mask], label_smoothing=0.1).backward()
        optimizer.step()


@pytest.mark.parametrize("decoupled", [False, True])
@pytest.mark.parametrize("hidden_weight_decay", [None, 0.3])
def test_decay_warmup_and_smoothing_are_what_the_protocol_says(
    decoupled, hidden_weight_decay, data
):
    del data.val_mask  # so that the last epoch's weights stay
    torch.manual_seed(0)
    model = DeepGNN(GCNConv, 5, 8, 3, 3, residual=InitialResidual(), dropout=0.0)
    twin = copy.deepcopy(model)
    protocol = Protocol(
        epochs=6,
        lr=0.02,
        weight_decay=0.1,
        hidden_weight_decay=hidden_weight_decay,
        decoupled=decoupled,
        warmup=4,
        label_smoothing=0.1,
    )
    train(model, data, protocol)
    ends, hidden = parts(twin)
    inside = 0.1 if hidden_weight_decay is None else hidden_weight_decay
    kind = torch.optim.AdamW if decoupled else torch.optim.Adam
    optimizer = kind(
        [
            {"params": ends, "weight_decay": 0.1},
            {"params": hidden, "weight_decay": inside},
        ],
        lr=0.02,
    )
    steps(twin, data, optimizer, 6, 4, 0.02)
    for one, two in zip(model.parameters(), twin.parameters(), strict=True):
        torch.testing.assert_close(one, two)


def test_coupled_decay_kills_weights_without_a_gradient_and_decoupled_does_not(data):
    norms = []
    for decoupled in (False, True):
        model = build("gcn", 5, 8, 3, num_layers=2)
        model.idle = nn.Linear(4, 4)
        optimizers = Protocol(epochs=200, decoupled=decoupled, weight_decay=5e-4)
        model.idle.weight.register_hook(lambda grad: grad)
        forward = model.forward
        model.forward = lambda x, edge_index, m=model, f=forward: (
            f(x, edge_index) + 0 * m.idle.weight.sum()
        )
        before = model.idle.weight.detach().norm()
        train(model, data, optimizers, patience=None)
        last = model.idle.weight.detach().norm()
        norms.append(float(last / before))
    assert norms[0] < norms[1]


def test_patience_stops_when_nothing_gets_better(data):
    data.y[data.val_mask] = torch.randint(0, 3, (10,))
    model = build("gcn", 5, 8, 3, num_layers=2)
    run = train(model, data, epochs=200, patience=5)
    assert len(run.losses) == run.best_epoch + 5
    assert len(run.losses) < 200
    whole = train(build("gcn", 5, 8, 3, num_layers=2), data, epochs=len(run.losses))
    assert whole.best_epoch == run.best_epoch


def test_another_metric_chooses_the_epoch_and_is_reported(data):
    data.y = data.y % 2
    model = build("gcn", 5, 8, 2, num_layers=2)
    run = train(model, data, epochs=10, metric=roc_auc)
    with torch.no_grad():
        out = model(data.x, data.edge_index)
    assert run.metrics == Supervision.of(data).measure(out, roc_auc)


class Coin(nn.Module):
    """Logits that depend on the pass: +w, then -w, and so on."""

    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.tensor([1.0, 0.0, 0.0]))
        self.sign = 1

    def forward(self, x, edge_index):
        if self.training:
            self.sign = -self.sign
        return self.sign * self.weight.expand(len(x), 3)


def test_samples_average_the_loss_of_random_passes(data):
    run = train(Coin(), data, epochs=1, samples=2, lr=1e-9)
    y = data.y[data.train_mask]
    rows = torch.tensor([1.0, 0.0, 0.0]).expand(len(y), 3)
    expected = (F.cross_entropy(rows, y) + F.cross_entropy(-rows, y)) / 2
    assert run.losses[0] == pytest.approx(float(expected), rel=1e-5)


def test_consistency_is_the_distance_from_the_sharpened_mean(data):
    options = {"epochs": 1, "samples": 2, "lr": 1e-9}
    plain = train(Coin(), data, **options).losses[0]
    pulled = train(Coin(), data, consistency=3.0, **options).losses[0]
    rows = torch.tensor([[1.0, 0.0, 0.0], [-1.0, 0.0, 0.0]]).softmax(-1)
    sharp = rows.mean(0) ** 2
    sharp = sharp / sharp.sum()
    apart = (rows - sharp).square().sum(-1).mean()
    assert pulled - plain == pytest.approx(3 * float(apart) / 50, rel=1e-3)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"samples": 0}, "samples: found 0; give 1 or more"),
        ({"consistency": 1.0}, "consistency: found one sample an epoch"),
    ],
)
def test_a_protocol_without_enough_passes_is_refused(options, message):
    with pytest.raises(InputError, match=message):
        Protocol(**options)


NETWORKS = {
    "gcn": lambda: GCN(5, 8, 2, 3, dropout=0.0),
    "gat": lambda: GAT(5, 8, 2, 3, dropout=0.0),
    "deep, dropout": lambda: DeepGNN(GCNConv, 5, 16, 3, 3, residual=Residual()),
    "deep, norm": lambda: DeepGNN(SAGEConv, 5, 8, 3, 2, norm=LayerNorm),
    # Before a batch norm a bias has no gradient but rounding, which Adam blows up.
    "deep, batch norm": lambda: DeepGNN(
        partial(GCNConv, bias=False), 5, 8, 3, 2, norm=BatchNorm
    ),
    "appnp": lambda: DeepGNN(GCNConv, 5, 8, 3, 0, propagation=APPNP(5, 0.1)),
}


@pytest.fixture
def stacked(monkeypatch):
    """Records whether copies were stacked."""
    from benthic import training

    seen = []
    finish = training._Together.finish
    monkeypatch.setattr(
        training._Together, "finish", lambda self: seen.append(1) or finish(self)
    )
    return seen


def members(make, count=3):
    models = []
    for seed in range(count):
        torch.manual_seed(seed)
        models.append(make())
    return models


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("options", [{}, {"samples": 2, "consistency": 1.0}])
def test_copies_together_end_as_they_do_alone(name, options, data, stacked):
    alone, together = members(NETWORKS[name]), members(NETWORKS[name])
    protocol = Protocol(epochs=12, patience=4, **options)
    seeds = [7, 8, 9]
    runs = train_together(together, data, protocol, seeds=seeds)
    assert stacked
    for model, twin, seed, run in zip(alone, together, seeds, runs, strict=True):
        expected = train(model, data, protocol, seed=seed)
        assert isinstance(run, Training)
        assert run.best_epoch == expected.best_epoch
        assert run.metrics == pytest.approx(expected.metrics)
        assert run.losses == pytest.approx(expected.losses, rel=1e-4)
        assert not twin.training
        for key, value in model.state_dict().items():
            torch.testing.assert_close(
                twin.state_dict()[key], value, rtol=1e-3, atol=1e-4, msg=key
            )


@pytest.mark.parametrize("reason", ["edges drop", "large graph"])
def test_what_does_not_pay_is_trained_one_after_the_other(
    reason, data, stacked, monkeypatch
):
    drop = DropEdge(0.3) if reason == "edges drop" else ()
    if reason == "large graph":
        monkeypatch.setattr("benthic.training._MOST_STACKED_NODES", 29)

    def make():
        return DeepGNN(GCNConv, 5, 8, 3, 2, drop=drop)

    alone, together = members(make), members(make)
    runs = train_together(together, data, seeds=range(3), epochs=5)
    assert not stacked
    for model, seed, run in zip(alone, range(3), runs, strict=True):
        assert run == train(model, data, seed=seed, epochs=5)


def test_a_model_that_cannot_be_batched_is_trained_all_the_same(data, stacked):
    class Branching(nn.Module):
        def __init__(self):
            super().__init__()
            self.lin = nn.Linear(5, 3)

        def forward(self, x, edge_index):
            out = self.lin(x)
            return out if float(out.detach().sum()) > 0 else out + 1

    runs = train_together(members(Branching), data, seeds=range(3), epochs=3)
    assert len(runs) == 3
    assert not stacked


def test_together_the_callers_random_state_and_data_stay(data):
    before = torch.get_rng_state()
    tensors = {key: value.clone() for key, value in data.to_dict().items()}
    models = members(NETWORKS["deep, dropout"])
    before = torch.get_rng_state()
    train_together(models, data, seeds=range(3), epochs=3)
    assert torch.equal(before, torch.get_rng_state())
    assert all(torch.equal(tensors[k], v) for k, v in data.to_dict().items())


def test_one_copy_or_none_needs_no_stack(data, stacked):
    assert train_together([], data, seeds=[]) == []
    (run,) = train_together(members(NETWORKS["gcn"], 1), data, seeds=[4], epochs=2)
    assert run == train(members(NETWORKS["gcn"], 1)[0], data, seed=4, epochs=2)
    assert not stacked


def test_no_epoch_leaves_every_copy_as_it_was(data):
    models = members(NETWORKS["gcn"])
    before = [copy.deepcopy(model.state_dict()) for model in models]
    runs = train_together(models, data, seeds=range(3), epochs=0)
    assert [run.losses for run in runs] == [()] * 3
    for model, state in zip(models, before, strict=True):
        assert all(torch.equal(state[k], v) for k, v in model.state_dict().items())


def test_a_seed_for_each_copy_is_asked_for(data):
    with pytest.raises(InputError, match="seeds: found 1 seeds for 3 models"):
        train_together(members(NETWORKS["gcn"]), data, seeds=[0])


def test_together_on_two_node_types(data, stacked):
    class Plain(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv = SAGEConv(5, 3)
            self.drop = FastDropout(0.5)

        def forward(self, x, edge_index):
            return self.conv(self.drop(x), edge_index)

    hetero = HeteroData()
    hetero["user"].update({k: v for k, v in data.items() if k != "edge_index"})
    hetero["item"].x = torch.rand(30, 5)
    for edge_type in (("user", "to", "item"), ("item", "of", "user")):
        hetero[edge_type].edge_index = data.edge_index
    models = members(lambda: to_hetero(Plain(), hetero.metadata()))
    twins = copy.deepcopy(models)
    runs = train_together(models, hetero, seeds=range(3), epochs=8)
    assert stacked
    for twin, seed, run in zip(twins, range(3), runs, strict=True):
        expected = train(twin, hetero, seed=seed, epochs=8)
        assert run.losses == pytest.approx(expected.losses, rel=1e-4)
