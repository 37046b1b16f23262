from __future__ import annotations

import pytest
import torch
from tests.backward import num_edges
from torch_geometric.nn import GCNConv

from benthic.nn import DeepGNN, DenseResidual
from benthic.nn.states import States


def test_the_total_is_the_sum_however_often_it_is_asked_for():
    torch.manual_seed(0)
    parts = [torch.randn(4, 3, dtype=torch.float64) for _ in range(6)]
    states = States(parts[:2])
    for i, part in enumerate(parts[2:], 3):
        states.append(part)
        torch.testing.assert_close(states.total(), sum(parts[:i]))
        assert states.total() is states.total()


def test_the_total_goes_on_from_one_that_is_known():
    first, second, third = (torch.randn(4, 3) for _ in range(3))
    before = first + second
    states = States([first, second, third], before)
    assert states.known_total is None
    assert torch.equal(states.total(), before + third)
    assert states.known_total is states.total()


def test_a_stack_without_states_has_no_total():
    with pytest.raises(IndexError, match="no states"):
        States().total()


def test_a_dense_stack_of_twice_the_depth_has_twice_the_operations():
    x, edge_index = torch.ones(3, 2), torch.tensor([[0, 1, 2], [1, 2, 0]])

    def operations(depth: int) -> int:
        stack = DeepGNN(GCNConv, 2, 4, 2, depth, residual=DenseResidual(), dropout=0.0)
        return num_edges(stack(x, edge_index))

    sizes = [operations(depth) for depth in (8, 16, 32)]
    assert sizes[2] - sizes[1] == 2 * (sizes[1] - sizes[0])
