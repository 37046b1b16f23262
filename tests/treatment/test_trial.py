"""Trials: blind to the test split, paired over seeds, and how sure a gain is."""

from __future__ import annotations

import math
import time
from contextlib import nullcontext

import numpy as np
import pytest
import torch
from tests.treatment.planted import communities, two_relations
from torch_geometric.nn import GCN, GCNConv, GraphSAGE, SAGEConv, to_hetero

from benthic.errors import InputError
from benthic.nn.gpr import APPNP
from benthic.nn.norm import LayerNorm
from benthic.nn.residual import Residual
from benthic.supervision import accuracy, roc_auc
from benthic.training import Protocol
from benthic.treatment.shortlist import Candidate
from benthic.treatment.trial import OutOfTimeError, Trials, gain, without_test
from benthic.treatment.wanted import Norm

RESIDUAL = Candidate((Residual(), Norm(LayerNorm)), "")


def trials(model, graph, *, seeds=2, deadline=None, **protocol):
    protocol = Protocol(**{"epochs": 5, **protocol})
    return Trials(model, without_test(graph), protocol, range(seeds), deadline)


# Without the test split


def test_the_labels_outside_training_and_validation_are_gone():
    graph = communities()
    before = graph.y.clone()

    blind = without_test(graph)

    seen = graph.train_mask | graph.val_mask
    assert "test_mask" not in blind
    assert (blind.y[~seen] == -1).all()
    assert torch.equal(blind.y[seen], graph.y[seen])
    assert torch.equal(graph.y, before)
    assert "test_mask" in graph


def test_the_graph_itself_is_not_copied():
    graph = communities()

    assert without_test(graph).edge_index is graph.edge_index
    assert without_test(graph).x is graph.x


def test_of_a_heterogeneous_graph_the_labelled_type_is_blinded():
    graph = two_relations()

    blind = without_test(graph)

    assert "test_mask" in graph["page"]
    assert "test_mask" not in blind["page"]
    assert (blind["page"].y[graph["page"].test_mask] == -1).all()


@pytest.mark.parametrize(
    ("change", "remedy"),
    [
        ({"val_mask": None}, "val_mask"),
        ({"val_mask": torch.zeros(120).bool()}, "val_mask"),
        ({"train_mask": torch.zeros(120).bool()}, "train_mask"),
        ({"train_mask": torch.arange(120) % 2 == 0}, "val_mask of other nodes"),
        ({"y": None}, "give the class of each node"),
        ({"y": torch.randn(120)}, "give the class of each node"),
    ],
)
def test_a_graph_without_what_the_choice_needs_is_refused(change, remedy):
    graph = communities()
    for name, value in change.items():
        graph[name] = value

    with pytest.raises(InputError, match=remedy):
        without_test(graph)


def test_training_nodes_do_not_validate():
    graph = communities()
    graph.train_mask[graph.val_mask.nonzero()[0]] = True

    with pytest.raises(InputError, match="found 1 training nodes in the val split"):
        without_test(graph)


@pytest.mark.parametrize("dtype", [torch.bool, torch.uint8, torch.int32])
def test_labels_of_any_whole_type_are_blinded(dtype):
    graph = communities(classes=2)
    expected = without_test(graph).y
    graph.y = graph.y.to(dtype)[:, None]

    assert torch.equal(without_test(graph).y, expected[:, None])


def test_a_loader_is_refused():
    with pytest.raises(InputError, match="give one graph"):
        without_test([communities()])


# How sure a gain is


def test_the_gain_is_that_of_the_scores():
    logits = torch.randn(3, 50, 4, generator=torch.Generator().manual_seed(0))
    others = torch.randn(3, 50, 4, generator=torch.Generator().manual_seed(1))
    y = torch.arange(50) % 4

    found = gain(list(logits), list(others), y, accuracy)

    right = np.mean(logits.argmax(-1).numpy() == y.numpy())
    assert found.mean == pytest.approx(
        right - np.mean(others.argmax(-1).numpy() == y.numpy())
    )


def test_its_error_is_that_of_the_nodes_and_the_seeds_together():
    generator = torch.Generator().manual_seed(0)
    y = torch.arange(400) % 2
    treated = list(torch.randn(5, 400, 2, generator=generator))
    untreated = list(torch.randn(5, 400, 2, generator=generator))

    found = gain(treated, untreated, y, accuracy)

    # Independent: the variance of a mean of paired differences, for nodes and seeds.
    difference = np.stack(
        [
            (a.argmax(-1) == y).numpy() * 1.0 - (b.argmax(-1) == y).numpy()
            for a, b in zip(treated, untreated, strict=True)
        ]
    )
    nodes = difference.mean(0).var(ddof=1) / 400
    seeds = difference.mean(1).var(ddof=1) / 5
    assert found.standard_error == pytest.approx(math.sqrt(nodes + seeds), rel=0.1)


def test_the_same_networks_have_neither_gain_nor_error():
    logits = [torch.randn(20, 2)] * 3

    assert gain(logits, logits, torch.arange(20) % 2, accuracy) == (0.0, 0.0)


