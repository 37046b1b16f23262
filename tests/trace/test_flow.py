"""Tensors are followed from layer to layer through every kind of operation."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor
from torch_geometric.data import Data, HeteroData

from benthic.trace.flow import Flow, Mark, Source, tensors_in

FIRST, SECOND = Source(0, 1, 1, None), Source(1, 1, 2, None)


@pytest.fixture
def merged():
    return []


@pytest.fixture
def flow(merged):
    flow = Flow(lambda source, x: merged.append((source, x)))
    flow.__enter__()
    yield flow
    flow.stop()
    assert torch._C._len_torch_function_stack() == 0


@pytest.fixture
def h(flow):
    h = torch.randn(4, 3)
    flow.produced(h, FIRST, 1)
    return h


def written(x: Tensor, h: Tensor) -> Tensor:
    x = torch.zeros(4, 3)
    x[torch.tensor([3, 2, 1, 0])] = h
    return x


@pytest.mark.parametrize(
    "operation",
    [
        torch.relu,
        lambda h: F.dropout(h, 0.5),
        lambda h: F.layer_norm(h, (3,)),
        lambda h: F.batch_norm(h, torch.zeros(3), torch.ones(3)),
        lambda h: 2.0 * h + 1.0,
        lambda h: torch.ones(4, 3) + h,
        lambda h: h.relu_(),
        lambda h: h.clone().mul_(2.0),
        lambda h: h[torch.tensor([3, 1, 0, 2])],
        lambda h: torch.stack([h, torch.rand(4, 3)]).max(0).values,
        lambda h: torch.where(h > 0, h, 0.0),
        lambda h: torch.eye(4) @ h,
        lambda h: written(torch.zeros(4, 3), h),
        lambda h: torch.zeros(4, 3).index_add_(0, torch.arange(4), h),
        lambda h: h.view(2, 2, 3).transpose(0, 1).reshape(4, 3),
        lambda h: h.chunk(2)[0].repeat(2, 1),
        lambda h: torch.utils.checkpoint.checkpoint(torch.relu, h, use_reentrant=False),
    ],
)
def test_the_latest_states_are_followed(operation, flow, h):
    out = operation(h)
    assert flow.mark(out) == Mark(FIRST, 1, False)
    assert flow.latest(FIRST) is out


def test_a_slice_written_in_place_marks_the_whole(flow, h):
    x = torch.zeros(8, 3)
    x[:4].copy_(h)
    assert flow.mark(x).source == FIRST


@pytest.mark.parametrize(
    "operation",
    [
        torch.randn_like,
        torch.zeros_like,
        lambda h: h.new_ones(4, 3),
        lambda h: torch.randn(4, 3),
    ],
)
def test_what_takes_only_a_shape_is_no_state(operation, flow, h):
    out = operation(h)
    assert flow.mark(out) == Mark()
    assert flow.latest(FIRST) is h


@pytest.mark.parametrize("operation", [lambda h: h > 0, lambda h: h.argsort(0)])
def test_states_are_floating_point(operation, flow, h):
    operation(h)
    assert flow.latest(FIRST) is h


@pytest.mark.parametrize(
    "head",
    [
        lambda h: F.linear(h, torch.eye(3)),
        lambda h: torch.nn.Linear(3, 3)(h),
        lambda h: h.softmax(-1),
        lambda h: F.softmax(h, -1),
        lambda h: torch.softmax(h, -1),
        lambda h: h.log_softmax(-1),
        lambda h: F.log_softmax(h, -1),
        lambda h: torch.log_softmax(h, -1),
    ],
)
def test_the_head_ends_the_stream(head, flow, h):
    states = h.relu()
    head(states).relu()
    assert flow.latest(FIRST) is states


def test_a_feed_forward_branch_with_a_skip_goes_on(flow, h):
    branch = F.linear(F.linear(h, torch.eye(3)).relu(), torch.eye(3))
    out = h + branch
    assert flow.latest(FIRST) is out


def test_the_newest_layer_counts(flow, h):
    g = torch.randn(4, 3)
    flow.consume(FIRST)
    flow.produced(g, SECOND, 2)
    assert flow.mark(h + g) == Mark(SECOND, 2, False)
    assert flow.mark(torch.cat([g, h], dim=1)).source == SECOND


def test_the_end_of_a_parallel_branch_is_told(flow, merged, h):
    g = torch.randn(4, 3)
    flow.produced(g, SECOND, 1)
    left, right = h.relu(), g.sigmoid()
    _ = left * right
    assert len(merged) == 1
    assert merged[0][0] == FIRST
    assert merged[0][1] is left


def test_a_consumed_branch_is_not_told_again(flow, merged, h):
    flow.consume(FIRST)
    g = torch.randn(4, 3)
    flow.produced(g, SECOND, 1)
    _ = h + g
    assert merged == []
    assert flow.latest(FIRST) is None


def test_hops_add_up_along_the_longest_way(flow):
    x, y = torch.ones(4, 3), torch.ones(4, 3)
    flow.given((x, y))
    flow.inside_layer = True
    one, also_one = 2.0 * x, 2.0 * x
    flow.propagated({"x": x}, one)
    flow.propagated({"x": y}, also_one)
    assert flow.hops(one + also_one) == 1, "side by side"
    two = one * 1.0
    flow.propagated({"x": one}, two)
    assert flow.hops((two, one)) == 2, "one after the other"


def test_inside_a_layer_states_do_not_move(flow, h):
    flow.inside_layer = True
    h.relu()
    assert flow.latest(FIRST) is h


def test_tensors_are_not_kept_alive(flow):
    import weakref

    x = torch.ones(3)
    y = x + 1.0
    ref = weakref.ref(y)
    del y
    assert ref() is None


def test_stopping_leaves_other_modes_in_their_order():
    with torch.device("cpu"):
        outer = torch.overrides._get_current_function_mode()
        flow = Flow(lambda *_: None)
        flow.__enter__()
        with torch.device("meta"):
            inner = torch.overrides._get_current_function_mode()
            flow.stop()
            flow.stop()
            stack = torch.overrides._get_current_function_mode_stack()
            assert stack == [outer, inner]
    assert torch._C._len_torch_function_stack() == 0


def test_tensors_are_found_in_batches_and_nested_containers():
    data = HeteroData()
    data["user"].x = torch.ones(1)
    data["user", "knows", "user"].edge_index = torch.zeros(2, 1, dtype=torch.long)
    assert len(list(tensors_in(data))) == 2
    assert (
        len(list(tensors_in([Data(x=torch.ones(1)), ({"a": torch.ones(1)},), 3]))) == 2
    )
