"""Trace changes nothing, always lets go, and keeps one layer at most."""

from __future__ import annotations

import gc
import weakref

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.trace.true_states import (
    GCNII,
    GraphTransformer,
    assert_reads,
    assert_same,
    hooks_of,
    state_of,
    traced,
)
from torch import nn
from torch.utils.checkpoint import checkpoint
from torch_geometric.nn import (
    GAT,
    GCN,
    GIN,
    GCNConv,
    GraphSAGE,
    SGFormer,
)

from benthic.errors import InputError
from benthic.metrics import (
    effective_rank,
    feature_correlation,
    mean_norm,
)
from benthic.trace import Trace


@pytest.fixture
def busy_model():
    """A model with a frozen part, mixed modes, a gradient, and hooks of its own."""
    model = GCN(6, 8, num_layers=3, out_channels=3, dropout=0.5)
    model.convs[0].requires_grad_(False)
    model.convs[1].eval()
    model.convs[2].lin.weight.grad = torch.ones_like(model.convs[2].lin.weight)
    model.convs[0].register_forward_hook(lambda *_: None)
    model.convs[1].bias.register_hook(lambda grad: grad)
    return model


def test_everything_is_as_it_was(busy_model, x, edge_index):
    before = state_of(busy_model)
    given = x.clone(), edge_index.clone()
    with Trace(busy_model) as trace:
        assert hooks_of(busy_model) != before[0]
        rng = torch.get_rng_state()
        out = busy_model(x, edge_index)
        torch.autograd.grad(out.sum(), [busy_model.convs[1].bias])
        torch.set_rng_state(rng)
    assert_same(before, state_of(busy_model))
    assert torch.equal(x, given[0])
    assert torch.equal(edge_index, given[1])
    assert x._backward_hooks is None
    assert len(trace.layers) == 3


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt, SystemExit])
@pytest.mark.parametrize("caught_inside", [True, False])
def test_a_model_that_raises_is_let_go(error, caught_inside, busy_model, x, edge_index):
    before = state_of(busy_model)

    def fail(*_):
        raise error

    handle = busy_model.convs[1].lin.register_forward_hook(fail)
    trace = Trace(busy_model)
    rng = torch.get_rng_state()
    if caught_inside:
        with trace:
            with pytest.raises(error):
                busy_model(x, edge_index)
            handle.remove()
            busy_model(x, edge_index)
        assert len(trace.layers) == 3
    else:
        with pytest.raises(error), trace:
            busy_model(x, edge_index)
        handle.remove()
    torch.set_rng_state(rng)
    assert_same(before, state_of(busy_model))


def test_modes_of_the_caller_stay_in_place(x, edge_index):
    model = GCN(6, 8, num_layers=2, out_channels=3)
    handle = model.convs[1].lin.register_forward_hook(raise_interrupt)
    with Trace(model):
        with pytest.raises(KeyboardInterrupt):
            model(x, edge_index)
        handle.remove()
        with torch.device("cpu"):
            depth = torch._C._len_torch_function_stack()
            model(x, edge_index)
            mode = torch.overrides._get_current_function_mode()
            assert type(mode).__name__ == "DeviceContext"
            assert torch._C._len_torch_function_stack() == depth - 1
    assert torch._C._len_torch_function_stack() == 0


def raise_interrupt(*_):
    raise KeyboardInterrupt


def test_a_failed_entry_leaves_no_hook(monkeypatch, busy_model):
    before = state_of(busy_model)
    trace = Trace(busy_model)

    def fail(_):
        raise MemoryError

    monkeypatch.setattr(type(trace._gradients), "attach", fail)
    with pytest.raises(MemoryError):
        trace.__enter__()
    assert_same(before, state_of(busy_model))


def test_entering_twice_is_refused_and_the_first_goes_on(busy_model, x, edge_index):
    before = hooks_of(busy_model)
    with Trace(busy_model) as trace:
        with pytest.raises(InputError, match="trace: found a trace that is open"):
            trace.__enter__()
        busy_model(x, edge_index)
    assert [layer.num_nodes for layer in trace.layers] == [20, 20, 20]
    assert hooks_of(busy_model) == before


def test_a_trace_that_is_entered_again_adds_to_its_readings(busy_model, x, edge_index):
    trace = Trace(busy_model)
    for _ in range(2):
        with trace:
            busy_model(x, edge_index)
    busy_model(x, edge_index)
    assert [layer.num_nodes for layer in trace.layers] == [40, 40, 40]


def test_gradients_after_the_block_are_not_recorded(x, edge_index):
    model = GCN(6, 8, num_layers=2, out_channels=3)
    with Trace(model) as trace:
        out = model(x, edge_index)
    out.sum().backward()
    assert all(layer.gradient_norm is None for layer in trace.layers)
    assert all(layer.state_gradient_norm is None for layer in trace.layers)


