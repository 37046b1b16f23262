"""Is dropped what should be, as often as it should, and in training only?"""

from __future__ import annotations

import copy
import gc
import io
import weakref
from collections import Counter

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch_geometric.nn import GCNConv
from torch_geometric.utils import scatter, to_undirected

from benthic.errors import InputError
from benthic.nn import drop as drop_file
from benthic.nn.drop import (
    DropEdge,
    DropMessage,
    DropNode,
    DropPath,
    EdgeDrop,
    SkipNode,
)
from benthic.nn.residual import Skip

EDGE_DROPS = {
    "DropEdge": DropEdge,
    "DropEdge, directed": lambda p: DropEdge(p, undirected=False),
    "DropPath": DropPath,
    "DropPath, directed": lambda p: DropPath(p, undirected=False),
}


@pytest.fixture(autouse=True)
def _seed():
    torch.manual_seed(0)


def some_graph(num_nodes: int = 40, num_edges: int = 100) -> torch.Tensor:
    ring = torch.stack([torch.arange(num_nodes), torch.arange(num_nodes).roll(-1)])
    return to_undirected(torch.cat([ring, torch.randint(num_nodes, (2, num_edges))], 1))


def propagation(edge_index: torch.Tensor, num_nodes: int) -> torch.Tensor:
    """GCN's operator of the graph that is left, as a matrix."""
    matrix = torch.zeros(num_nodes, num_nodes, dtype=torch.double)
    matrix[edge_index[0], edge_index[1]] = 1
    matrix.fill_diagonal_(1)
    root = matrix.sum(1).sqrt()
    return matrix / root[:, None] / root


def roughness(x: torch.Tensor, graph: torch.Tensor) -> float:
    """Rayleigh quotient of I - Â."""
    return float(1 - (x * (graph @ x)).sum() / x.square().sum())


# What they have in common


@pytest.mark.parametrize("make", EDGE_DROPS.values(), ids=EDGE_DROPS)
def test_an_edge_drop_keeps_all_edges_in_eval_and_at_p_0(make):
    edge_index = some_graph()
    state = torch.get_rng_state()

    for module in (make(0.0), make(0.7).eval()):
        keep = module(edge_index, 40)
        assert isinstance(module, EdgeDrop)
        assert keep.dtype == torch.bool
        assert keep.shape == (edge_index.size(1),)
        assert keep.all()
    assert torch.equal(torch.get_rng_state(), state)


@pytest.mark.parametrize("module", [DropNode(0.0), DropMessage(0.0)])
def test_the_others_return_what_they_got_in_eval_and_at_p_0(module):
    x = torch.randn(9, 4)

    assert module(x) is x
    assert type(module)(0.9).eval()(x) is x


@pytest.mark.parametrize(
    "make", [*EDGE_DROPS.values(), DropNode, DropMessage, SkipNode]
)
@pytest.mark.parametrize("p", [-0.1, 1.5, float("nan")])
def test_what_is_no_probability_is_refused(make, p):
    with pytest.raises(InputError, match=f"p: found {p}; give a probability from 0"):
        make(p)


@pytest.mark.parametrize("make", EDGE_DROPS.values(), ids=EDGE_DROPS)
def test_the_seed_alone_decides_what_is_dropped(make):
    edge_index, module = some_graph(), make(0.3)
    masks = []
    for seed in (1, 1, 2):
        torch.manual_seed(seed)
        masks.append(module(edge_index.clone(), 40))

    assert torch.equal(masks[0], masks[1])
    assert not torch.equal(masks[0], masks[2])


@pytest.mark.parametrize("make", EDGE_DROPS.values(), ids=EDGE_DROPS)
@pytest.mark.parametrize("p", [0.5, 1.0])
def test_a_graph_without_edges_loses_none(make, p):
    none = torch.empty(2, 0, dtype=torch.long)

    assert make(p)(none, 3).shape == (0,)
    assert make(p)(none, 0).shape == (0,)


