"""A cached product is the sum over edges, and the cache never gives a stale graph."""

from __future__ import annotations

import copy
import gc
import pickle
import warnings

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from tests import every_derivative
from torch.autograd import gradgradcheck

from benthic.errors import InputError
from benthic.nn import propagation
from benthic.nn.propagation import Adjacency, GraphCache, compressed, propagate
from benthic.nn.torch_func import is_wrapped

EMPTY = torch.zeros(2, 0, dtype=torch.int64)


def random_graph(num_targets, num_sources, edges, seed=0):
    generator = torch.Generator().manual_seed(seed)
    source = torch.randint(0, num_sources, (edges,), generator=generator)
    target = torch.randint(0, num_targets, (edges,), generator=generator)
    weight = torch.randn(edges, generator=generator, dtype=torch.float64)
    return torch.stack([source, target]), weight


def dense(edge_index, edge_weight, size):
    matrix = torch.zeros(size, dtype=edge_weight.dtype)
    for (source, target), weight in zip(edge_index.t(), edge_weight, strict=True):
        matrix[target, source] += weight
    return matrix


@pytest.mark.parametrize(
    ("size", "edges"), [((6, 6), 20), ((3, 8), 30), ((8, 3), 5), ((4, 4), 0)]
)
def test_it_is_the_dense_product_with_isolated_nodes_and_repeated_edges(size, edges):
    edge_index, weight = random_graph(*size, edges)
    x = torch.randn(size[1], 4, dtype=torch.float64)
    graph = Adjacency(edge_index, weight, size)
    expected = dense(edge_index, weight, size)
    torch.testing.assert_close(propagate(graph, x), expected @ x)
    torch.testing.assert_close(graph.transposed.to_dense(), expected.t())


@pytest.mark.parametrize(("size", "edges"), [((6, 4), 20), ((3, 8), 0), ((0, 0), 0)])
def test_off_the_cpu_torch_makes_the_same_matrix(size, edges, monkeypatch):
    edge_index, weight = (
        random_graph(*size, edges) if edges else (EMPTY, EMPTY[0].double())
    )
    graph = Adjacency(edge_index, weight, size)
    monkeypatch.setattr(propagation, "_by_scipy", propagation._by_torch)
    other = Adjacency(edge_index, weight, size)
    for one, two in (
        (graph.matrix, other.matrix),
        (graph.transposed, other.transposed),
    ):
        assert one.crow_indices().dtype == two.crow_indices().dtype == torch.int32
        assert torch.equal(one.crow_indices(), two.crow_indices())
        assert torch.equal(one.col_indices(), two.col_indices())
        torch.testing.assert_close(one.values(), two.values())


def test_duplicate_edges_add_up():
    graph = Adjacency(torch.tensor([[0, 0], [1, 1]]), torch.tensor([1.0, 2.0]), (2, 2))
    assert propagate(graph, torch.ones(2, 1)).flatten().tolist() == [0, 3]


def test_every_derivative_is_that_of_finite_differences():
    graph = Adjacency(*random_graph(3, 5, 9), (3, 5))
    x = torch.randn(5, 2, dtype=torch.float64, requires_grad=True)
    assert every_derivative.is_right(lambda x: propagate(graph, x), x)


def test_states_of_any_layout_are_taken():
    graph = Adjacency(*random_graph(5, 5, 9), (5, 5))
    x = torch.randn(4, 5, dtype=torch.float64).t()
    torch.testing.assert_close(propagate(graph, x), graph.matrix.to_dense() @ x)


@pytest.mark.parametrize("channels", [3, 16])
@pytest.mark.parametrize("dim", [0, 1, 2])
def test_a_batch_is_its_members_with_gradients(channels, dim):
    graph = Adjacency(*random_graph(4, 5, 12), (4, 5))
    members = torch.randn(3, 5, channels, dtype=torch.float64)
    batch = members.movedim(0, dim).requires_grad_()
    out = torch.func.vmap(lambda x: propagate(graph, x), in_dims=dim)(batch)
    expected = torch.stack([propagate(graph, x) for x in members])
    torch.testing.assert_close(out, expected)
    (grad,) = torch.autograd.grad(out.square().sum(), batch)
    twin = batch.detach().requires_grad_()
    matrix = graph.matrix.to_dense()
    (by_hand,) = torch.autograd.grad(
        (matrix @ twin.movedim(dim, 0)).square().sum(), twin
    )
    torch.testing.assert_close(grad, by_hand)


