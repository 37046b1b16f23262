"""Copies trained in one pass end as each does alone."""

from __future__ import annotations

import copy
from functools import partial

import pytest
import torch
from torch import nn
from torch_geometric.data import HeteroData
from torch_geometric.nn import GAT, GCN, GCNConv, SAGEConv, to_hetero

from benthic.errors import InputError
from benthic.nn import (
    APPNP,
    BatchNorm,
    DeepGNN,
    DropEdge,
    FastDropout,
    LayerNorm,
    Residual,
)
from benthic.training import Protocol, Training, train, train_together
from benthic.training.members import Together

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
    seen = []
    finish = Together.finish
    monkeypatch.setattr(Together, "finish", lambda self: seen.append(1) or finish(self))
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
        monkeypatch.setattr("benthic.training.members.MOST_STACKED_NODES", 29)

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
