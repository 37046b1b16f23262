from __future__ import annotations

import numpy as np
import pytest
import torch

from benthic.errors import InputError
from benthic.metrics import rows


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("power", [-44, -30, -20, 0, 20, 37])
def test_norms_are_right_where_squares_leave_the_type(dtype, power):
    x = (torch.randn(5, 8, dtype=torch.float64) * 10.0**power).to(dtype)
    expected = np.linalg.norm(x.double().numpy(), axis=1)
    torch.testing.assert_close(
        rows.row_norms(x), torch.from_numpy(expected), rtol=1e-6, atol=0
    )


@pytest.mark.parametrize("power", [-300, 300])
def test_norms_are_right_where_squares_leave_float64(power):
    x = torch.tensor([[3.0, 4.0]], dtype=torch.float64) * 10.0**power
    assert rows.row_norms(x).item() == pytest.approx(5 * 10.0**power, abs=0)
    torch.testing.assert_close(rows.unit_rows(x)[0], x.new_tensor([[0.6, 0.8]]))


def test_only_a_zero_row_has_norm_zero():
    x = torch.tensor([[0.0, 0.0], [1e-45, 0.0], [-0.0, 0.0]])
    assert (rows.row_norms(x) == 0).tolist() == [True, False, True]


@pytest.mark.parametrize("bad", [torch.nan, torch.inf, -torch.inf])
def test_a_row_that_is_not_finite_has_norm_nan(bad):
    x = torch.tensor([[bad, 1.0], [1.0, 1.0]])
    assert rows.row_norms(x).isnan().tolist() == [True, False]


def test_tiny_and_huge_rows_keep_their_direction():
    scale = torch.tensor([[1e-40], [1.0], [3e37], [0.0]])
    x = scale * torch.tensor([[3.0, 4.0]])
    unit, norm = rows.unit_rows(x)
    expected = torch.tensor([[0.6, 0.8]] * 3 + [[0.0, 0.0]])
    torch.testing.assert_close(unit, expected, rtol=1e-4, atol=0)
    assert (norm != 0).tolist() == [True, True, True, False]


def test_rows_no_longer_than_the_floor_have_no_direction():
    x = torch.tensor([[1.0, 0.0], [3.0, 0.0]])
    unit, norm = rows.unit_rows(x, floor=2.0)
    assert unit.tolist() == [[0.0, 0.0], [1.0, 0.0]]
    assert norm.tolist() == [0.0, 3.0]
    assert rows.unit_row_sum(x, floor=2.0)[1] == 1


@pytest.mark.parametrize("num_rows", [0, 1, 127, 128, 129, 300])
def test_the_sum_of_directions_takes_every_row_once(num_rows):
    x = torch.randn(num_rows, 3)
    total, count = rows.unit_row_sum(x)
    expected = torch.nn.functional.normalize(x.double()).sum(dim=0)
    torch.testing.assert_close(total, expected, rtol=1e-5, atol=1e-5)
    assert count == num_rows


def test_the_sum_of_equal_directions_does_not_drift():
    x = torch.randn(1, 64).expand(8192, 64)
    total, count = rows.unit_row_sum(x)
    assert (total.norm() / count).item() == pytest.approx(1.0, abs=1e-6)


def test_blocks_join_to_the_whole_and_16_bit_rows_become_float32():
    x = torch.randn(40_000, 64, dtype=torch.bfloat16)
    blocks = list(rows.row_blocks(x))
    assert len(blocks) > 1
    assert torch.equal(torch.cat(blocks), x.float())


def test_blocks_are_views_without_a_gradient():
    x = torch.randn(40_000, 64, requires_grad=True)
    block = next(iter(rows.row_blocks(x)))
    assert block.data_ptr() == x.data_ptr()
    assert not block.requires_grad


def test_the_column_mean_is_exact_for_equal_rows():
    x = torch.full((10_001, 2), 0.1)
    assert torch.equal(rows.column_mean(x).float(), x[0])


def test_rows_without_channels_are_all_dead():
    assert rows.row_norms(torch.empty(3, 0)).tolist() == [0.0, 0.0, 0.0]


@pytest.mark.parametrize("edge", [(-1, 0), (3, 0), (0, -1), (0, 2)])
def test_an_edge_to_a_missing_node_is_refused(edge):
    with pytest.raises(InputError, match=r"^edge_index: found node (-1|3|2) in row"):
        rows.check_edges(torch.tensor(edge).view(2, 1), 3, 2)
