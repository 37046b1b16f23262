from __future__ import annotations

import pytest
import torch
from torch_geometric.data import Data

from benthic.sweeps import run as room
from benthic.sweeps.cells import Job, Settings
from benthic.sweeps.graph import Graph
from benthic.sweeps.hidden_layer import GAUGES
from benthic.sweeps.run import run
from benthic.training import Protocol, train
from benthic.treatment.named import build_treated

JOB = Job("a", "gcn", "none", 2, (0, 1, 2), Settings(Protocol(epochs=5)))


@pytest.fixture
def graph():
    mask = torch.arange(40) % 3
    return Data(
        x=torch.randn(40, 6),
        edge_index=torch.randint(0, 40, (2, 160)),
        y=torch.arange(40) % 2,
        train_mask=mask == 0,
        val_mask=mask == 1,
        test_mask=mask == 2,
    )


def outcomes(job, graph, told=lambda share: None):
    return dict(run(job, job.seeds, Graph(graph), told))


def test_each_seed_has_its_scores_epochs_seconds_and_gauges(graph):
    found = outcomes(JOB, graph)
    assert list(found) == [0, 1, 2]
    for row in found.values():
        assert list(row) == ["train", "val", "test", "epochs", "seconds", "gauges"]
        assert list(row["gauges"]) == list(GAUGES)
        assert row["epochs"] == 5
        assert row["seconds"] > 0


def test_a_seed_comes_to_the_same_trained_alone(graph):
    """Without dropout, whose random numbers PyG's plain stack draws for all at once."""
    job = Job("a", "gcn", "none", 2, (0, 1), Settings(Protocol(epochs=5), dropout=0.0))
    for seed, row in outcomes(job, graph).items():
        model = build_treated("gcn", "none", 6, 64, 2, 2, 0.0, seed)
        alone = train(model, graph, job.settings.protocol, seed=seed)
        assert {split: row[split] for split in alone.metrics} == alone.metrics


def test_the_settings_reach_the_training(graph):
    settings = Settings(Protocol(epochs=3, patience=1, lr=0.0), hidden_channels=5)
    row = outcomes(Job("a", "gcn", "none", 3, (0,), settings), graph)[0]
    assert row["epochs"] == 2
    assert row["gauges"]["effective_rank"] <= 5


def test_the_share_that_is_done_rises_to_one(graph):
    told = []
    outcomes(JOB, graph, told.append)
    assert told == sorted(told)
    assert told[-1] == 1.0


def test_a_network_that_diverges_is_recorded_as_failed(graph):
    settings = Settings(Protocol(epochs=20, lr=1e30))
    found = outcomes(Job("a", "gcn", "none", 4, (0, 1), settings), graph)
    for row in found.values():
        assert row["failed"].startswith("the training loss is not a number from epoch")


def test_an_error_of_one_seed_does_not_fail_the_others(graph, monkeypatch):
    whole = room.train_together

    def fragile(models, *args, seeds, **kwargs):
        if 1 in seeds:
            raise RuntimeError("out of\nmemory")
        return whole(models, *args, seeds=seeds, **kwargs)

    monkeypatch.setattr(room, "train_together", fragile)
    found = outcomes(JOB, graph)
    assert found[1] == {"failed": "RuntimeError: out of memory"}
    assert found[0].keys() == found[2].keys() >= {"test"}


def test_a_network_that_cannot_be_built_is_recorded_as_failed(graph):
    found = outcomes(Job("a", "gcn", "nothing", 2, (0,), JOB.settings), graph)
    assert found[0]["failed"].startswith("InputError: treatments: found 'nothing'")


def test_an_interruption_is_no_failure_of_the_network(graph):
    def interrupt(_):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        outcomes(JOB, graph, interrupt)


@pytest.mark.parametrize("error", [BrokenPipeError(), OSError(28, "disk full")])
def test_what_the_one_who_is_told_raises_is_no_failure_of_the_network(graph, error):
    def gone(_):
        raise error

    found = []
    with pytest.raises(type(error)):
        found += run(JOB, JOB.seeds, Graph(graph), gone)
    assert found == []