def test_gradients_inside_a_batch_are_those_of_its_members():
    graph = Adjacency(*random_graph(5, 5, 12), (5, 5))
    batch = torch.randn(3, 5, 2, dtype=torch.float64)
    grad = torch.func.grad(lambda x: propagate(graph, x).square().sum())
    torch.testing.assert_close(
        torch.func.vmap(grad)(batch), torch.stack([grad(x) for x in batch])
    )


@settings(max_examples=25)
@given(seed=st.integers(0, 999), nodes=st.integers(1, 9), edges=st.integers(0, 20))
def test_relabelled_nodes_give_relabelled_sums(seed, nodes, edges):
    edge_index, weight = random_graph(nodes, nodes, edges, seed)
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(nodes, 2, generator=generator, dtype=torch.float64)
    order = torch.randperm(nodes, generator=generator)
    place = order.argsort()
    out = propagate(Adjacency(edge_index, weight, (nodes, nodes)), x)
    moved = Adjacency(place[edge_index], weight, (nodes, nodes))
    torch.testing.assert_close(propagate(moved, x[order]), out[order])


def test_no_graph_is_copied_into_the_tape():
    graph = Adjacency(*random_graph(5, 5, 12), (5, 5))
    saved = []
    with torch.autograd.graph.saved_tensors_hooks(saved.append, lambda x: x):
        propagate(graph, torch.randn(5, 2, dtype=torch.float64, requires_grad=True))
    assert saved == []


def test_making_a_matrix_warns_of_nothing():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        compressed(torch.tensor([0, 1]), torch.tensor([0]), torch.ones(1), (1, 1))


def test_making_a_matrix_lets_the_warnings_of_others_be_shown_once():
    rows, columns = torch.tensor([0, 1]), torch.tensor([0])
    with warnings.catch_warnings(record=True) as shown:
        warnings.simplefilter("default")
        for _ in range(3):
            warnings.warn("look", stacklevel=1)
            compressed(rows, columns, torch.ones(1), (1, 1))
    assert len(shown) == 1


@pytest.fixture
def graph():
    return torch.tensor([[0, 1], [1, 0]])


class Counter:
    """Makes something, and counts how often."""

    def __init__(self):
        self.made = 0

    def __call__(self):
        self.made += 1
        return self.made


def test_what_is_made_inside_a_transform_serves_outside(graph):
    cache = GraphCache()

    def loss(x):
        made = cache.get(graph, None, "weights", lambda: torch.ones(graph.size(1)) * 2)
        return (made.sum() * x).sum()

    torch.func.grad(loss)(torch.ones(3))
    made = cache.get(graph, None, "weights", lambda: 1 / 0)
    assert not is_wrapped(made)
    assert made.tolist() == [2.0] * graph.size(1)


def test_of_edges_that_a_transform_follows_nothing_is_kept():
    cache = GraphCache()

    def count(edge_index):
        return cache.get(edge_index, None, "sum", lambda: edge_index.sum())

    edges = torch.arange(12).view(3, 2, 2)
    assert torch.func.vmap(count)(edges).tolist() == [6, 22, 38]
    assert not cache._entries


def test_the_same_graph_is_made_once_and_another_again(graph):
    cache, make = GraphCache(), Counter()
    weight = torch.ones(2)
    assert cache.get(graph, None, "a", make) == 1
    assert cache.get(graph, None, "a", make) == 1
    assert cache.get(graph, weight, "a", make) == 2
    assert cache.get(graph, None, "b", make) == 3
    assert cache.get(graph.clone(), None, "a", make) == 4
    assert cache.get(graph, weight, "a", make) == 2


