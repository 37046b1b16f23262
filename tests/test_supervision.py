"""Labels and splits are taken as the data has them; unlabelled nodes count nowhere."""

from __future__ import annotations

import math

import pytest
import torch
import torch.nn.functional as F
from sklearn.metrics import roc_auc_score
from torch_geometric.data import Data, HeteroData

from benthic.errors import InputError
from benthic.supervision import Supervision, class_logits, roc_auc


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


def test_masks_of_several_splits_give_their_first(data):
    data.train_mask = torch.stack([data.train_mask, ~data.train_mask], dim=1)
    masks = Supervision.of(data).masks
    assert masks["train"].tolist() == [True, True, False, False, False]


@pytest.mark.parametrize(
    ("mask", "found"),
    [
        (torch.tensor([0, 3]), "dtype torch.int64"),
        (torch.arange(5), "dtype torch.int64"),  # of the nodes' own number
        (torch.ones(5), "dtype torch.float32"),
        (torch.ones(4).bool(), r"shape \[4\] for 5 nodes"),
        ([0, 3], "an object of type list"),
    ],
)
def test_a_mask_that_is_no_boolean_for_each_node_is_refused(data, mask, found):
    data.val_mask = mask
    with pytest.raises(InputError, match=f"^val_mask: found {found}"):
        Supervision.of(data)
    hetero = HeteroData(user={"y": data.y, "val_mask": mask})
    with pytest.raises(InputError, match=rf"^val_mask\['user'\]: found {found}"):
        Supervision.of(hetero)


@pytest.mark.parametrize(
    ("y", "found"),
    [
        (torch.ones(5, 4).long(), r"torch.int64 of shape \[5, 4\]"),
        (torch.ones(5), r"torch.float32 of shape \[5\]"),
        ([0, 1, 0, 1, 0], "an object of type list"),
        (None, "none"),
    ],
)
def test_where_labels_are_needed_it_is_said_what_there_is_instead(data, y, found):
    data.y = y
    with pytest.raises(InputError, match=f"^y: found {found}; give the class of each"):
        Supervision.needed(data)
    with pytest.raises(InputError, match=f"^y: found {found}; give the class of each"):
        Supervision.needed(HeteroData(user={"y": y}))


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


def test_a_vector_is_a_binary_logit_of_each_node():
    supervision = Supervision.of(Data(y=torch.tensor([0, 1, 1])))
    logits = torch.tensor([-2.0, 3.0, -1.0])
    assert supervision.loss(logits) == supervision.loss(logits[:, None])
    assert supervision.correct(logits) == {"train": (2, 3)}
    assert supervision.accuracy(logits)["train"] == pytest.approx(2 / 3)


def test_the_chance_of_a_single_logit_is_its_sigmoid():
    z = torch.randn(2, 5, 1)
    torch.testing.assert_close(class_logits(z).softmax(-1)[..., 1:], z.sigmoid())
    rows = torch.randn(5, 3)
    assert class_logits(rows) is rows


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


@pytest.mark.parametrize("columns", [1, 2])
@pytest.mark.parametrize("ties", [False, True])
def test_roc_auc_is_scikit_learns(columns, ties):
    generator = torch.Generator().manual_seed(columns)
    logits = torch.randn(60, columns, generator=generator)
    if ties:
        logits = logits.round()
    y = torch.randint(0, 2, (60,), generator=generator)
    margin = logits[:, -1] - (logits[:, 0] if columns == 2 else 0)
    assert roc_auc(logits, y) == pytest.approx(roc_auc_score(y, margin))


def test_roc_auc_of_one_class_is_undefined_and_of_three_refused():
    assert math.isnan(roc_auc(torch.randn(4, 2), torch.ones(4).long()))
    assert math.isnan(roc_auc(torch.randn(4, 2), torch.zeros(4).long()))
    with pytest.raises(InputError, match="metric: found ROC-AUC for 3 classes"):
        roc_auc(torch.randn(4, 3), torch.ones(4).long())


def test_a_measure_sees_the_rows_of_each_split(data):
    seen = []

    def count(logits, y):
        seen.append((logits.tolist(), y.tolist()))
        return float(len(y))

    logits = torch.arange(5.0).view(5, 1).expand(5, 3)
    scores = Supervision.of(data).measure(logits, count)
    assert scores == {"train": 2.0, "val": 1.0, "test": 1.0}
    assert [y for _, y in seen] == [[0, 1], [2], [1]]
    assert seen[1][0] == [[2.0] * 3]


@pytest.mark.parametrize("columns", [1, 3])
def test_smoothing_spreads_a_share_of_each_label(columns, data):
    if columns == 1:
        data.y = data.y.clamp(max=1)
    logits = torch.randn(5, columns, generator=torch.Generator().manual_seed(0))
    chances = logits.softmax(-1) if columns > 1 else None
    if columns == 1:
        one = logits.sigmoid()
        chances = torch.cat([1 - one, one], dim=1)
    labels = F.one_hot(data.y[:2], chances.size(1)).float()
    target = 0.8 * labels + 0.2 / chances.size(1)
    expected = -(target * chances[:2].log()).sum(-1).mean()
    loss = Supervision.of(data).loss(logits, label_smoothing=0.2)
    assert float(loss) == pytest.approx(float(expected), rel=1e-5)
