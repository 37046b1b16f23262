"""Sums with learned weights are those over the edges, and so is every derivative."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from tests import every_derivative

from benthic.errors import InputError
from benthic.nn.attention import AttentionGraph, attend


def random_graph(size, edges, heads, channels, seed=0):
    """Edges with repetitions, their weights, and the states of the sources."""
    generator = torch.Generator().manual_seed(seed)
    num_targets, num_sources = size
    edge_index = torch.stack(
        [
            torch.randint(0, max(num_sources, 1), (edges,), generator=generator),
            torch.randint(0, max(num_targets, 1), (edges,), generator=generator),
        ]
    )
    weight = torch.randn(edges, heads, generator=generator, dtype=torch.float64)
    x = torch.randn(
        num_sources, heads, channels, generator=generator, dtype=torch.float64
    )
    return edge_index, weight, x


def one_by_one(edge_index, weight, x, num_targets):
    out = x.new_zeros(num_targets, *x.shape[1:])
    for (source, target), by_head in zip(edge_index.t(), weight, strict=True):
        for head, value in enumerate(by_head):
            out[target, head] += value * x[source, head]
    return out


@pytest.mark.parametrize(
    ("size", "edges"),
    [((6, 6), 20), ((3, 8), 30), ((8, 3), 5), ((4, 4), 0), ((0, 0), 0)],
)
@pytest.mark.parametrize(("heads", "channels"), [(1, 4), (3, 2), (8, 1)])
def test_messages_add_up_edge_by_edge(size, edges, heads, channels):
    edge_index, weight, x = random_graph(size, edges, heads, channels)
    graph = AttentionGraph(edge_index, size, heads)
    expected = one_by_one(edge_index, weight, x, size[0])
    torch.testing.assert_close(attend(graph, weight, x), expected)


@pytest.mark.parametrize(("heads", "channels"), [(1, 3), (2, 2)])
def test_every_derivative_is_that_of_finite_differences(heads, channels):
    edge_index, weight, x = random_graph((3, 4), 7, heads, channels)
    graph = AttentionGraph(edge_index, (3, 4), heads)
    weight.requires_grad_(), x.requires_grad_()
    assert every_derivative.is_right(
        lambda weight, x: attend(graph, weight, x), weight, x
    )


@pytest.mark.parametrize("constant", ["weight", "x"])
def test_what_asks_for_no_gradient_gets_none(constant):
    edge_index, weight, x = random_graph((3, 4), 7, 2, 2)
    graph = AttentionGraph(edge_index, (3, 4), 2)
    free = {"weight": x, "x": weight}[constant].requires_grad_()
    attend(graph, weight, x).square().sum().backward()
    assert free.grad is not None
    assert {"weight": weight, "x": x}[constant].grad is None


@pytest.mark.parametrize("in_dims", [(0, None), (None, 0), (1, 2)])
def test_a_batch_is_its_members(in_dims):
    edge_index, weight, x = random_graph((3, 4), 7, 2, 2)
    graph = AttentionGraph(edge_index, (3, 4), 2)
    members = [
        (
            weight * (1 if in_dims[0] is None else n),
            x + (0 if in_dims[1] is None else n),
        )
        for n in (1, 2, 3)
    ]
    batch = [
        parts[0] if dim is None else torch.stack(parts, dim)
        for parts, dim in zip(zip(*members, strict=True), in_dims, strict=True)
    ]
    out = torch.func.vmap(lambda *one: attend(graph, *one), in_dims=in_dims)(*batch)
    torch.testing.assert_close(
        out, torch.stack([attend(graph, *each) for each in members])
    )


@settings(max_examples=25)
@given(seed=st.integers(0, 999), nodes=st.integers(1, 9), edges=st.integers(0, 20))
def test_relabelled_nodes_give_relabelled_sums(seed, nodes, edges):
    edge_index, weight, x = random_graph((nodes, nodes), edges, 2, 2, seed)
    order = torch.randperm(nodes, generator=torch.Generator().manual_seed(seed))
    out = attend(AttentionGraph(edge_index, (nodes, nodes), 2), weight, x)
    moved = AttentionGraph(order.argsort()[edge_index], (nodes, nodes), 2)
    torch.testing.assert_close(attend(moved, weight, x[order]), out[order])


@settings(max_examples=25)
@given(seed=st.integers(0, 999), edges=st.integers(1, 20))
def test_reordered_edges_give_the_same_sums(seed, edges):
    edge_index, weight, x = random_graph((4, 5), edges, 2, 2, seed)
    order = torch.randperm(edges, generator=torch.Generator().manual_seed(seed))
    out = attend(AttentionGraph(edge_index, (4, 5), 2), weight, x)
    moved = AttentionGraph(edge_index[:, order], (4, 5), 2)
    torch.testing.assert_close(attend(moved, weight[order], x), out)


def test_no_message_is_stored_for_the_backward_pass():
    edge_index, weight, x = random_graph((5, 5), 100, 2, 3)
    graph = AttentionGraph(edge_index, (5, 5), 2)
    weight.requires_grad_(), x.requires_grad_()
    saved = []
    with torch.autograd.graph.saved_tensors_hooks(
        lambda x: saved.append(x) or x, lambda x: x
    ):
        attend(graph, weight, x)
    assert {tensor.data_ptr() for tensor in saved} == {weight.data_ptr(), x.data_ptr()}


def test_a_graph_first_met_under_inference_mode_serves_a_pass_that_trains():
    edge_index, weight, x = random_graph((5, 5), 12, 2, 3)
    graph = AttentionGraph(edge_index, (5, 5), 2)
    with torch.inference_mode():
        attend(graph, weight, x)
        assert graph.transposed is graph.transposed
    weight.requires_grad_(), x.requires_grad_()
    attend(graph, weight, x).sum().backward()
    assert x.grad.abs().sum() > 0


@pytest.mark.parametrize("edge", [(-1, 0), (4, 0), (0, 3), (0, -1)])
def test_edges_of_nodes_that_are_not_there_are_refused(edge):
    with pytest.raises(InputError, match="4 sources and 3 targets"):
        AttentionGraph(torch.tensor(edge).unsqueeze(1), (3, 4), 2)
