"""Does each norm do what its paper says it does?"""

from __future__ import annotations

import copy
from functools import partial

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.nn.norm.operators import row_stochastic, some_graph, symmetric
from torch import nn

from benthic.nn.norm import (
    BatchNorm,
    ContraNorm,
    DiffGroupNorm,
    GraphNorm,
    GraphNormv2,
    GraphSizeNorm,
    InstanceNorm,
    LayerNorm,
    MeanSubtractionNorm,
    NodeNorm,
    PairNorm,
    make_norm,
)

# What a user may type, each as it is typed.
NORMS = {
    "BatchNorm": BatchNorm,
    "ContraNorm": ContraNorm,
    "DiffGroupNorm": DiffGroupNorm,
    "GraphNorm": GraphNorm,
    "GraphNormv2": GraphNormv2,
    "GraphSizeNorm": GraphSizeNorm,
    "InstanceNorm": InstanceNorm,
    "LayerNorm": LayerNorm,
    "LayerNorm over rows": partial(LayerNorm, mode="node"),
    "MeanSubtractionNorm": MeanSubtractionNorm,
    "NodeNorm": NodeNorm,
    "PairNorm": PairNorm,
    "PairNorm-SI": partial(PairNorm, scale_individually=True),
}

# Those that keep the graphs of a batch apart.
PER_GRAPH = [n for n in NORMS if n not in ("BatchNorm", "DiffGroupNorm")]


def total_pairwise_squared_distance(x: torch.Tensor) -> float:
    return float(torch.cdist(x, x).square().sum())


@pytest.mark.parametrize("norm", NORMS.values(), ids=NORMS)
def test_each_norm_is_made_for_a_width_as_it_is_typed(norm):
    module = make_norm(norm, 6)
    x = torch.randn(20, 6, requires_grad=True)

    out = module(x)

    assert out.shape == (20, 6)
    out.square().sum().backward()
    assert x.grad.isfinite().all()


# What all norms of nodes have in common


@settings(max_examples=5)
@given(seed=st.integers(0, 1000))
@pytest.mark.parametrize("norm", NORMS.values(), ids=NORMS)
def test_numbering_the_nodes_otherwise_changes_nothing_else(norm, seed):
    torch.manual_seed(seed)
    module = make_norm(norm, 5).double()
    x, order = torch.randn(17, 5, dtype=torch.double), torch.randperm(17)

    torch.testing.assert_close(module(x[order]), module(x)[order])


@pytest.mark.parametrize("name", PER_GRAPH)
@pytest.mark.parametrize("shuffle", [False, True])
def test_a_batch_of_graphs_is_normalized_graph_by_graph(name, shuffle):
    module = make_norm(NORMS[name], 5).double()
    graphs = [torch.randn(size, 5, dtype=torch.double) for size in (4, 1, 9)]
    batch = torch.repeat_interleave(torch.arange(3), torch.tensor([4, 1, 9]))
    order = torch.randperm(14) if shuffle else torch.arange(14)

    together = module(torch.cat(graphs)[order], batch[order])

    apart = torch.cat(
        [module(graph, torch.zeros_like(graph[:, 0]).long()) for graph in graphs]
    )
    torch.testing.assert_close(together, apart[order])


@pytest.mark.parametrize("name", ["ContraNorm", "GraphNormv2", "NodeNorm"])
def test_the_gradient_of_our_norms_is_right(name):
    module = make_norm(NORMS[name], 3).double()
    x = torch.randn(6, 3, dtype=torch.double, requires_grad=True)
    batch = torch.tensor([0, 0, 1, 1, 1, 1])

    assert torch.autograd.gradcheck(module, (x,))
    assert torch.autograd.gradcheck(lambda x: module(x, batch), (x,))


@pytest.mark.parametrize("name", ["ContraNorm", "GraphNormv2", "NodeNorm"])
def test_our_norms_can_be_saved_copied_and_evaluated(name):
    module = make_norm(NORMS[name], 3)
    other = make_norm(NORMS[name], 3)
    other.load_state_dict(module.state_dict())
    x = torch.randn(6, 3)

    assert torch.equal(module(x), copy.deepcopy(other).eval()(x))
    assert module(x[:0]).shape == (0, 3)


@pytest.mark.parametrize("name", ["GraphNormv2", "NodeNorm", "PairNorm"])
def test_ten_seeds_are_normalized_at_once_as_one_by_one(name):
    module = make_norm(NORMS[name], 3)
    x = torch.randn(10, 6, 3)

    together = torch.func.vmap(module)(x)

    torch.testing.assert_close(together, torch.stack([module(one) for one in x]))


# PyG's norms, one test for each paper: its own claim, on a small case