def test_two_traces_of_one_model_read_the_same(x, edge_index):
    model = GCN(6, 8, num_layers=3, out_channels=3)
    with Trace(model) as outer, Trace(model) as inner:
        model(x, edge_index).sum().backward()
    assert outer.layers == inner.layers
    with Trace(model) as alone:
        model(x, edge_index).sum().backward()
    assert alone.layers == outer.layers
    assert torch._C._len_torch_function_stack() == 0


def test_a_trace_of_a_part_runs_inside_a_trace_of_the_whole(x, edge_index):
    class Whole(nn.Module):
        def __init__(self):
            super().__init__()
            self.part, self.last = GCN(6, 8, num_layers=2), GCNConv(8, 3)

        def forward(self, x, edge_index):
            return self.last(self.part(x, edge_index).relu(), edge_index)

    model = Whole().eval()
    with torch.no_grad(), Trace(model) as outer, Trace(model.part) as inner:
        model(x, edge_index)
    assert [layer.name for layer in outer.layers] == [
        "part.convs.0",
        "part.convs.1",
        "last",
    ]
    h = model.part(x, edge_index)
    assert inner.layers[1].norm == pytest.approx(float(mean_norm(h)))
    assert outer.layers[1].norm == pytest.approx(float(mean_norm(h.relu())))


def test_a_layer_that_fails_and_is_caught_by_the_model_does_not_blind_the_trace(
    x, edge_index
):
    class Forgiving(nn.Module):
        def __init__(self):
            super().__init__()
            self.a, self.b, self.c = GCNConv(6, 8), GCNConv(9, 8), GCNConv(8, 8)

        def forward(self, x, edge_index):
            self.h = x = self.a(x, edge_index).relu()
            try:
                x = self.b(x, edge_index)
            except RuntimeError:
                pass
            return self.c(x, edge_index)

    model = Forgiving()
    trace = traced(model, x, edge_index)
    assert_reads(trace, {"a": model.h, "c": model(x, edge_index)})


def test_a_part_of_the_model_may_be_called(x, edge_index):
    class AutoEncoder(nn.Module):
        def __init__(self):
            super().__init__()
            self.encoder = GCN(6, 8, num_layers=2)

        def encode(self, x, edge_index):
            return self.encoder(x, edge_index)

    model = AutoEncoder().eval()
    with torch.no_grad(), Trace(model) as trace:
        out = model.encode(x, edge_index)
    h = model.encoder.convs[0](x, edge_index).relu()
    assert_reads(trace, {"encoder.convs.0": h, "encoder.convs.1": out})


def test_layers_called_from_outside_are_refused_rather_than_misread(x, edge_index):
    model = GCN(6, 8, num_layers=2)
    with Trace(model) as trace:
        model.convs[0](x, edge_index)
    with pytest.raises(InputError, match=r"'convs\.0' called from outside"):
        _ = trace.layers


def test_checkpointing_reads_each_layer_once(x, edge_index):
    class Checkpointed(nn.Module):
        def __init__(self):
            super().__init__()
            self.convs = nn.ModuleList([GCNConv(6, 8), GCNConv(8, 8)])

        def forward(self, x, edge_index):
            for conv in self.convs:
                x = checkpoint(conv, x, edge_index, use_reentrant=False).relu()
            return x

    model = Checkpointed()
    with Trace(model) as trace:
        model(x, edge_index).sum().backward()
    assert [layer.num_nodes for layer in trace.layers] == [20, 20]
    assert all(layer.gradient_norm is not None for layer in trace.layers)
    assert all(layer.state_gradient_norm is not None for layer in trace.layers)


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("cls", [GCN, GraphSAGE, GAT, GIN, GraphTransformer, GCNII])
def test_the_model_computes_the_same_to_the_last_bit(cls, training, x, edge_index):
    torch.manual_seed(5)
    if cls in (GraphTransformer, GCNII):
        model = cls()
    else:
        model = cls(6, 8, num_layers=3, out_channels=3, dropout=0.5)
    model.train(training)
    runs = []
    for watch in (False, True):
        torch.manual_seed(6)
        if watch:
            with Trace(model):
                out = model(x, edge_index)
                grads = torch.autograd.grad(out.sum(), list(model.parameters()))
        else:
            out = model(x, edge_index)
            grads = torch.autograd.grad(out.sum(), list(model.parameters()))
        runs.append((out.detach(), *grads, torch.rand(1)))
    assert all(map(torch.equal, *runs))


