"""What helps is found by trial, on validation alone; the user's own stays as it is."""

from __future__ import annotations

import copy
import json

import pytest
import torch
from tests.treatment.planted import communities, two_relations
from torch import nn
from torch_geometric.nn import GCN, GCNConv, GraphSAGE, to_hetero

from benthic.errors import InputError
from benthic.nn.deep_gnn import DeepGNN
from benthic.nn.drop import DropEdge
from benthic.nn.norm import LayerNorm
from benthic.nn.residual import Residual
from benthic.supervision import accuracy, roc_auc
from benthic.training import Protocol, train
from benthic.transforms import FoSR
from benthic.treatment import Norm, prescription, treat
from benthic.treatment.choosing import LEAVE_ALONE, UNKNOWN
from benthic.treatment.prescription import prescribe
from benthic.treatment.shortlist import Candidate

QUICK = {"epochs": 8, "seeds": 2}


def deep(num_layers=5, out_channels=3):
    torch.manual_seed(0)
    return GCN(6, 8, num_layers, out_channels, dropout=0.1)


@pytest.fixture
def few(monkeypatch):
    """Two candidates alone, so that a test takes a second."""

    def shortened(diagnosis):
        yield Candidate((Residual(), Norm(LayerNorm)), "D003: a way around.")
        yield Candidate((DropEdge(p=0.3),), "in general.", {"decoupled": True})

    monkeypatch.setattr(prescription, "shortlist", shortened)


@pytest.fixture(scope="module")
def mended():
    """A deep plain GCN, which does not learn, and what is prescribed for it."""
    return prescribe(deep(8), communities(num_nodes=25), epochs=15, seeds=2)


def test_a_deep_stack_that_does_not_learn_is_mended(mended):
    untreated, *others = mended.table

    assert mended.treatments
    assert mended.verdict != LEAVE_ALONE
    assert [row.treatment for row in others if row.outcome == "chosen"] == [
        mended.verdict
    ]
    chosen = next(row for row in others if row.outcome == "chosen")
    assert chosen.mean > untreated.mean + 0.2
    assert chosen.gain == pytest.approx(chosen.mean - untreated.mean)
    assert chosen.mean == max(row.mean for row in mended.table if row.mean)


def test_the_network_that_is_handed_back_reaches_the_best_seeds_score(mended):
    graph = communities(num_nodes=25)
    chosen = next(row for row in mended.table if row.outcome == "chosen")

    logits = mended.model(graph.x, graph.edge_index)[graph.val_mask]

    assert not mended.model.training
    assert accuracy(logits, graph.y[graph.val_mask]) == max(chosen.val)


def test_its_code_treats_ones_own_model_as_it_is_pasted(mended):
    namespace = {"model": deep(8), "data": communities(num_nodes=25)}

    exec(mended.code, namespace)

    treated = namespace["treated"]
    assert treated.state_dict().keys() == mended.model.state_dict().keys()
    assert str(treated.treatments) == str(mended.model.treatments)


def test_at_most_six_candidates_are_trained_and_one_on_top_of_what_won(mended):
    *listed, last = [row for row in mended.table[1:] if row.mean is not None]
    best = max(listed, key=lambda row: row.mean)

    assert len(listed) in range(1, 7)
    assert last.treatment.startswith(best.treatment)
    assert last.reason.startswith("on top of what helped: ")


def test_it_prints_the_verdict_the_trials_and_the_code(mended):
    text = str(mended)

    assert text.startswith(f"Prescription: {mended.verdict}\nValidation ")
    assert f"{mended.verdict} (chosen)" in text
    assert mended.code in text
    for row in mended.table:
        assert row.treatment in text
        assert row is mended.table[0] or row.reason in text


def test_it_becomes_a_table_and_json(mended):
    frame, plain = mended.to_frame(), mended.to_dict()

    assert list(frame["treatment"]) == [row.treatment for row in mended.table]
    assert plain == json.loads(mended.to_json())
    assert plain["verdict"] == mended.verdict
    assert plain["table"][0]["val"] == list(mended.table[0].val)
    assert plain["protocol"]["metric"] == "accuracy"
    assert plain["diagnosis"]["metrics"]["test"] is None


def test_no_test_score_is_anywhere(mended):
    assert mended.diagnosis.metrics["test"] is None
    assert not mended.retrained or mended.retrained.metrics["test"] is None
    assert not [name for name in mended.to_frame() if "test" in name]


@pytest.mark.usefixtures("few")
def test_other_test_labels_change_nothing():
    graph, other = communities(), communities()
    nodes = other.test_mask.nonzero().squeeze(-1)
    other.y[nodes] = other.y[nodes.flip(0)]
    assert not torch.equal(graph.y, other.y)

    first, second = (prescribe(deep(), data, **QUICK) for data in (graph, other))

    assert _without_times(first) == _without_times(second)
    for one, two in zip(
        first.model.parameters(), second.model.parameters(), strict=True
    ):
        assert torch.equal(one, two)