@pytest.mark.parametrize("make", EDGE_DROPS.values(), ids=EDGE_DROPS)
def test_ten_seeds_that_are_trained_at_once_each_get_a_mask(make):
    edge_index, module = some_graph(), make(0.3)
    masks = torch.func.vmap(lambda _: module(edge_index, 40), randomness="different")(
        torch.zeros(10)
    )

    assert masks.shape == (10, edge_index.size(1))
    assert len(masks.unique(dim=0)) == 10


@pytest.mark.parametrize("module", [DropNode(0.3), DropMessage(0.3), SkipNode(0.3)])
def test_ten_seeds_that_are_trained_at_once_each_drop_something_else(module):
    def step(x: torch.Tensor) -> torch.Tensor:
        inputs = (x, [torch.zeros_like(x)]) if isinstance(module, Skip) else (x,)
        return module(*inputs)

    out = torch.func.vmap(step, randomness="different")(torch.ones(10, 50, 4))

    assert out.shape == (10, 50, 4)
    assert len(out.unique(dim=0)) == 10


@pytest.mark.parametrize("make", EDGE_DROPS.values(), ids=EDGE_DROPS)
def test_an_edge_drop_can_be_copied_and_saved_after_use(make):
    module = make(0.3)
    module(some_graph(), 40)
    torch.save(module, io.BytesIO())

    assert repr(copy.deepcopy(module)) == repr(module)
    assert "p=0.3" in repr(module)
    assert not module.state_dict()


# DropEdge


@pytest.mark.parametrize("undirected", [True, False])
@pytest.mark.parametrize("p", [0.2, 0.8])
def test_drop_edge_drops_the_share_p(p, undirected):
    edge_index = some_graph(1000, 20_000)
    edges = edge_index.size(1) // (2 if undirected else 1)
    keep = DropEdge(p, undirected=undirected)(edge_index, 1000)

    deviation = (p * (1 - p) / edges) ** 0.5
    assert keep.double().mean().item() == pytest.approx(1 - p, abs=5 * deviation)


def test_at_p_1_every_edge_is_dropped():
    assert not DropEdge(1.0)(some_graph(), 40).any()
    assert not DropEdge(1.0, undirected=False)(some_graph(), 40).any()


def test_undirected_drop_edge_leaves_an_undirected_graph_and_directed_does_not():
    edge_index = some_graph()
    for undirected in (True, False):
        keep = DropEdge(0.5, undirected=undirected)(edge_index, 40)
        left = set(map(tuple, edge_index[:, keep].T.tolist()))
        assert ({(j, i) for i, j in left} == left) is undirected


edge_lists = st.lists(
    st.tuples(st.integers(0, 4), st.integers(0, 4)), min_size=1, max_size=30
)


@settings(max_examples=100)
@given(edges=edge_lists, seed=st.integers(0, 1000))
def test_the_two_directions_share_their_fate_in_any_list_of_edges(edges, seed):
    # Loops, copies, edges in one direction only, in any order.
    torch.manual_seed(seed)
    edge_index = torch.tensor(edges).T
    found = drop_file._find_undirected(edge_index)

    copies, expected, seen = Counter(), {}, []
    for i, j in edges:
        name = (min(i, j), max(i, j), copies[i, j])
        copies[i, j] += 1
        seen.append(expected.setdefault(name, len(expected)))
    # The same edges belong together, whatever their numbers.
    assert len({*zip(seen, found.of.tolist(), strict=True)}) == len(expected)
    assert found.total == len(expected) == len(found.of.unique())

    keep = DropEdge(0.5)(edge_index, 5)
    fates = {}
    for edge, kept in zip(seen, keep.tolist(), strict=True):
        assert fates.setdefault(edge, kept) == kept


