from __future__ import annotations

import math

import pytest
import torch
import torch.nn.functional as F
from tests.checks.planted import blocks
from torch import nn
from torch_geometric.data import Data
from torch_geometric.nn import GCN, GCNConv, Linear

from benthic.checks.passes import Pass, Reading, failure, forked_randomness
from benthic.errors import InputError, ModelError
from benthic.forward import call_model

DATA = blocks(per_class=20)


def reading(model: nn.Module, data: object = DATA, *, loss=None) -> Reading:
    return Pass(data, call_model, loss, None, 0).read(model)


class Reshaped(nn.Module):
    """A GCN whose output is changed by a function."""

    def __init__(self, change, out_channels: int = 3) -> None:
        super().__init__()
        self.gnn, self.change = GCN(8, 16, 2, out_channels), change

    def forward(self, x, edge_index):
        return self.change(self.gnn(x, edge_index))


def test_accuracy_is_that_of_the_plain_model():
    model = GCN(8, 16, 2, 3).eval()
    right = model(DATA.x, DATA.edge_index).argmax(1) == DATA.y
    metrics = reading(model).metrics
    assert metrics["train"] == pytest.approx(
        float(right[DATA.train_mask].float().mean())
    )
    assert metrics["val"] == pytest.approx(float(right[DATA.val_mask].float().mean()))
    assert metrics["test"] is None


def test_gradients_are_those_of_the_loss_and_are_not_left_behind():
    model = GCN(8, 16, 2, 3).eval()
    read = reading(model)
    assert all(p.grad is None for p in model.parameters())
    out = model(DATA.x, DATA.edge_index)
    F.cross_entropy(out[DATA.train_mask], DATA.y[DATA.train_mask]).backward()
    for layer, conv in zip(read.layers, model.convs, strict=True):
        norm = math.sqrt(sum(float(p.grad.square().sum()) for p in conv.parameters()))
        assert layer.gradient_norm == pytest.approx(norm, rel=1e-5)


def test_batches_add_up():
    model = GCN(8, 16, 2, 3).eval()
    once, thrice = reading(model), reading(model, [DATA] * 3)
    assert thrice.metrics == once.metrics
    assert thrice.layers[0].num_nodes == 3 * once.layers[0].num_nodes


@pytest.mark.parametrize("width", [0, 1])
def test_a_single_logit_is_a_binary_answer_with_or_without_a_column(width):
    data = DATA.clone()
    data.y = (data.y > 0).long()
    squeeze = (lambda out: out) if width else (lambda out: out.squeeze(-1))
    model = Reshaped(squeeze, out_channels=1).eval()
    right = (model.gnn(data.x, data.edge_index).squeeze(-1) > 0).long() == data.y
    accuracy = float(right[data.val_mask].float().mean())
    assert reading(model, data).metrics["val"] == pytest.approx(accuracy)


@pytest.mark.parametrize(
    "data",
    [
        Data(x=DATA.x, edge_index=DATA.edge_index),
        Data(x=DATA.x, edge_index=DATA.edge_index, y=torch.randn(60)),
        Data(x=DATA.x, edge_index=DATA.edge_index, y=torch.ones(60, 4).long()),
        (DATA.x, DATA.edge_index),
        {"x": DATA.x, "edge_index": DATA.edge_index},
    ],
    ids=["no labels", "float labels", "several labels", "tuple", "mapping"],
)
def test_without_class_labels_there_are_gradients_and_no_accuracy(data):
    read = reading(GCN(8, 16, 2, 3), data)
    assert set(read.metrics.values()) == {None}
    assert read.gradient_ratio > 0
    assert read.layers[0].gradient_norm > 0


def test_an_own_loss_gives_the_gradients():
    ours = reading(GCN(8, 16, 2, 3), loss=lambda out, batch: 0.0 * out.sum())
    assert ours.layers[0].gradient_norm == 0.0


@pytest.mark.parametrize(
    ("loss", "found"),
    [
        (lambda out, batch: out, r"Tensor of shape \[60, 3\]"),
        (lambda out, batch: 3.0, "float"),
        (lambda out, batch: out[batch.no_such], "raised AttributeError"),
    ],
)
def test_an_own_loss_that_is_none_is_refused_in_one_line(loss, found):
    with pytest.raises(InputError, match=found) as raised:
        reading(GCN(8, 16, 2, 3), loss=loss)
    assert raised.value.argument == "loss"
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    ("model", "found"),
    [
        (Reshaped(lambda out: out[:7]), r"shape \[7, 3\] for 60 labels"),
        (Reshaped(lambda out: out.mean(0)), r"shape \[3, 1\] for 60 labels"),
        (Reshaped(lambda out: out[:, :2]), "label 2, where the model has 2 outputs"),
    ],
)
def test_an_output_that_is_not_the_labels_is_refused(model, found):
    with pytest.raises(InputError, match=found) as raised:
        reading(model)
    assert raised.value.argument in ("model", "y")


def test_an_own_loss_may_mean_any_output():
    model = Reshaped(lambda out: out[:7])
    read = reading(model, loss=lambda out, batch: out.sum())
    assert set(read.metrics.values()) == {None}


def test_features_of_another_number_are_refused():
    with pytest.raises(InputError, match="8 features for GCN with 5 input") as raised:
        reading(GCN(5, 16, 2, 3))
    assert raised.value.argument == "x"
    assert "\n" not in str(raised.value)


def test_a_model_that_raises_is_named_with_its_exception():
    class Broken(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv = GCNConv(8, 3)

        def forward(self, x, edge_index):
            raise KeyError("no\nsuch thing")

    with pytest.raises(ModelError, match="Broken raised KeyError") as raised:
        reading(Broken())
    assert "\n" not in str(raised.value)
    assert isinstance(raised.value.__cause__, KeyError)


def test_a_model_that_exits_is_named_and_nothing_exits():
    class Leaving(Reshaped):
        def forward(self, x, edge_index):
            raise SystemExit

    with pytest.raises(ModelError, match=r"Leaving raised SystemExit$"):
        reading(Leaving(None))


def test_a_batch_without_training_nodes_gives_no_gradient():
    data = DATA.clone()
    data.train_mask = torch.zeros_like(data.train_mask)
    read = reading(GCN(8, 16, 2, 3), data)
    assert read.gradient_ratio is None
    assert read.layers[0].gradient_norm is None


def test_a_gradient_that_is_not_finite_has_no_ratio():
    read = reading(GCN(8, 16, 2, 3), loss=lambda out, batch: out.sum() * math.inf)
    assert read.gradient_ratio is None


def test_layers_without_messages_have_no_known_reach():
    model = nn.Sequential(Linear(8, 4), nn.ReLU(), Linear(4, 3))
    read = Pass(DATA, call_model, None, ["0", "2"], 0).read(model)
    assert read.num_hops is None
    assert reading(GCN(8, 16, 2, 3)).num_hops == 2


def test_a_failure_is_one_line_and_not_a_page():
    line = failure(nn.ReLU(), ValueError("a\n b" + "x" * 999))
    assert line.startswith("ReLU raised ValueError: a b")
    assert len(line) < 400


def test_random_numbers_go_on_as_before_also_after_an_error():
    torch.manual_seed(3)
    before = torch.get_rng_state()

    def fail() -> None:
        with forked_randomness(nn.ReLU(), 0):
            torch.rand(5)
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert torch.equal(torch.get_rng_state(), before)
