"""Tensors are followed from layer to layer, through whatever the model does."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import nn
from torch_geometric.utils import scatter, to_dense_batch

from benthic.errors import InputError
from benthic.nn.dropout import FastDropout
from benthic.treatment.row_numbers import count_in_order
from benthic.treatment.stream import State, Stream, usable


@pytest.fixture
def stream():
    stream = Stream()
    yield stream
    stream.stop()


@pytest.fixture
def h(stream):
    h = torch.randn(6, 4)
    stream.produced("a", h, [State(h)], 0)
    stream.start()
    return h


_ORDER = torch.tensor([3, 1, 5, 0, 2, 4])


def _written(h, *keys):
    out = torch.zeros_like(h)
    for key in keys:
        out[key] = h[key].relu()
    return out


def _zeroed(h):
    h = h + 0
    h[h < 0] = 0.0
    return h


def _dense(h):
    x, mask = to_dense_batch(h, torch.tensor([0, 0, 1, 1, 1, 1]))
    return x.relu()[mask]


ALL = {
    "relu": torch.relu,
    "dropout": lambda h: F.dropout(h, 0.5),
    "fast dropout": FastDropout(0.5),
    "linear": nn.Linear(4, 3),
    "batch norm": nn.BatchNorm1d(4),
    "add": lambda h: h + 1,
    "cat": lambda h: torch.cat([h, torch.ones(6, 2)], dim=-1),
    "heads": lambda h: h.view(6, 2, 2),
    "dtype": lambda h: h.double(),
    "detach": lambda h: h.detach(),
    "whole": lambda h: h[:],
    "as a batch of one": lambda h: (2 * h[None])[0],
    "as a sequence": lambda h: (2 * h[:, None]).squeeze(1),
    "in place": lambda h: h.mul_(2),
    "halves of columns": lambda h: torch.cat([c.relu() for c in h.chunk(2, -1)], -1),
    "halves of rows": lambda h: torch.cat([c.relu() for c in h.chunk(2)]),
    "row by row": lambda h: torch.stack([row.relu() for row in h]),
    "some columns": lambda h: h[:, 1:3],
    "columns by number": lambda h: h[:, torch.tensor([3, 0])],
    "columns around": lambda h: h.roll(2, -1),
    "turned and back": lambda h: h.t().relu().t(),
    "normed over a turn": lambda h: nn.BatchNorm1d(6).eval()(h.t()).T,
    "flattened and back": lambda h: h.reshape(-1).relu().view(6, 4),
    "permuted and back": lambda h: h[_ORDER].relu()[_ORDER.argsort()],
    "every index": lambda h: h.index_select(0, torch.arange(6)),
    "written": lambda h: _written(h, slice(None)),
    "written in parts": lambda h: _written(h, _ORDER < 3, _ORDER >= 3),
    "written by columns": lambda h: _written(h, (..., slice(2)), (..., slice(2, 4))),
    "zeroed by a mask": lambda h: _zeroed(h),
    "heads of attention": lambda h: (
        F.scaled_dot_product_attention(
            *nn.Linear(4, 12)(h)[None].view(1, 6, 3, 2, 2).permute(2, 0, 3, 1, 4)
        )
        .transpose(1, 2)
        .reshape(6, 4)
    ),
    "a dense batch": lambda h: _dense(h),
    "a product": lambda h: h @ torch.ones(4, 4),
    "a product and a sum": lambda h: torch.addmm(torch.ones(4), h, torch.eye(4)),
    "attention": lambda h: (h @ h.t()).softmax(-1) @ h,
    "linear attention": lambda h: h @ (h.t() @ h),
    "heads by einsum": lambda h: torch.einsum(
        "nhc,hcd->nhd", h.view(6, 2, 2), torch.ones(2, 2, 2)
    ),
    "the smaller": lambda h: torch.minimum(h, torch.ones(6, 4)),
}
FIRST = {
    "slice": lambda h: h[:3],
    "narrow": lambda h: h.narrow(0, 0, 3),
    "then relu": lambda h: h[:3].relu(),
    "mask": lambda h: h[torch.arange(6) < 3],
}
OTHER = {
    "later rows": lambda h: h[3:],
    "index": lambda h: h[torch.tensor([0, 2])],
    "permuted": lambda h: h[torch.arange(5, -1, -1)],
    "around": lambda h: h.roll(1, 0),
    "written in part": lambda h: _written(h, _ORDER < 3),
    "pooled": lambda h: h.mean(0, keepdim=True),
    "turned": lambda h: h.t(),
    "scattered": lambda h: scatter(h, _ORDER, dim_size=6, reduce="sum"),
    "pooled to as many clusters": lambda h: scatter(h, _ORDER, reduce="max"),
    "scatter_add": lambda h: torch.zeros(6, 4).scatter_add(
        0, _ORDER[:, None].expand(6, 4), h
    ),
    "scatter_reduce": lambda h: torch.zeros(6, 4).scatter_reduce(
        0, _ORDER[:, None].expand(6, 4), h, "sum", include_self=False
    ),
    "scatter with reduce": lambda h: torch.zeros(6, 4).scatter(
        0, _ORDER[:, None].expand(6, 4), h, reduce="add"
    ),
    "index_add": lambda h: torch.zeros(6, 4).index_add(0, _ORDER, h),
    "index_reduce": lambda h: torch.zeros(6, 4).index_reduce(0, _ORDER, h, "amax"),
    "accumulated": lambda h: torch.zeros(6, 4).index_put((_ORDER,), h, accumulate=True),
    "looked up": lambda h: F.embedding(_ORDER, h),
    "sorted": lambda h: h.sort(0)[0],
    "the smallest": lambda h: h.topk(3, 0, largest=False)[0],
    "the least": lambda h: h.amin(0, keepdim=True),
    "a permutation matrix": lambda h: torch.eye(6)[_ORDER] @ h,
    "a sparse matrix": lambda h: torch.sparse.mm(torch.eye(6)[_ORDER].to_sparse(), h),
    "a matrix by einsum": lambda h: torch.einsum("nm,md->nd", torch.eye(6)[_ORDER], h),
    "a matrix of a batch": lambda h: torch.einsum(
        "bnm,bmd->bnd", torch.eye(6)[_ORDER][None], h[None]
    )[0],
    "pooled by attention": lambda h: (h @ h.t()).softmax(0).t() @ h,
}


@pytest.mark.filterwarnings("ignore:index_reduce", "ignore:The reduce argument")
@pytest.mark.parametrize(
    ("function", "rows"),
    [
        *((f, 6) for f in ALL.values()),
        *((f, 3) for f in FIRST.values()),
        *((f, -1) for f in OTHER.values()),
    ],
    ids=[*ALL, *FIRST, *OTHER],
)
def test_operations_hand_the_origin_on(function, rows, stream, h):
    origin = stream.origin(function(h))
    stream.stop()
    assert origin.layer == "a"
    assert count_in_order(origin.rows, num_rows=6) == rows


def test_what_takes_only_a_shape_has_no_origin(stream, h):
    for out in (torch.zeros_like(h), h.new_ones(6, 4), torch.ones(6, 4)):
        assert stream.origin(out) is None


def test_the_latest_layer_counts(stream, h):
    later = torch.randn(6, 4)
    stream.produced("b", later, [State(h), State(later)], 1)
    assert stream.origin(h + later).layer == "b"
    assert not stream.origin(h + later).is_mixed


def test_two_calls_of_one_layer_are_mixed_unless_one_follows_the_other(stream, h):
    beside, after = torch.randn(6, 4), torch.randn(6, 4)
    stream.produced("a", beside, [State(beside)], 0)
    stream.produced("a", after, [State(h), State(after)], 1)
    assert stream.origin(torch.cat([h, beside])).is_mixed
    assert not stream.origin(torch.cat([h, after])).is_mixed
    rows = torch.cat([h, beside])[torch.arange(6)]
    with pytest.raises(InputError, match=r"rows of several batches.*layer 'b'"):
        usable(stream.origin(rows), torch.ones(6, 4), "b")


def test_a_state_survives_what_overwrites_it(stream, h):
    before = h.clone()
    state = stream.origin(h).states[0]
    F.relu(h, inplace=True)
    assert torch.equal(state.x, before)
    kept = state.x
    h[0] = 7.0
    assert state.x is kept


def test_a_state_survives_a_write_through_a_view(stream, h):
    before = h.clone()
    state = stream.origin(h).states[0]
    h.view(-1).relu_()
    assert torch.equal(state.x, before)


def test_states_are_usable_row_by_row(stream, h):
    ones = torch.ones
    assert usable(stream.origin(h), ones(6, 4), "b")[0].x is h
    (first,) = usable(stream.origin(h[:3]), ones(3, 4), "b")
    assert torch.equal(first.x, h[:3])
    assert usable(stream.origin(h), ones(6, 5), "b") == ()
    assert usable(stream.origin(h), ones(3, 4), "b") == ()
    assert usable(stream.origin(h[_ORDER]), ones(6, 4), "b") == ()


def test_what_meets_a_weight_is_noted(h, stream):
    stream.stop()
    weight = nn.Parameter(torch.ones(4, 4))
    stream = Stream([weight])
    stream.produced("a", h, [State(h)], 0, node_type="user")
    stream.start()
    h.relu() + 1
    torch.ones(6, 4) @ weight
    assert not stream.mapped
    h.relu() @ (weight * 2).t()
    stream.stop()
    assert stream.mapped == {("a", "user")}


def test_no_origin_outlives_its_tensor(stream, h):
    marked = len(stream._origins)
    for _ in range(5):
        h.relu()
    assert len(stream._origins) == marked


def test_other_modes_stay_where_they_are(stream, h):
    with torch.device("cpu"):
        stream.stop()
        assert torch._C._len_torch_function_stack() == 1
        mode = torch.overrides._get_current_function_mode()
        assert type(mode).__name__ == "DeviceContext"
    assert torch._C._len_torch_function_stack() == 0
    stream.stop()