def test_each_edge_is_dropped_as_often_as_any_other():
    # A loop, an edge in one direction, a pair, and a pair listed twice.
    edge_index = torch.tensor([[0, 2, 1, 3, 4, 3, 4, 1], [0, 1, 3, 1, 3, 4, 3, 2]])
    module = DropEdge(0.3)
    kept = torch.stack([module(edge_index, 5) for _ in range(4000)]).double()

    assert kept.mean(0).tolist() == pytest.approx([0.7] * 8, abs=0.04)
    apart = np.corrcoef(kept[:, [0, 1, 2, 4, 6]].numpy().T) - np.eye(5)
    assert np.abs(apart).max() < 0.08
    assert torch.equal(kept[:, 2], kept[:, 3])
    assert torch.equal(kept[:, 4], kept[:, 5])
    assert torch.equal(kept[:, 1], kept[:, 7])


def test_a_graph_is_looked_at_once_for_all_layers_and_not_kept_alive(monkeypatch):
    looks = []
    find = drop_file._find_undirected
    monkeypatch.setattr(
        drop_file, "_find_undirected", lambda graph: looks.append(1) or find(graph)
    )
    layers, edge_index = [DropEdge(0.5) for _ in range(3)], some_graph()
    for _ in range(2):
        for layer in layers:
            layer(edge_index, 40)
    assert len(looks) == 1

    edge_index[:, 0] = 7  # edited in place: another graph
    layers[0](edge_index, 40)
    assert len(looks) == 2

    alive = weakref.ref(edge_index)
    del edge_index
    gc.collect()
    assert alive() is None


def test_a_graph_made_in_inference_mode_is_dropped_too():
    with torch.inference_mode():
        edge_index = some_graph()
        assert 0 < DropEdge(0.5)(edge_index, 40).sum() < edge_index.size(1)


def test_an_edit_of_a_graph_made_in_inference_mode_is_seen():
    with torch.inference_mode():
        edge_index = torch.tensor([[0, 1, 2, 3], [1, 0, 3, 2]])
        DropEdge(0.5)(edge_index, 4)
        edge_index.copy_(torch.tensor([[0, 2, 1, 3], [1, 3, 0, 2]]))
        for _ in range(20):
            kept = DropEdge(0.5)(edge_index, 4).tolist()
            assert kept[:2] == kept[2:]


def test_drop_edge_slows_the_convergence_of_smoothing():
    edge_index, drop = some_graph(), DropEdge(0.6)
    graph = propagation(edge_index, 40)
    start = torch.randn(40, 8, dtype=torch.double)
    plain, dropped = start, start
    for _ in range(8):
        plain = graph @ plain
        left = edge_index[:, drop(edge_index, 40)]
        dropped = propagation(left, 40) @ dropped

    assert roughness(dropped, graph) > 3 * roughness(plain, graph)


# DropPath


def test_drop_path_drops_the_stretch_that_each_walk_goes_along():
    # On a one-way road a walk has no choice.
    road = torch.stack([torch.arange(99), torch.arange(1, 100)])
    for seed in range(20):
        torch.manual_seed(seed)
        begins = torch.rand(100) < 0.1  # the draw that the module makes first
        torch.manual_seed(seed)
        keep = DropPath(0.1, walk_length=3)(road, 100)

        walked = torch.zeros(99, dtype=torch.bool)
        for begin in begins.nonzero().flatten().tolist():
            walked[begin : begin + 3] = True
        assert torch.equal(keep, ~walked)


def test_walks_of_one_step_go_to_each_neighbor_alike():
    star = torch.stack([torch.zeros(4, dtype=torch.long), torch.arange(1, 5)])
    star = star[:, [2, 0, 3, 1]]
    module = DropPath(1.0, walk_length=1)
    dropped = torch.stack([~module(star, 5) for _ in range(2000)])

    assert (dropped.sum(1) == 1).all()
    assert dropped.double().mean(0).tolist() == pytest.approx([0.25] * 4, abs=0.05)