def test_at_most_a_few_states_are_alive_at_a_time(x, edge_index):
    class Deep(nn.Module):
        def __init__(self, parallel):
            super().__init__()
            self.lin = nn.Linear(6, 8)
            self.convs = nn.ModuleList(GCNConv(8, 8) for _ in range(40))
            self.parallel = parallel
            self.alive, self.most = weakref.WeakSet(), 0

        def forward(self, x, edge_index):
            x = self.lin(x)
            for i, conv in enumerate(self.convs):
                h = conv(x, edge_index)
                self.note(h)
                x = x + h if self.parallel and i % 2 else h.relu()
                del h
                self.note(x)
            return x

        def note(self, x):
            self.alive.add(_Keyed(x))
            self.most = max(self.most, sum(k.ref() is not None for k in LIVE))

    class _Keyed:
        def __init__(self, x):
            self.ref = weakref.ref(x)
            LIVE.append(self)

    for parallel in (False, True):
        LIVE = []
        model = Deep(parallel)
        gc.disable()
        try:
            trace = traced(model, x, edge_index)
        finally:
            gc.enable()
        assert len(trace.layers) == 40
        assert model.most <= 4, "states pile up"
        assert not any(k.ref() is not None for k in LIVE), "states outlive the pass"


@settings(max_examples=15)
@given(st.integers(2, 12), st.integers(0, 30), st.randoms(use_true_random=False))
def test_relabelling_nodes_changes_no_reading(num_nodes, num_edges, random):
    generator = torch.Generator().manual_seed(random.randrange(2**31))
    x = torch.randn(num_nodes, 4, generator=generator).double()
    edges = torch.randint(0, num_nodes, (2, num_edges), generator=generator)
    edges = torch.cat([edges, edges.flip(0)], dim=1)
    order = torch.randperm(num_nodes, generator=generator)
    torch.manual_seed(0)
    model = GCN(4, 5, num_layers=2, out_channels=3).double().eval()
    one = traced(model, x, edges)
    shuffled = torch.empty_like(x)
    shuffled[order] = x
    other = traced(model, shuffled, order[edges])
    for a, b in zip(one.layers, other.layers, strict=True):
        for name in ("norm", "mean_cosine", "rayleigh_quotient", "dead_fraction"):
            left, right = getattr(a, name), getattr(b, name)
            assert (left is None) == (right is None)
            if left is not None:
                assert left == pytest.approx(right, rel=1e-6, abs=1e-9)


def test_the_shared_products_give_both_gauges(x, edge_index):
    model = GCN(6, 8, num_layers=1)
    layer = traced(model, x, edge_index).layers[0]
    out = model(x, edge_index)
    assert layer.effective_rank == pytest.approx(float(effective_rank(out)))
    assert layer.feature_correlation == pytest.approx(float(feature_correlation(out)))


def test_a_dead_layer_is_never_called_healthy(x, edge_index):
    model = GCN(6, 8, num_layers=2, out_channels=3).eval()
    with torch.no_grad():
        model.convs[0].bias.fill_(-1e6)
    layer = traced(model, x, edge_index).layers[0]
    assert layer.dead_fraction == 1.0
    assert layer.norm == 0.0
    for name in (
        "mean_cosine",
        "centered_cosine",
        "rayleigh_quotient",
        "effective_rank",
        "feature_correlation",
    ):
        assert getattr(layer, name) is None
        assert layer.undefined[name] == "every row is zero: the layer is dead"


def test_a_part_with_global_attention_makes_the_reach_unknown(x, edge_index):
    model = SGFormer(6, 8, 3).eval()
    trace = traced(model, x, edge_index, torch.zeros(20, dtype=torch.long))
    assert trace.num_hops is None


def test_parameters_without_a_shape_are_refused():
    with pytest.raises(InputError, match=r"without a shape \(convs\.0.*one batch"):
        Trace(GCN(-1, 8, num_layers=2))


@pytest.mark.filterwarnings("ignore")
def test_a_compiled_model_runs_as_it_was_written(x, edge_index):
    model = GCN(6, 8, num_layers=2, out_channels=3).eval()
    expected = traced(model, x, edge_index)
    trace = traced(torch.compile(model, backend="eager"), x, edge_index)
    for layer, known in zip(trace.layers, expected.layers, strict=True):
        assert layer.name == f"_orig_mod.{known.name}"
        assert layer.norm == known.norm
    assert torch._C._len_torch_function_stack() == 0


def test_gauges_may_be_chosen(x, edge_index):
    model = GCN(6, 8, num_layers=2, out_channels=3).eval()
    with torch.no_grad(), Trace(model, gauges=["mean_cosine"]) as trace:
        model(x, edge_index)
    (first, _), (known, _) = trace.layers, traced(model, x, edge_index).layers
    assert first.mean_cosine == known.mean_cosine
    assert first.effective_rank is None
    assert first.undefined["effective_rank"] == "this gauge was not asked for"
    with pytest.raises(InputError, match="gauges: found 'cosine'; choose from"):
        Trace(model, gauges=["cosine"])
