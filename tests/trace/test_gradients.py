"""Gradient norms are those of the parameters, and none is a reason."""

from __future__ import annotations

import pytest
import torch
from torch_geometric.nn import (
    GCN,
    GCNConv,
    Sequential,
)

from benthic.trace import Trace


def test_gradient_norms_are_those_of_the_parameters(x, edge_index):
    model = GCN(6, 8, num_layers=3, out_channels=3)
    with Trace(model) as trace:
        loss = model(x, edge_index).square().mean()
        grads = torch.autograd.grad(loss, list(model.parameters()))
    assert all(p.grad is None for p in model.parameters()), "the trace reads no .grad"
    by_parameter = dict(zip(model.parameters(), grads, strict=True))
    for i, layer in enumerate(trace.layers):
        squares = [by_parameter[p].square().sum() for p in model.convs[i].parameters()]
        assert layer.gradient_norm == pytest.approx(float(sum(squares)) ** 0.5)
        weight = model.convs[i].lin.weight
        assert layer.weight_norm == pytest.approx(float(weight.detach().norm()))


def test_state_gradients_are_those_of_the_stream(x, edge_index):
    model = GCN(6, 8, num_layers=2, out_channels=3)
    with Trace(model) as trace:
        model(x, edge_index).square().mean().backward()
    h = model.convs[0](x, edge_index).relu()
    out = model.convs[1](h, edge_index)
    grads = torch.autograd.grad(out.square().mean(), [h, out])
    norms = [layer.state_gradient_norm for layer in trace.layers]
    assert norms == pytest.approx([float(grad.norm()) for grad in grads])


def test_two_backward_passes_give_the_root_of_the_mean_square(x, edge_index):
    model = GCN(6, 8, num_layers=2, out_channels=3)
    with Trace(model) as trace:
        for scale in (1.0, 7.0):
            (scale * model(x, edge_index).sum()).backward()
    with Trace(model) as once:
        model(x, edge_index).sum().backward()
    for both, one in zip(trace.layers, once.layers, strict=True):
        assert both.gradient_norm == pytest.approx(5.0 * one.gradient_norm, rel=1e-5)
        assert both.state_gradient_norm == pytest.approx(
            5.0 * one.state_gradient_norm, rel=1e-5
        )


def test_a_parameter_used_thrice_has_one_gradient(x, edge_index):
    conv = GCNConv(6, 6)
    model = Sequential("x, e", [(conv, "x, e -> x"), (conv, "x, e -> x")])
    with Trace(model) as trace:
        model(x, edge_index).sum().backward()
    expected = sum(float(p.grad.square().sum()) for p in conv.parameters()) ** 0.5
    assert [layer.gradient_norm for layer in trace.layers] == pytest.approx(
        [expected, expected]
    )


def test_missing_gradients_have_a_reason(x, edge_index):
    model = GCN(6, 8, num_layers=2, out_channels=3)
    model.convs[0].requires_grad_(False)
    with Trace(model) as trace:
        out = model(x, edge_index)
    assert [layer.gradient_norm for layer in trace.layers] == [None, None]
    reasons = [layer.undefined["gradient_norm"] for layer in trace.layers]
    assert reasons == [
        "the layer's parameters are frozen",
        "there was no backward pass",
    ]
    assert all("backward" in x.undefined["state_gradient_norm"] for x in trace.layers)
    with Trace(model) as trace:
        out = model(x, edge_index)
        (out.sum() * float("nan")).backward()
    assert trace.layers[1].gradient_norm is None
    assert "NaN" in trace.layers[1].undefined["gradient_norm"]
    assert "NaN" in trace.layers[1].undefined["state_gradient_norm"]
