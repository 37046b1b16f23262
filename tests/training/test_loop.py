"""The training loop is the published one, and gives the random state back."""

from __future__ import annotations

import copy

import pytest
import torch
import torch.nn.functional as F
from torch import nn
from torch_geometric.data import HeteroData
from torch_geometric.nn import GCNConv, SAGEConv, to_hetero

from benthic.errors import InputError
from benthic.nn import DeepGNN, InitialResidual
from benthic.supervision import Supervision, roc_auc
from benthic.training import Protocol, build, train, train_together
from benthic.training.loop import _loss


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


@pytest.mark.parametrize("change", ["no mask", "empty mask", "unlabelled"])
def test_data_without_training_nodes_is_refused(change, data):
    if change == "no mask":
        del data.train_mask
    elif change == "empty mask":
        data.train_mask[:] = False
    else:
        data.y[:] = -1
    model = build("gcn", 5, 8, 3, num_layers=1)
    with pytest.raises(InputError, match="data: found no labelled training nodes"):
        train(model, data)


def test_data_without_class_labels_are_refused(data):
    data.y = F.one_hot(data.y)
    with pytest.raises(InputError, match=r"y: found torch.int64 of shape \[30, 3\]"):
        train(build("gcn", 5, 8, 3, num_layers=1), data)


@pytest.mark.parametrize("num_models", [1, 2])
def test_a_model_with_nothing_to_train_is_refused(data, num_models):
    models = [build("gcn", 5, 8, 3, num_layers=2) for _ in range(num_models)]
    for model in models:
        model.requires_grad_(False)
    with pytest.raises(InputError, match="model: found no parameter to train"):
        train_together(models, data, seeds=range(num_models))
    with pytest.raises(InputError, match="model: found no parameter to train"):
        train(nn.Identity(), data, forward=lambda model, data: model(data.x))


def test_a_model_may_be_called_in_a_way_of_its_own(data):
    class Renamed(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv = SAGEConv(5, 3)

        def forward(self, features, ei):
            return self.conv(features, ei)

    def forward(model, data):
        return model(data.x, data.edge_index)

    one, two, alone = Renamed(), Renamed(), Renamed()
    alone.load_state_dict(one.state_dict())
    both = train_together(
        [one, two], data, seeds=[0, 1], epochs=5, forward=forward, lr=0.1
    )
    result = train(alone, data, epochs=5, forward=forward, lr=0.1)
    assert both[0].losses == pytest.approx(result.losses, rel=1e-4)


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


def test_consistency_pulls_the_passes_of_one_logit_as_those_of_two_classes(data):
    data.y = data.y % 2
    protocol = Protocol(samples=2, consistency=3.0)

    def slope(as_rows):
        generator = torch.Generator().manual_seed(0)
        logit = torch.randn(2, len(data.y), generator=generator).requires_grad_()
        passes = [as_rows(row) for row in logit]
        losses = [
            _loss(passes, Supervision.of(data), each, 50)
            for each in (protocol, Protocol(samples=2))
        ]
        return torch.autograd.grad(losses[0] - losses[1], logit)[0]

    two = slope(lambda z: torch.stack([torch.zeros_like(z), z], dim=-1))
    assert (two.abs() > 1e-6).all()
    torch.testing.assert_close(slope(lambda z: z[:, None]), two)
    torch.testing.assert_close(slope(lambda z: z), two)


@pytest.mark.parametrize("num_models", [1, 2])
def test_a_logit_squeezed_to_a_vector_trains_as_a_column_does(data, num_models):
    class Squeezed(nn.Module):
        def __init__(self, model):
            super().__init__()
            self.model = model

        def forward(self, x, edge_index):
            return self.model(x, edge_index).squeeze(-1)

    data.y = data.y % 2
    seeds = range(num_models)
    columns = [build("gcn", 5, 8, 1, num_layers=2, seed=seed) for seed in seeds]
    vectors = [Squeezed(copy.deepcopy(model)) for model in columns]
    expected = train_together(columns, data, epochs=10, seeds=seeds)
    assert train_together(vectors, data, epochs=10, seeds=seeds) == expected
