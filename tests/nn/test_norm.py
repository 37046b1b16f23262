"""Does each norm do what its paper says it does?"""

from __future__ import annotations

import copy
from functools import partial

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch_geometric.utils import to_undirected

from benthic.errors import InputError
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
    dominant_basis,
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


@pytest.fixture(autouse=True)
def _seed():
    torch.manual_seed(0)


def some_graph(num_nodes: int = 30, num_edges: int = 60) -> torch.Tensor:
    """Connected, undirected, of uneven degrees."""
    ring = torch.stack([torch.arange(num_nodes), torch.arange(num_nodes).roll(-1)])
    return to_undirected(torch.cat([ring, torch.randint(num_nodes, (2, num_edges))], 1))


def adjacency(edge_index: torch.Tensor, num_nodes: int = 30) -> np.ndarray:
    matrix = np.zeros((num_nodes, num_nodes))
    matrix[edge_index[0], edge_index[1]] = 1
    np.fill_diagonal(matrix, 1)
    return matrix


def symmetric(edge_index: torch.Tensor, num_nodes: int = 30) -> torch.Tensor:
    matrix = adjacency(edge_index, num_nodes)
    root = np.sqrt(matrix.sum(1))
    return torch.from_numpy(matrix / root[:, None] / root[None])


def row_stochastic(edge_index: torch.Tensor, num_nodes: int = 30) -> torch.Tensor:
    matrix = adjacency(edge_index, num_nodes)
    return torch.from_numpy(matrix / matrix.sum(1, keepdims=True))


def total_pairwise_squared_distance(x: torch.Tensor) -> float:
    return float(torch.cdist(x, x).square().sum())


def effective_rank(x: torch.Tensor) -> float:
    values = np.linalg.svd(x.detach().numpy(), compute_uv=False)
    share = values / values.sum()
    return float(np.exp(-(share * np.log(share + 1e-30)).sum()))


# make_norm


@pytest.mark.parametrize("norm", NORMS.values(), ids=NORMS)
def test_each_norm_is_made_for_a_width_as_it_is_typed(norm):
    module = make_norm(norm, 6)
    x = torch.randn(20, 6, requires_grad=True)

    out = module(x)

    assert out.shape == (20, 6)
    out.square().sum().backward()
    assert x.grad.isfinite().all()


def test_a_norm_may_be_given_as_a_function_of_the_width():
    assert make_norm(lambda channels: PairNorm(2.0), 6).scale == 2.0
    assert make_norm(lambda: nn.Identity(), 6)(torch.ones(1)) == 1
    assert make_norm(lambda width: DiffGroupNorm(width, 3), 6).groups == 3
    assert make_norm(nn.LayerNorm, 6).normalized_shape == (6,)
    assert make_norm(nn.BatchNorm1d, 6).num_features == 6


def test_what_a_norm_needs_besides_the_width_is_bound_with_partial():
    assert make_norm(partial(DiffGroupNorm, groups=3), 6).groups == 3
    assert make_norm(partial(LayerNorm, mode="node"), 6).mode == "node"
    assert make_norm(partial(PairNorm, 2.0), 6).scale == 2.0
    assert make_norm(partial(NodeNorm, p=2.0), 6).p == 2
    assert make_norm(DiffGroupNorm, 6).groups == 10


def test_a_module_is_copied_with_parameters_of_its_own():
    given = nn.Sequential(LayerNorm(6), DiffGroupNorm(6, 2))
    with torch.no_grad():
        given[0].weight.fill_(5)
    before = copy.deepcopy(given.state_dict())

    made = make_norm(given, 6)
    other = make_norm(given, 6)

    assert made[0].weight.unique() == 1
    assert not torch.equal(made[1].lin.weight, other[1].lin.weight)
    with torch.no_grad():
        made[0].weight.fill_(3)
    for name, value in given.state_dict().items():
        assert torch.equal(value, before[name])


@pytest.mark.parametrize(
    ("norm", "message"),
    [
        ("pair", "norm: found 'pair'; give a class such as PairNorm"),
        (None, "norm: found a NoneType; give a class"),
        (3, "norm: found a int; give a class"),
        (lambda channels: channels, "norm: found a function that makes a int; return"),
        (
            partial(DiffGroupNorm, lamda=0.1),
            "norm: found DiffGroupNorm: missing a required argument: 'groups'; bind",
        ),
    ],
)
def test_what_makes_no_norm_is_refused(norm, message):
    with pytest.raises(InputError, match=message):
        make_norm(norm, 6)