@pytest.mark.parametrize("undirected", [True, False])
def test_what_drop_path_drops_hangs_together_where_drop_edge_scatters(undirected):
    # MaskGAE's claim: a path is masked, not edges here and there.
    edge_index = to_undirected(
        torch.stack([torch.arange(2000), torch.arange(2000).roll(-1)])
    )
    path = DropPath(0.03, walk_length=8, undirected=undirected)
    dropped = edge_index[:, ~path(edge_index, 2000)]
    share = dropped.size(1) / edge_index.size(1)
    scattered = edge_index[:, ~DropEdge(share)(edge_index, 2000)]

    def touching(edges: torch.Tensor) -> float:
        ends = {tuple(sorted(edge)) for edge in edges.T.tolist()}
        degree = Counter(node for edge in ends for node in edge)
        return float(np.mean([max(degree[i], degree[j]) > 1 for i, j in ends]))

    assert touching(dropped) > touching(scattered) + 0.3


def test_undirected_drop_path_drops_both_directions():
    edge_index = some_graph()
    keep = DropPath(0.3)(edge_index, 40)
    left = set(map(tuple, edge_index[:, keep].T.tolist()))

    assert 0 < len(left) < edge_index.size(1)
    assert {(j, i) for i, j in left} == left


def test_more_walks_and_longer_walks_drop_more():
    edge_index = some_graph(500, 2000)
    shares = [
        (~DropPath(0.2, walks, length)(edge_index, 500)).double().mean().item()
        for walks, length in ((1, 1), (1, 3), (4, 3))
    ]
    assert shares == sorted(shares)
    assert shares[0] < shares[2] / 3


def test_walks_end_where_no_edge_leads_on_and_isolated_nodes_take_none():
    edge_index = torch.tensor([[1, 0], [0, 3]])

    assert not DropPath(1.0, walk_length=9)(edge_index, 50).any()


@pytest.mark.parametrize("name", ["walks_per_node", "walk_length"])
def test_walks_of_no_length_are_refused(name):
    with pytest.raises(InputError, match=f"{name}: found 0; give a whole number, 1"):
        DropPath(**{name: 0})


# DropNode


def test_drop_node_silences_whole_rows_and_scales_up_the_rest():
    x = torch.randn(20_000, 4)
    out = DropNode(0.3)(x)
    silent = (out == 0).all(dim=1)

    assert silent.double().mean().item() == pytest.approx(0.3, abs=0.02)
    torch.testing.assert_close(out[~silent], x[~silent] / 0.7, rtol=1e-4, atol=0)
    assert not DropNode(1.0)(x).any()


def test_drop_node_asks_of_each_node_not_to_rest_on_one_neighbor():
    # GRAND: in expectation the propagation is as without; the rest is a variance of
    # p / (1 - p) sum_j A_ij^2 x_j^2, so that one heavy neighbor is what costs most.
    graph = propagation(some_graph(), 40)
    x = torch.randn(40, 2, dtype=torch.double)
    module = DropNode(0.4)
    draws = torch.stack([graph @ module(x) for _ in range(4000)])

    expected = 0.4 / 0.6 * (graph.square() @ x.square())
    torch.testing.assert_close(draws.mean(0), graph @ x, rtol=0, atol=0.05)
    torch.testing.assert_close(draws.var(0), expected, rtol=0.15, atol=1e-3)


@pytest.mark.parametrize("shape", [(7,), (7, 2, 3), (0, 4)])
def test_drop_node_takes_rows_of_any_shape(shape):
    assert DropNode(0.5)(torch.ones(shape)).shape == shape


def test_a_dropped_node_is_silent_in_every_frame():
    x = DropNode(0.5)(torch.ones(3, 200, 4))
    assert torch.equal(x[0, :, :1].expand(3, 200, 4), x)
    assert x.unique().tolist() == [0.0, 2.0]


# DropMessage