@pytest.mark.usefixtures("few")
def test_the_same_request_is_answered_the_same_way_and_moves_nothing():
    graph, model = communities(), deep().train()
    model(graph.x, graph.edge_index).sum().backward()
    weights = copy.deepcopy(model.state_dict())
    gradients = [parameter.grad.clone() for parameter in model.parameters()]
    before, state = copy.deepcopy(graph), torch.get_rng_state()

    first = prescribe(model, graph, **QUICK)
    assert torch.equal(torch.get_rng_state(), state)
    torch.manual_seed(99)
    second = prescribe(model, graph, **QUICK)

    assert _without_times(first) == _without_times(second)
    assert model.training
    assert all(torch.equal(model.state_dict()[k], v) for k, v in weights.items())
    for parameter, gradient in zip(model.parameters(), gradients, strict=True):
        assert torch.equal(parameter.grad, gradient)
    assert set(graph.keys()) == set(before.keys())
    assert all(torch.equal(graph[name], before[name]) for name in before.keys())
    assert first.model is not model


def _without_times(rx):
    rows = rx.to_frame().drop(columns="seconds")
    return rx.verdict, rx.summary, rows.to_json()


@pytest.mark.usefixtures("few")
def test_a_model_that_is_as_good_already_is_left_alone_and_handed_back_as_a_copy():
    graph, model = communities(noise=0.5), GCN(6, 16, 2, 3)
    train(model, graph, epochs=100)

    rx = prescribe(model, graph, **QUICK)

    assert rx.verdict == LEAVE_ALONE
    assert rx.treatments == ()
    assert rx.retrained is None
    assert "The model as it is reaches" in rx.summary
    assert rx.model is not model
    for name, weight in model.state_dict().items():
        copied = rx.model.state_dict()[name]
        assert torch.equal(copied, weight)
        assert copied.data_ptr() != weight.data_ptr()
    assert "# nothing to apply" in str(rx)


@pytest.mark.usefixtures("few")
def test_an_untrained_model_that_needs_no_treatment_comes_back_trained():
    rx = prescribe(GCN(6, 16, 2, 3), communities(noise=0.5), epochs=40, seeds=2)

    assert rx.verdict == LEAVE_ALONE
    assert rx.retrained is not None
    assert rx.table[0].outcome == "chosen"
    assert not hasattr(rx.model, "treatments")
    assert "more than chance" in rx.summary


@pytest.mark.usefixtures("few")
def test_what_cannot_be_applied_is_a_row_with_the_reason():
    rx = prescribe(GCN(6, 16, 2, 3), communities(), **QUICK)

    refused = rx.table[1]
    assert refused.treatment == "Residual() + Norm(LayerNorm)"
    assert refused.outcome.startswith("cannot be applied: treatments: found Residual")
    assert refused.mean is None
    assert refused.outcome in str(rx)


@pytest.mark.usefixtures("few")
def test_when_the_time_is_up_the_untreated_network_is_finished_and_the_rest_is_not():
    rx = prescribe(deep(), communities(), minutes=1e-6, **QUICK)

    untreated, *others = rx.table
    assert len(untreated.val) == 2
    assert {row.outcome for row in others} == {"not tried: the time was used up"}
    assert rx.verdict == UNKNOWN
    assert "the time was used up" in rx.summary


@pytest.mark.usefixtures("few")
def test_an_interruption_leaves_the_model_and_the_random_state_as_they_were():
    graph, model = communities(), deep().train()
    weights, state = copy.deepcopy(model.state_dict()), torch.get_rng_state()

    def interrupt(text):
        if text.startswith("trial 2"):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        prescribe(model, graph, progress=interrupt, **QUICK)

    assert model.training
    assert all(torch.equal(model.state_dict()[k], v) for k, v in weights.items())
    assert torch.equal(torch.get_rng_state(), state)
    assert not any(m._forward_hooks for m in model.modules())


@pytest.mark.usefixtures("few")
def test_a_heterogeneous_model_is_prescribed_for():
    graph = two_relations()
    model = to_hetero(GraphSAGE(6, 8, 3, 3), graph.metadata())

    rx = prescribe(model, graph, **QUICK)

    assert rx.table[1].mean is not None
    assert rx.model(graph.x_dict, graph.edge_index_dict)["page"].shape == (120, 3)


@pytest.mark.usefixtures("few")
class Frames(nn.Module):
    """A stack over two views of the features at once, ``[2, N, C]``."""

    def __init__(self):
        super().__init__()
        self.stack, self.lin = GCN(6, 8, 3, 8), nn.Linear(8, 3)

    def forward(self, x, edge_index):
        return self.lin(self.stack(torch.stack([x, -x]), edge_index).mean(0))