# What all norms of nodes have in common


@settings(max_examples=5, deadline=None)
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


# One test for each paper: its own claim, on a small case


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


@pytest.mark.parametrize("p", [1.0, 2.0, 3.0])
def test_node_norm_is_the_formula_of_its_paper(p):
    x = torch.randn(8, 6, dtype=torch.double)
    deviation = np.sqrt(x.numpy().var(axis=1, keepdims=True) + 1e-5)

    torch.testing.assert_close(
        NodeNorm(p)(x), torch.from_numpy(x.numpy() / deviation ** (1 / p))
    )


def test_node_norm_holds_the_variance_that_transformations_inflate():
    plain = normed = torch.randn(50, 32)
    for _ in range(20):
        weight = torch.randn(32, 32) / 32**0.5
        plain = plain + (plain @ weight).relu()
        normed = NodeNorm()(normed)
        normed = normed + (normed @ weight).relu()

    assert plain.std(dim=1).mean() > 20 * normed.std(dim=1).mean()
    out = NodeNorm()(normed)
    torch.testing.assert_close(
        out.std(dim=1, correction=0), torch.ones(50), atol=1e-4, rtol=0
    )


@pytest.mark.parametrize("p", [0.5, 0.0, float("nan")])
def test_a_root_below_1_is_refused(p):
    with pytest.raises(InputError, match="give a root of 1 or more"):
        NodeNorm(p)


@pytest.mark.parametrize("tau", [0.1, 1.0])
def test_contra_norm_is_the_formula_of_its_paper(tau):
    x = torch.randn(12, 5, dtype=torch.double)
    rows = x.numpy() / np.linalg.norm(x.numpy(), axis=1, keepdims=True)
    weight = np.exp(rows @ rows.T / tau)
    weight /= weight.sum(1, keepdims=True)
    step = x.numpy() - 0.3 * weight @ x.numpy()
    centered = step - step.mean(1, keepdims=True)
    expected = centered / np.sqrt(centered.var(1, keepdims=True) + 1e-5)

    norm = ContraNorm(5, scale=0.3, tau=tau).double()

    torch.testing.assert_close(norm(x), torch.from_numpy(expected))


def test_contra_norm_widens_a_narrow_cone():
    # Dimensional collapse: nearly one direction, though no two rows are equal.
    x = (1 + torch.rand(100, 1)) * torch.randn(1, 8) + 0.1 * torch.randn(100, 8)

    before = effective_rank(ContraNorm(8, scale=0.0)(x))
    ranks = [effective_rank(ContraNorm(8, scale=s, tau=0.2)(x)) for s in (0.5, 0.9)]

    assert before < ranks[0] < ranks[1]
    assert ranks[1] > 1.5 * before


def test_contra_norm_without_a_step_is_its_layer_norm_or_nothing():
    x = torch.randn(9, 4)

    assert torch.equal(ContraNorm(4, scale=0.0)(x), nn.LayerNorm(4)(x))
    assert ContraNorm(4, scale=0.0, layer_norm=False)(x) is x


def test_contra_norm_never_holds_the_pairs_of_nodes():
    x = torch.randn(3000, 8, requires_grad=True)
    norm = ContraNorm(8)

    # No other way of attention is allowed here, so this fails if pairs were held.
    with sdpa_kernel([SDPBackend.FLASH_ATTENTION]):
        expected = norm(x)
    with torch.profiler.profile(profile_memory=True) as profile:
        out = norm(x)
        out.sum().backward()

    torch.testing.assert_close(out, expected)
    largest = max(event.cpu_memory_usage for event in profile.events())
    assert largest < 3000 * 3000 * 4 / 10


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"scale": -0.1}, "scale: found -0.1; give a step of 0 or more"),
        ({"tau": 0.0}, "tau: found 0.0; give a temperature above 0"),
    ],
)
def test_a_step_back_or_a_temperature_of_zero_is_refused(arguments, message):
    with pytest.raises(InputError, match=message):
        ContraNorm(4, **arguments)


# GraphNormv2


def test_graph_norm_v2_starts_as_graph_norm_with_and_without_a_basis():
    edge_index, x = some_graph(), torch.randn(30, 4)
    expected = GraphNorm(4)(x)

    for basis in (None, dominant_basis(edge_index, 30, k=3)):
        out = GraphNormv2(4, basis)(x)
        torch.testing.assert_close(out, expected, atol=1e-5, rtol=1e-4)


