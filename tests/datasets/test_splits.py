"""Masks are the published ones, or drawn by class and seed."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch_geometric.data import Data

from benthic.datasets import load
from benthic.datasets.splits import with_split
from benthic.errors import InputError

MASKS = ("train_mask", "val_mask", "test_mask")


def test_a_published_split_is_one_column_of_the_ten(data_folder):
    with np.load(data_folder / "minesweeper.npz") as raw:
        for split in (0, 9):
            data = load("minesweeper", split=split)
            for key in MASKS:
                assert np.array_equal(data[key], raw[f"{key}s"][split])


def test_without_published_masks_twenty_of_a_class_train_and_thirty_validate(graph):
    data = graph("computers", split=3)
    for label in range(10):
        members = data.y == label
        assert int((data.train_mask & members).sum()) == 20
        assert int((data.val_mask & members).sum()) == 30
    assert (data.train_mask | data.val_mask | data.test_mask).all()
    again, other = graph("computers", split=3), graph("computers", split=4)
    assert torch.equal(again.train_mask, data.train_mask)
    assert not torch.equal(other.train_mask, data.train_mask)


def test_a_tiny_class_keeps_a_third_for_each_part():
    data = with_split(Data(y=torch.tensor([0] * 9 + [-1] * 3)), "tiny", 0)
    assert [int(data[key].sum()) for key in MASKS] == [3, 3, 3]


@pytest.mark.parametrize("split", [-1, 10])
def test_a_split_that_was_not_published_is_refused(data_folder, split):
    with pytest.raises(InputError, match=rf"split: found {split}; give 0 … 9"):
        load("minesweeper", split=split)


def test_planetoid_points_to_its_ten_splits(graph):
    with pytest.raises(InputError, match="'cora_geom_gcn', which has ten"):
        graph("cora", split=1)


def test_a_negative_seed_is_refused(graph):
    with pytest.raises(InputError, match="split: found -1"):
        graph("computers", split=-1)
