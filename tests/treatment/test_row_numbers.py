"""Rows are known by their numbers, whatever an operation does to them."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from benthic.treatment.row_numbers import (
    Operation,
    count_in_order,
    numbered,
    tensors,
    unknown,
    writes,
)


def rows_after(func, x, *args, rows=None):
    out = func(x, *args)
    operation = Operation(
        func, (x, *args), {}, lambda y: numbered(x, rows) if y is x else None
    )
    return [operation.rows(x, rows, o, i) for i, o in enumerate(tensors(out))]


def test_each_part_of_a_split_has_its_own_rows():
    first, second = rows_after(Tensor.split, torch.ones(5, 2), 3)
    assert first[:, 0].tolist() == [0, 1, 2]
    assert second[:, 1].tolist() == [3, 4]


def test_gathering_by_edges_needs_no_number_for_each_channel():
    edges = torch.tensor([2, 0, 0, 1])
    for func, args in ((Tensor.__getitem__, ()), (Tensor.index_select, (0,))):
        (rows,) = rows_after(func, torch.ones(3, 8), *args, edges)
        assert rows.shape == (4, 8)
        assert rows.stride(1) == 0
        assert rows[:, 5].tolist() == edges.tolist()


def test_a_map_of_channels_keeps_rows_that_are_whole():
    x = torch.ones(1, 3, 4)
    rows = numbered(torch.ones(3, 4), None)[None]
    weight = torch.ones(2, 4)
    (kept,) = rows_after(torch.nn.functional.linear, x, weight, rows=rows)
    assert kept[0, :, 1].tolist() == [0, 1, 2]
    turned = rows.transpose(1, 2)  # nodes are the channels
    (lost,) = rows_after(
        torch.nn.functional.linear, torch.ones(1, 4, 3), torch.ones(2, 3), rows=turned
    )
    assert (lost == -1).all()


def test_what_cannot_be_done_to_numbers_loses_the_rows():
    (rows,) = rows_after(lambda x: torch.ones(2, 3) @ x, torch.ones(3, 4))
    assert (rows == -1).all()


@pytest.mark.parametrize(
    ("rows", "count"),
    [
        (None, 4),
        (numbered(torch.ones(4, 2), None), 4),
        (numbered(torch.ones(3, 2), None), 3),
        (numbered(torch.ones(5, 2), None), -1),
        (numbered(torch.ones(4, 2), None).flip(0), -1),
        (unknown(torch.ones(4, 2)), -1),
    ],
)
def test_rows_in_order_are_counted(rows, count):
    assert count_in_order(rows, num_rows=4) == count


def test_writing_is_told_by_the_name():
    assert writes(Tensor.__setitem__, {})
    assert writes(torch.relu_, {})
    assert writes(torch.nn.functional.relu, {"inplace": True})
    assert not writes(Tensor.__getitem__, {})