def test_a_graph_written_to_in_place_is_made_anew(graph):
    cache, make = GraphCache(), Counter()
    weight = torch.ones(2)
    assert cache.get(graph, weight, "a", make) == 1
    graph[0, 0] = 1
    assert cache.get(graph, weight, "a", make) == 2
    weight.mul_(2)
    assert cache.get(graph, weight, "a", make) == 3


def test_a_write_that_torch_does_not_count_is_not_seen(graph):
    """A limit: to see it would take a copy of every graph."""
    cache, made = GraphCache(), []
    for _ in range(2):
        cache.get(graph, None, "one", lambda: made.append(1))
        graph.data.add_(1)
    assert made == [1]


def test_a_graph_that_is_gone_is_forgotten_and_never_mistaken(graph):
    cache, make = GraphCache(), Counter()
    for expected in range(1, 20):  # a new tensor often gets the old one's address
        other = graph + 0
        assert cache.get(other, None, "a", make) == expected
        del other
        gc.collect()
    assert len(cache._entries) == 0


def test_what_depends_on_a_forgotten_graph_goes_with_it():
    cache, graph = GraphCache(), torch.tensor([[0, 1], [1, 0]])
    made = cache.get(graph, None, "normalized", lambda: graph + 0)
    cache.get(made, None, "matrix", lambda: 1)
    del made, graph
    gc.collect()
    assert len(cache._entries) == 0


def test_the_least_recently_used_graph_makes_room(graph):
    cache, make = GraphCache(capacity=2), Counter()
    for flavor in ("a", "b", "a", "c"):
        cache.get(graph, None, flavor, make)
    assert make.made == 3
    assert cache.get(graph, None, "a", make) == 1
    assert cache.get(graph, None, "b", make) == 4


@pytest.mark.parametrize(
    "clone", [copy.deepcopy, lambda cache: pickle.loads(pickle.dumps(cache))]
)
def test_a_copy_begins_empty(clone, graph):
    cache, make = GraphCache(capacity=3), Counter()
    cache.get(graph, None, "a", make)
    twin = clone(cache)
    assert twin.capacity == 3
    assert twin.get(graph, None, "a", make) == 2


def test_layers_that_shared_a_cache_share_its_copy():
    cache = GraphCache()
    one, two = copy.deepcopy([cache, cache])
    assert one is two


def test_a_dead_cache_is_not_called_back():
    cache, graph = GraphCache(), torch.tensor([[0, 1], [1, 0]])
    cache.get(graph, None, "a", Counter())
    del cache
    gc.collect()
    del graph


def test_nothing_is_kept_of_tensors_of_inference_mode_whose_writes_are_not_counted():
    cache, make = GraphCache(), Counter()
    with torch.inference_mode():
        weight = torch.ones(2)
        for expected in (1, 2):
            assert cache.get(torch.tensor([[0], [1]]), None, "a", make) == expected
    assert cache.get(torch.tensor([[0], [1]]), weight, "a", make) == 3
    assert len(cache._entries) == 0


def test_what_an_inference_pass_leaves_behind_can_be_trained_with(graph):
    cache = GraphCache()
    with torch.inference_mode():
        made = cache.get(graph, None, "a", lambda: torch.ones(2) * 2)
    assert not made.is_inference()
    assert not made.requires_grad


def test_a_gradient_taken_under_inference_mode_leaves_a_matrix_to_train_with():
    adjacency = Adjacency(*random_graph(5, 5, 12), (5, 5))
    x = torch.randn(5, 2, dtype=torch.float64, requires_grad=True)
    out = propagate(adjacency, x).sum()
    with torch.inference_mode():
        torch.autograd.grad(out, x)
    assert not adjacency.transposed.is_inference()
    assert gradgradcheck(lambda x: propagate(adjacency, x).square(), x)


@pytest.mark.parametrize("edge", [(-1, 0), (4, 0), (1000, 0), (0, -1), (0, 3)])
def test_an_edge_of_a_node_that_is_not_there_is_refused(edge):
    edge_index = torch.tensor([[0, 3, edge[0]], [2, 0, edge[1]]])
    with pytest.raises(InputError, match="other than 4 sources and 3 targets"):
        Adjacency(edge_index, torch.ones(3), (3, 4))
