"""Labels and splits are taken as the data has them; unlabelled nodes count nowhere."""

from __future__ import annotations

import math

import pytest
import torch
import torch.nn.functional as F
from torch_geometric.data import Data, HeteroData

from benthic.supervision import Supervision


def mask(*rows):
    return torch.tensor(rows, dtype=torch.bool)


@pytest.fixture
def data():
    return Data(
        y=torch.tensor([0, 1, 2, -1, 1]),
        train_mask=mask(1, 1, 0, 1, 0),
        val_mask=mask(0, 0, 1, 0, 0),
        test_mask=mask(0, 0, 0, 0, 1),
    )


def test_unlabelled_nodes_are_in_no_split(data):
    supervision = Supervision.of(data)
    assert supervision.masks["train"].tolist() == [True, True, False, False, False]
    assert supervision.held_out.tolist() == [False, False, True, False, False]
    assert supervision.num_classes == 3
    assert supervision.node_type is None


def test_the_data_is_not_changed(data):
    before = {key: value.clone() for key, value in data.to_dict().items()}
    supervision = Supervision.of(data)
    supervision.loss(torch.randn(5, 3))
    assert all(torch.equal(before[key], value) for key, value in data.to_dict().items())


@pytest.mark.parametrize(
    "y",
    [
        None,
        torch.tensor([0.5, 1.0]),
        torch.ones(2, 3, dtype=torch.long),
        torch.tensor(1),
        "labels",
    ],
)
def test_what_is_not_a_class_a_node_is_no_supervision(y):
    assert Supervision.of(Data(y=y)) is None
    assert Supervision.of({"y": y}) is None


@pytest.mark.parametrize("other", [None, 3, (torch.ones(2),), torch.ones(2), Data()])
def test_anything_else_has_no_labels(other):
    assert Supervision.of(other) is None


@pytest.mark.parametrize("dtype", [torch.bool, torch.uint8, torch.int32])
def test_a_column_of_any_whole_numbers_is_labels(dtype):
    supervision = Supervision.of({"y": torch.tensor([[0], [1]]).to(dtype)})
    assert supervision.y.tolist() == [0, 1]
    assert supervision.y.dtype == torch.int64


def test_masks_of_several_splits_give_their_first_and_any_type_is_boolean(data):
    data.train_mask = torch.stack([data.train_mask, ~data.train_mask], dim=1).byte()
    masks = Supervision.of(data).masks
    assert masks["train"].tolist() == [True, True, False, False, False]
    assert masks["train"].dtype == torch.bool


def test_without_masks_every_labelled_node_trains():
    supervision = Supervision.of(Data(y=torch.tensor([0, -1, 1])))
    assert supervision.masks["train"].tolist() == [True, False, True]
    assert supervision.held_out is None


def test_without_masks_the_seeds_of_a_sampled_batch_train():
    supervision = Supervision.of(Data(y=torch.tensor([0, -1, 1, 1]), batch_size=3))
    assert supervision.masks["train"].tolist() == [True, False, True, False]


def test_the_labelled_type_with_a_split_is_taken():
    data = HeteroData()
    data["a"].y = torch.rand(3)
    data["b"].y = torch.zeros(2, dtype=torch.long)
    assert Supervision.of(data).node_type == "b"
    data["c"].y = torch.zeros(4, dtype=torch.long)
    data["c"].train_mask = mask(1, 1, 0, 0)
    assert Supervision.of(data).node_type == "c"
    assert Supervision.of(HeteroData()) is None


def test_the_loss_is_cross_entropy_on_training_nodes(data):
    logits = torch.randn(5, 3, generator=torch.Generator().manual_seed(0))
    expected = -logits.log_softmax(-1)[[0, 1], [0, 1]].mean()
    assert Supervision.of(data).loss(logits) == pytest.approx(float(expected))


def test_one_column_is_a_binary_logit():
    supervision = Supervision.of(Data(y=torch.tensor([0, 1, 1])))
    logits = torch.tensor([[-2.0], [3.0], [-1.0]])
    expected = F.softplus(torch.tensor([-2.0, -3.0, 1.0])).mean()
    assert supervision.loss(logits) == pytest.approx(float(expected))
    assert supervision.correct(logits) == {"train": (2, 3)}


def test_a_loss_over_no_training_node_is_undefined():
    supervision = Supervision.of(Data(y=torch.tensor([-1, -1])))
    assert math.isnan(supervision.loss(torch.randn(2, 3)))
    assert supervision.num_classes == 0


def test_accuracy_counts_each_split_and_is_none_without_nodes(data):
    logits = F.one_hot(torch.tensor([0, 0, 2, 0, 0]), 3).float()
    supervision = Supervision.of(data)
    assert supervision.correct(logits) == {
        "train": (1, 2),
        "val": (1, 1),
        "test": (0, 1),
    }
    assert supervision.accuracy(logits) == {"train": 0.5, "val": 1.0, "test": 0.0}
    data.val_mask[:] = False
    del data.test_mask
    assert Supervision.of(data).accuracy(logits) == {
        "train": 0.5,
        "val": None,
        "test": None,
    }


def test_predictions_are_found_in_what_a_model_returns(data):
    logits = torch.randn(5, 3)
    supervision = Supervision.of(data)
    assert supervision.accuracy((logits, None)) == supervision.accuracy(logits)
    typed = Supervision(supervision.y, supervision.masks, "user")
    assert typed.accuracy({"user": logits}) == supervision.accuracy(logits)


def test_labels_of_no_node_are_no_class():
    assert Supervision.of(Data(y=torch.zeros(0, dtype=torch.long))).num_classes == 0


def test_of_a_sampled_batch_only_the_seed_nodes_count(data):
    data.batch_size = 3
    supervision = Supervision.of(data)
    assert supervision.masks["train"].tolist() == [True, True, False, False, False]
    assert supervision.masks["val"].tolist() == [False, False, True, False, False]
    assert not supervision.masks["test"].any()