def test_drop_message_disturbs_a_sum_of_messages_less_than_the_others():
    # The paper's theorem on sample variance, for the sum of the message matrix.
    p, edge_index = 0.5, some_graph(20, 30)
    x = torch.rand(20, 4)
    messages = x[edge_index[0]]  # [E, C]
    message, node = DropMessage(p), DropNode(p)
    edge = DropEdge(p, undirected=False)
    draws = {
        "message": lambda: message(messages),
        "edge": lambda: messages * edge(edge_index, 20)[:, None] / (1 - p),
        "node": lambda: node(x)[edge_index[0]],
    }
    sums = {
        name: torch.stack([draw().sum() for _ in range(2000)])
        for name, draw in draws.items()
    }

    for values in sums.values():  # all unbiased
        error = 5 * float(values.std()) / 2000**0.5
        assert values.mean().item() == pytest.approx(messages.sum().item(), abs=error)
    factor = p / (1 - p)
    by_node = scatter(messages.sum(1), edge_index[0])
    exact = {
        "message": factor * messages.square().sum().item(),
        "edge": factor * messages.sum(1).square().sum().item(),
        "node": factor * by_node.square().sum().item(),
    }
    for name, values in sums.items():
        assert values.var().item() == pytest.approx(exact[name], rel=0.2)
    assert exact["message"] < exact["edge"] < exact["node"]


def test_drop_message_is_hung_on_a_layer_and_follows_its_mode():
    class Model(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv, self.drop = GCNConv(3, 3), DropMessage(0.5)
            self.conv.register_message_forward_hook(lambda _, inputs, m: self.drop(m))

    model, x, edge_index = Model(), torch.randn(40, 3), some_graph()
    plain = GCNConv(3, 3)
    plain.load_state_dict(model.conv.state_dict())

    assert not torch.equal(model.conv(x, edge_index), model.conv(x, edge_index))
    model.eval()
    assert torch.equal(model.conv(x, edge_index), plain(x, edge_index))


def test_drop_message_drops_numbers_not_rows():
    out = DropMessage(0.5)(torch.ones(1000, 8))

    assert out.unique().tolist() == [0, 2]
    assert (out == 0).double().mean().item() == pytest.approx(0.5, abs=0.04)
    assert ((out == 0).any(1) & (out != 0).any(1)).double().mean() > 0.9
    assert not DropMessage(1.0)(torch.ones(5, 2)).any()


# SkipNode


def test_skip_node_lets_whole_rows_keep_the_state_before():
    first, last, h = (torch.full((20_000, 3), v) for v in (0.0, 1.0, 2.0))
    module = SkipNode(0.3)
    out = module(h, [first, last], some_graph())
    skipped = (out == 1).all(dim=1)

    assert isinstance(module, Skip)
    assert torch.equal(out, torch.where(skipped[:, None], last, h))
    assert skipped.double().mean().item() == pytest.approx(0.3, abs=0.02)


def test_skip_node_takes_all_of_the_branch_in_eval_and_none_at_p_1():
    x, h = torch.randn(9, 3), torch.randn(9, 3)

    assert SkipNode(0.5).eval()(h, [x]) is h
    assert SkipNode(0.0)(h, [x]) is h
    assert torch.equal(SkipNode(1.0)(h, [x]), x)


def test_skip_node_smooths_more_slowly_and_lets_the_gradient_through():
    graph = propagation(some_graph(), 40)
    start = torch.randn(40, 8, dtype=torch.double)
    weights = [0.5 * torch.eye(8, dtype=torch.double) for _ in range(12)]
    module, outs, gradients = SkipNode(0.5), [], []
    for skip in (False, True):
        x = first = start.clone().requires_grad_()
        for weight in weights:
            h = graph @ x @ weight
            x = module(h, [x]) if skip else h
        outs.append(x.detach())
        gradients.append(torch.autograd.grad(x.sum(), first)[0].norm().item())

    assert roughness(outs[1], graph) > 3 * roughness(outs[0], graph)
    assert gradients[1] > 10 * gradients[0]