def test_batch_norm_gives_each_channel_mean_0_and_variance_1():
    out = BatchNorm(4)(5 + 3 * torch.randn(500, 4))

    torch.testing.assert_close(out.mean(0), torch.zeros(4), atol=1e-5, rtol=0)
    torch.testing.assert_close(out.var(0, correction=0), torch.ones(4))


def test_instance_norm_gives_each_channel_of_each_graph_mean_0_and_variance_1():
    x, batch = torch.randn(60, 4), torch.arange(60) % 2
    x[batch == 1] = 100 + 7 * x[batch == 1]

    out = InstanceNorm(4)(x, batch)

    for graph in (out[batch == 0], out[batch == 1]):
        torch.testing.assert_close(graph.mean(0), torch.zeros(4), atol=1e-4, rtol=0)
        torch.testing.assert_close(
            graph.var(0, correction=0), torch.ones(4), atol=1e-3, rtol=0
        )


def test_layer_norm_ignores_how_a_row_is_shifted_and_scaled():
    x = torch.randn(7, 16)
    shift, scale = torch.randn(7, 1), 1 + torch.rand(7, 1)
    norm = LayerNorm(16, mode="node")

    torch.testing.assert_close(norm(x), norm(scale * x + shift), atol=1e-4, rtol=1e-4)
    # PyG's own default looks at the graph as a whole, and does not.
    assert (LayerNorm(16)(x) - LayerNorm(16)(scale * x + shift)).abs().max() > 0.1


def test_graph_norm_can_keep_the_mean_that_instance_norm_loses():
    # On a regular graph every node has the same state, and all it says is the mean.
    x = torch.full((6, 2), 3.0)
    norm = GraphNorm(2)
    assert norm(x).abs().max() < 1e-3
    assert InstanceNorm(2)(x).abs().max() < 1e-3

    with torch.no_grad():
        norm.mean_scale.fill_(0.5)

    assert norm(x).min() > 0.9


def test_graph_size_norm_keeps_sums_over_graphs_of_any_size_alike():
    spread = [
        GraphSizeNorm()(torch.randn(size, 2000)).sum(0).std() for size in (4, 400)
    ]
    assert spread[0].item() == pytest.approx(spread[1].item(), rel=0.1)


def test_mean_subtraction_turns_propagation_to_the_second_direction():
    # "Revisiting Over-smoothing": it is a power iteration for the Fiedler vector.
    graph = row_stochastic(some_graph())
    plain = centered = torch.randn(30, 1, dtype=torch.double)
    for _ in range(500):
        plain = graph @ plain
        centered = nn.functional.normalize(
            MeanSubtractionNorm()(graph @ centered), dim=0
        )

    assert plain.std() / plain.abs().mean() < 1e-6
    assert abs(centered.mean()) < 1e-12
    # The eigenvector of the centered operator: what is left is not the constant.
    moved = MeanSubtractionNorm()(graph @ centered)
    cosine = nn.functional.cosine_similarity(moved, centered, dim=0).abs()
    assert cosine.item() == pytest.approx(1, abs=1e-4)


@pytest.mark.parametrize("scale", [1.0, 10.0])
def test_pair_norm_keeps_the_total_distance_of_all_pairs(scale):
    graph, norm = symmetric(some_graph()), PairNorm(scale)
    x = plain = torch.randn(30, 4, dtype=torch.double)
    totals = []
    for _ in range(50):
        plain = graph @ plain
        x = norm(graph @ x)
        totals.append(total_pairwise_squared_distance(x))

    constant = 2 * 30**2 * scale**2  # equation 8 of the paper, over ordered pairs
    assert totals == pytest.approx([constant] * 50, rel=1e-2)
    assert total_pairwise_squared_distance(plain) < constant / 10


def test_pair_norm_si_gives_each_row_the_same_length():
    lengths = PairNorm(3.0, scale_individually=True)(torch.randn(9, 4)).norm(dim=1)

    torch.testing.assert_close(lengths, torch.full((9,), 3.0), atol=1e-3, rtol=0)


def test_group_norm_moves_groups_apart_that_smoothing_brought_together():
    labels = torch.arange(40) % 2
    x = torch.ones(40, 2)
    x[:, 0] += 0.05 * labels + 0.01 * torch.randn(40)
    norm = DiffGroupNorm(2, groups=2, lamda=1.0)
    with torch.no_grad():  # what training may find: the groups, and a scale for each
        norm.lin.weight.copy_(torch.tensor([[400.0, -410.0], [-400.0, 410.0]]))
        norm.norm.weight[2:] = -1

    def distance_ratio(x: torch.Tensor) -> float:
        distance = torch.cdist(x, x)
        same = labels[:, None] == labels[None]
        return float(distance[~same].mean() / distance[same].mean())

    assert distance_ratio(norm(x).detach()) > 5 * distance_ratio(x)