def test_a_sample_of_one_class_has_no_auc_and_is_left_out():
    y = torch.tensor([1, 0, 0, 0])
    treated, untreated = torch.eye(4)[:, :1], torch.zeros(4, 1)

    found = gain([treated], [untreated], y, roc_auc)

    assert found.mean == 0.5
    assert math.isfinite(found.standard_error)


# Trials


def test_a_treated_network_starts_from_the_weights_of_the_untreated():
    graph = communities()
    runs = trials(GCN(6, 8, 3, 3), graph, epochs=0)

    treated, untreated = runs.treated(RESIDUAL), runs.untreated()

    for one, other in zip(treated.models, untreated.models, strict=True):
        for name, weight in other.state_dict().items():
            assert torch.equal(one.state_dict()[name], weight), name
    first, second = (model.state_dict() for model in untreated.models)
    assert not torch.equal(first["convs.0.lin.weight"], second["convs.0.lin.weight"])


def test_a_trial_starts_anew_whatever_the_users_weights_are():
    graph = communities()
    model, other = GCN(6, 8, 2, 3), GCN(6, 8, 2, 3)

    assert trials(model, graph).untreated().val == trials(other, graph).untreated().val


def test_the_untreated_network_is_of_the_users_own_classes():
    model = GCN(6, 8, 2, 3)

    best = trials(model, communities()).untreated().best

    assert type(best.convs[0]) is GCNConv
    assert best.state_dict().keys() == model.state_dict().keys()


def test_the_scores_are_those_of_the_networks_that_are_handed_back():
    graph = communities()
    runs = trials(GCN(6, 8, 3, 3), graph)

    for reached in (runs.untreated(), runs.treated(RESIDUAL)):
        for model, val in zip(reached.models, reached.val, strict=True):
            logits = model(graph.x, graph.edge_index)[graph.val_mask]
            assert accuracy(logits, graph.y[graph.val_mask]) == val


def test_the_best_network_is_that_of_the_best_seed():
    reached = trials(GCN(6, 8, 2, 3), communities(), seeds=4).untreated()

    assert reached.best is reached.models[reached.val.index(max(reached.val))]
    assert reached.mean == pytest.approx(sum(reached.val) / 4)


def test_a_trial_stops_at_the_deadline_but_never_the_untreated():
    runs = trials(GCN(6, 8, 3, 3), communities(), deadline=time.monotonic())

    assert len(runs.untreated().val) == 2
    with pytest.raises(OutOfTimeError, match="1 of 5 epochs"):
        runs.treated(RESIDUAL)


def test_a_heterogeneous_model_is_tried():
    graph = two_relations()
    model = to_hetero(GraphSAGE(6, 8, 3, 3), graph.metadata())

    reached = trials(model, graph).treated(Candidate((Residual(),), ""))

    assert len(reached.val) == 2


def test_binary_networks_are_scored_by_the_metric_of_the_protocol():
    graph = communities(classes=2)
    model = GCN(4, 8, 2, 1)
    runs = trials(model, graph, metric=roc_auc)

    with torch.no_grad():
        logits = model.eval()(graph.x, graph.edge_index)[graph.val_mask]

    assert runs.own() == roc_auc(logits, graph.y[graph.val_mask])
    assert 0 <= runs.untreated().mean <= 1


def test_a_split_without_a_score_is_refused():
    graph = communities(classes=2)
    graph.val_mask = graph.val_mask & (graph.y == 0)

    with pytest.raises(InputError, match="another metric"):
        trials(GCN(4, 8, 2, 2), graph, metric=roc_auc).untreated()


def test_lazy_layers_learn_their_widths_first():
    model = GraphSAGE(-1, 8, 2, 3)

    runs = trials(model, communities())

    assert len(runs.treated(Candidate((Norm(LayerNorm),), "")).val) == 2
    assert isinstance(model.convs[0], SAGEConv)


@pytest.mark.parametrize(("makes_logs", "is_tried"), [(True, False), (False, True)])
def test_log_probabilities_are_not_propagated(makes_logs, is_tried):
    class Answer(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.gnn = GCN(6, 8, 3, 3)

        def forward(self, x, edge_index):
            out = self.gnn(x, edge_index)
            return out.log_softmax(-1) if makes_logs else out

    runs = trials(Answer(), communities())
    spread = Candidate((Residual(), APPNP(K=2, alpha=0.1)), "")
    with nullcontext() if is_tried else pytest.raises(InputError, match="wants logits"):
        runs.treated(spread)
    assert len(runs.treated(RESIDUAL).val) == 2


def test_a_parameter_that_nothing_makes_anew_is_named():
    class Scaled(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.conv = GCNConv(6, 3)
            self.temperature = torch.nn.Parameter(torch.ones(1))

        def forward(self, x, edge_index):
            return self.conv(x, edge_index) / self.temperature

    assert trials(Scaled(), communities()).kept == ("temperature",)