def test_a_stack_on_frames_is_prescribed_for():
    rx = prescribe(Frames(), communities(num_nodes=25), epochs=3, seeds=1)
    assert len(rx.table) > 5
    assert all(row.mean is not None for row in rx.table)


def test_the_metric_of_the_protocol_decides():
    graph = communities(classes=2)
    protocol = Protocol(epochs=15, metric=roc_auc)

    rx = prescribe(GCN(4, 8, 3, 1), graph, protocol=protocol, seeds=2)

    val = graph.val_mask
    logits = rx.model.eval()(graph.x, graph.edge_index)[val]
    chosen = next(row for row in rx.table if row.outcome == "chosen")
    assert roc_auc(logits, graph.y[val]) == max(chosen.val)
    assert rx.to_dict()["protocol"]["metric"] == "roc_auc"
    assert rx.protocol.epochs == 15


class Renamed(nn.Module):
    """A network whose inputs are not called as the graph's parts are."""

    def __init__(self):
        super().__init__()
        self.inner = deep(3)

    def forward(self, features, ei):
        return self.inner(features, ei)


@pytest.mark.usefixtures("few")
def test_a_model_that_must_be_called_in_its_own_way_is_prescribed_for():
    graph = communities()
    with pytest.raises(InputError, match="forward=lambda"):
        prescribe(Renamed(), graph, **QUICK)

    def forward(model, data):
        return model(data.x, data.edge_index)

    rx = prescribe(Renamed(), graph, forward=forward, **QUICK)

    assert [row.mean is not None for row in rx.table] == [True] * len(rx.table)
    assert forward(rx.model, graph).shape == (graph.num_nodes, 3)
    assert not rx.treatments or "forward=forward" in rx.code


@pytest.mark.usefixtures("few")
@pytest.mark.usefixtures("few")
def test_a_stack_on_a_rewired_graph_is_prescribed_for():
    rx = prescribe(DeepGNN(GCNConv, 6, 8, 3, 2), FoSR(2)(communities()), **QUICK)

    assert [row.outcome for row in rx.table if row.mean is None] == []


def test_the_diagnosis_reads_the_layers_that_are_named():
    rx = prescribe(deep(), communities(), layers=["convs.1", "convs.3"], **QUICK)

    assert [layer.name for layer in rx.diagnosis.layers] == ["convs.1", "convs.3"]


def test_a_treated_model_is_refused():
    treated = treat(deep(), Residual())
    with pytest.raises(InputError, match="treated already; prescribe for the original"):
        prescribe(treated, communities(), **QUICK)


def test_a_compiled_model_is_refused_before_anything_is_trained():
    with pytest.raises(InputError, match="a compiled model; treat the model, then"):
        prescribe(torch.compile(deep(), backend="eager"), communities(), **QUICK)


@pytest.mark.usefixtures("few")
def test_what_is_prescribed_inside_inference_mode_can_be_trained():
    model, graph = deep(), communities()
    with torch.inference_mode():
        rx = prescribe(model, graph, **QUICK)
    assert not any(p.is_inference() for p in rx.model.parameters())


def test_it_becomes_a_page(mended, tmp_path):
    page = mended.to_html(tmp_path / "rx.html")

    assert page == (tmp_path / "rx.html").read_text() == mended._repr_html_()
    assert mended.table[1].treatment in page
    assert "from benthic.training import train" in page


def test_a_model_without_graph_layers_is_refused():
    with pytest.raises(InputError, match="no message-passing layer"):
        prescribe(nn.Sequential(nn.Linear(6, 3)), communities(), **QUICK)


@pytest.mark.parametrize(
    ("request_", "argument"),
    [
        ({"epochs": 0}, "epochs"),
        ({"seeds": 0}, "seeds"),
        ({"minutes": 0}, "minutes"),
        ({"minutes": float("nan")}, "minutes"),
    ],
)
def test_a_budget_of_nothing_is_refused(request_, argument):
    with pytest.raises(InputError, match=argument):
        prescribe(deep(), communities(), **request_)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"train_mask": torch.arange(30)}, "train_mask: found dtype torch.int64"),
        ({"y": torch.ones(120, 4).long()}, r"y: found torch.int64 of shape \[120, 4\]"),
    ],
)
def test_labels_and_masks_of_other_kinds_are_refused_in_one_line(change, message):
    graph = communities()
    graph.update(change)

    with pytest.raises(InputError, match=message) as raised:
        prescribe(deep(), graph)
    assert "\n" not in str(raised.value)


def test_a_frozen_model_is_refused():
    with pytest.raises(InputError, match="model: found no parameter to train"):
        prescribe(deep().requires_grad_(False), communities(), **QUICK)


def test_a_graph_without_a_validation_split_is_refused_before_anything_is_trained():
    graph = communities()
    del graph.val_mask

    with pytest.raises(InputError, match="give a val_mask"):
        prescribe(deep(), graph)
    with pytest.raises(InputError, match="give one graph"):
        prescribe(deep(), [communities()])
