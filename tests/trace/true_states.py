"""Readings against true states: what the tests of the trace share."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import nn
from torch_geometric.nn import GCN2Conv, GCNConv, GPSConv

from benthic.metrics import (
    effective_rank,
    mean_cosine_similarity,
    mean_norm,
)
from benthic.trace import Trace


class GCNII(nn.Module):
    def __init__(self):
        super().__init__()
        self.lin_in, self.lin_out = nn.Linear(6, 8), nn.Linear(8, 3)
        self.convs = nn.ModuleList(
            GCN2Conv(8, alpha=0.1, theta=0.5, layer=i + 1) for i in range(4)
        )

    def forward(self, x, edge_index):
        x = x_0 = self.lin_in(x).relu()
        self.states = []
        for conv in self.convs:
            x = conv(F.dropout(x, 0.5, self.training), x_0, edge_index).relu()
            self.states.append(x)
        return self.lin_out(x).log_softmax(-1)


class GraphTransformer(nn.Module):
    def __init__(self, **kwargs):
        super().__init__()
        self.lin = nn.Linear(6, 8)
        self.convs = nn.ModuleList(
            GPSConv(8, GCNConv(8, 8), heads=2, **kwargs) for _ in range(2)
        )
        self.head = nn.Linear(8, 3)

    def forward(self, x, edge_index):
        x = self.lin(x)
        self.states = []
        for conv in self.convs:
            x = conv(x, edge_index)
            self.states.append(x)
        return self.head(x)


def traced(model, *args, **kwargs):
    with torch.no_grad(), Trace(model) as trace:
        model(*args, **kwargs)
    return trace


def assert_reads(trace, expected):
    """The readings are those of these states, layer by layer."""
    assert [layer.name for layer in trace.layers] == list(expected)
    for layer, states in zip(trace.layers, expected.values(), strict=True):
        rows = states.detach().reshape(-1, states.size(-1))
        assert layer.num_nodes == rows.size(0)
        assert layer.channels == rows.size(1)
        assert layer.norm == pytest.approx(float(mean_norm(rows)), rel=1e-5)
        assert layer.mean_cosine == pytest.approx(
            float(mean_cosine_similarity(rows)), rel=1e-4, abs=1e-6
        )
        assert layer.effective_rank == pytest.approx(
            float(effective_rank(rows)), rel=1e-4
        )


def hooks_of(model):
    names = [
        "_forward_hooks",
        "_forward_hooks_with_kwargs",
        "_forward_hooks_always_called",
        "_forward_pre_hooks",
        "_forward_pre_hooks_with_kwargs",
        "_backward_hooks",
        "_backward_pre_hooks",
        "_propagate_forward_pre_hooks",
        "_propagate_forward_hooks",
        "_message_forward_hooks",
        "_aggregate_forward_hooks",
        "_edge_update_forward_hooks",
    ]
    of_modules = [
        len(getattr(module, name, ())) for module in model.modules() for name in names
    ]
    return of_modules + [len(p._backward_hooks or ()) for p in model.parameters()]


def state_of(model):
    return (
        hooks_of(model),
        [module.training for module in model.modules()],
        [None if p.grad is None else p.grad.clone() for p in model.parameters()],
        [p.clone() for p in model.parameters()],
        torch.get_rng_state(),
        torch._C._len_torch_function_stack(),
        torch.is_grad_enabled(),
    )


def assert_same(before, after):
    assert before[0] == after[0]
    assert before[1] == after[1]
    for a, b in zip(before[2], after[2], strict=True):
        assert (a is None and b is None) or torch.equal(a, b)
    assert all(map(torch.equal, before[3], after[3]))
    assert torch.equal(before[4], after[4])
    assert before[5:] == after[5:]