def test_graph_norm_v2_is_the_projection_of_its_paper():
    edge_index, x = some_graph(), torch.randn(30, 2)
    norm = GraphNormv2(2, dominant_basis(edge_index, 30, k=3))
    with torch.no_grad():
        norm.tau.normal_()
        norm.weight.uniform_()
        norm.bias.uniform_()
    for column in range(2):
        direction = norm.basis.numpy() @ norm.tau.detach().numpy()[:, column]
        values = x.numpy()[:, column]
        hat = values - np.outer(direction, direction) @ values
        scaled = hat / np.sqrt((hat**2).mean() + 1e-5)
        expected = norm.weight[column].item() * scaled + norm.bias[column].item()

        actual = norm(x)[:, column].detach().numpy()
        np.testing.assert_allclose(actual, expected, rtol=1e-4, atol=1e-5)


def test_learned_centering_keeps_the_directions_that_centering_bends():
    edge_index = some_graph()
    graph = symmetric(edge_index)
    basis = dominant_basis(edge_index, 30, k=2).double()
    learned, ordinary = GraphNormv2(1, basis).double(), GraphNorm(1).double()
    with torch.no_grad():  # take out the first eigenvector, and nothing else
        learned.tau.copy_(torch.tensor([[1.0], [0.0], [0.0]]))

    bent = []
    for norm in (learned, ordinary):
        x = torch.randn(30, 1, dtype=torch.double)
        for _ in range(1000):
            x = norm(graph @ x).detach()
        x = nn.functional.normalize(x, dim=0)
        bent.append((graph @ x - x @ (x.T @ graph @ x)).norm().item())

    # Where it ends is a direction of the graph, or is none.
    assert bent[0] < 1e-6
    assert bent[1] > 1e-3


@pytest.mark.parametrize("k", [1, 4, 29, 30])
def test_the_basis_is_what_numpy_finds(k):
    edge_index = some_graph()
    values, vectors = np.linalg.eigh(symmetric(edge_index).numpy())
    top = vectors[:, np.argsort(-np.abs(values))[:k]]

    basis = dominant_basis(edge_index, 30, k=k).double().numpy()

    width = min(k + 1, 30)
    assert basis.shape == (30, width)
    np.testing.assert_allclose(basis.T @ basis, np.eye(width), atol=1e-5)
    np.testing.assert_allclose(
        basis[:, :k] @ basis[:, :k].T, top @ top.T, atol=1e-4, rtol=0
    )
    constant = np.ones(30)
    np.testing.assert_allclose(basis @ (basis.T @ constant), constant, atol=1e-4)


def test_on_a_regular_graph_the_eigenvectors_span_the_constant():
    ring = to_undirected(torch.stack([torch.arange(9), torch.arange(9).roll(-1)]))

    assert dominant_basis(ring, 9, k=1).shape == (9, 1)


def test_the_basis_leaves_the_random_numbers_of_numpy_and_torch_alone():
    np.random.seed(0)  # noqa: NPY002
    before = np.random.get_state()[1].copy(), torch.get_rng_state()  # noqa: NPY002
    first = dominant_basis(some_graph_fixed := some_graph(), 30, k=3)
    torch.set_rng_state(before[1])

    assert (np.random.get_state()[1] == before[0]).all()  # noqa: NPY002
    assert torch.equal(first, dominant_basis(some_graph_fixed, 30, k=3))
    assert torch.equal(torch.get_rng_state(), before[1])


@pytest.mark.parametrize("k", [0, 31])
def test_more_eigenvectors_than_nodes_are_refused(k):
    with pytest.raises(InputError, match=f"k: found {k}; give a number from 1 to 30"):
        dominant_basis(some_graph(), 30, k=k)


def test_a_basis_is_for_its_own_graph_only():
    norm = GraphNormv2(4, dominant_basis(some_graph(), 30, k=1))

    with pytest.raises(InputError, match="x: found 29 nodes for a basis of 30"):
        norm(torch.randn(29, 4))
    with pytest.raises(InputError, match="batch: found several graphs"):
        norm(torch.randn(30, 4), torch.arange(30) // 15)
    assert norm(torch.randn(30, 4), torch.zeros(30, dtype=torch.long)).shape == (30, 4)
    assert "basis" not in norm.state_dict()
