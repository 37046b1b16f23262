from __future__ import annotations

import networkx as nx
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch_geometric.nn.conv.gcn_conv import gcn_norm
from torch_geometric.utils import (
    get_laplacian,
    to_dense_adj,
    to_undirected,
)

from benthic.errors import InputError
from benthic.metrics.dirichlet import (
    DirichletEnergy,
    RayleighQuotient,
    dirichlet_energy,
    rayleigh_quotient,
)

NORMALIZATIONS = ["sym", "rw", None]
PAIR = torch.tensor([[0, 1], [1, 0]])


def some_graph(num_nodes: int = 30, seed: int = 0) -> torch.Tensor:
    graph = nx.gnm_random_graph(num_nodes, 2 * num_nodes, seed=seed)
    graph.remove_edges_from(list(graph.edges(0)))  # node 0 is isolated
    return to_undirected(torch.tensor(list(graph.edges)).T, num_nodes=num_nodes)


def weights_of(edge_index: torch.Tensor) -> torch.Tensor:
    low, high = edge_index.min(dim=0).values, edge_index.max(dim=0).values
    return ((low * 7 + high * 3) % 5 + 1).float() / 2


def by_matrices(x, edge_index, edge_weight, normalization) -> tuple[float, float]:
    """Energy and norm from dense matrices, the adjacency made symmetric."""
    x = x.double().numpy()
    n = len(x)
    weight = None if edge_weight is None else edge_weight.double()
    a = to_dense_adj(edge_index, edge_attr=weight, max_num_nodes=n)[0].double().numpy()
    a = (a + a.T) / 2
    loops = np.diag(a).copy()
    np.fill_diagonal(a, 0)
    mass = np.ones(n)
    if normalization == "sym":
        a += np.diag(np.where(loops > 0, loops, 1.0))
        scale = a.sum(1) ** -0.5
        laplacian = np.eye(n) - scale[:, None] * a * scale
    else:
        laplacian = np.diag(a.sum(1)) - a
        mass = a.sum(1) if normalization == "rw" else mass
    return np.trace(x.T @ laplacian @ x), (mass * (x**2).sum(1)).sum()


def smooth_rows(edge_index: torch.Tensor, num_nodes: int) -> torch.Tensor:
    degree = torch.bincount(edge_index[0], minlength=num_nodes).double() + 1
    return degree.sqrt().unsqueeze(1) * torch.randn(1, 4, dtype=torch.float64)


@pytest.mark.parametrize("normalization", ["rw", None])
def test_equal_rows_have_no_energy(normalization):
    x, edge_index = torch.ones(30, 4), some_graph()
    assert dirichlet_energy(x, edge_index, normalization=normalization) == 0.0
    assert rayleigh_quotient(x, edge_index, normalization=normalization) == 0.0


def test_the_limit_of_a_gcn_has_no_energy_and_equal_rows_have_some():
    edge_index = some_graph()
    x = smooth_rows(edge_index, 30)
    assert rayleigh_quotient(x, edge_index).item() == pytest.approx(0.0, abs=1e-14)
    assert rayleigh_quotient(torch.ones(30, 4), edge_index).item() > 0.01


def test_neighbors_of_opposite_sign_read_near_the_top():
    n = 8
    even = to_undirected(torch.tensor([[i, (i + 1) % n] for i in range(n)]).T)
    x = torch.tensor([1.0, -1.0]).repeat(n // 2).unsqueeze(1)
    quotients = [rayleigh_quotient(x, even, normalization=k) for k in NORMALIZATIONS]
    assert [q.item() for q in quotients] == pytest.approx([4 / 3, 2.0, 4.0])


def test_noise_reads_about_one():
    edge_index = to_undirected(torch.randint(2000, (2, 20_000)))
    x = torch.randn(2000, 32)
    assert rayleigh_quotient(x, edge_index).item() == pytest.approx(1.0, abs=0.06)
    random_walk = rayleigh_quotient(x, edge_index, normalization="rw")
    assert random_walk.item() == pytest.approx(1.0, abs=0.01)


@pytest.mark.parametrize("normalization", NORMALIZATIONS)
def test_a_dead_network_has_no_quotient(normalization):
    x, edge_index = torch.zeros(30, 4), some_graph()
    assert rayleigh_quotient(x, edge_index, normalization=normalization).isnan()
    assert dirichlet_energy(x, edge_index, normalization=normalization) == 0.0


@given(seed=st.integers(0, 1000))
def test_relabelling_nodes_changes_nothing(seed):
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(12, 3, generator=generator)
    edge_index = torch.randint(12, (2, 30), generator=generator)
    weight = torch.rand(30, generator=generator)
    order = torch.randperm(12, generator=generator)
    label = order.argsort()  # node i is called label[i]
    _, unique = np.unique(edge_index.numpy(), axis=1, return_index=True)
    edge_index, weight = edge_index[:, unique], weight[unique]
    for normalization in NORMALIZATIONS:
        for gauge in (dirichlet_energy, rayleigh_quotient):
            torch.testing.assert_close(
                gauge(x[order], label[edge_index], weight, normalization=normalization),
                gauge(x, edge_index, weight, normalization=normalization),
            )


@given(seed=st.integers(0, 1000))
def test_quotients_stay_in_their_range(seed):
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(8, 2, generator=generator)
    edge_index = torch.randint(8, (2, 20), generator=generator)
    weight = torch.rand(20, generator=generator)
    for normalization in ("sym", "rw"):
        value = rayleigh_quotient(x, edge_index, weight, normalization=normalization)
        assert 0 <= value <= 2 or value.isnan()


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("normalization", NORMALIZATIONS)
def test_equals_dense_matrices(normalization, weighted):
    edge_index = some_graph()
    weight = weights_of(edge_index) if weighted else None
    x = torch.randn(30, 5)
    energy, norm = by_matrices(x, edge_index, weight, normalization)
    options = {"edge_weight": weight, "normalization": normalization}
    assert dirichlet_energy(x, edge_index, **options).item() == pytest.approx(energy)
    quotient = rayleigh_quotient(x, edge_index, **options).item()
    assert quotient == pytest.approx(energy / norm)


@pytest.mark.parametrize("normalization", NORMALIZATIONS)
def test_edges_in_one_direction_are_read_as_the_mean_of_both(normalization):
    edge_index = torch.randint(30, (2, 80)).unique(dim=1)
    x = torch.randn(30, 5)
    weight = torch.rand(edge_index.shape[1]) + 0.1
    energy, norm = by_matrices(x, edge_index, weight, normalization)
    actual = rayleigh_quotient(x, edge_index, weight, normalization=normalization)
    assert actual.item() == pytest.approx(energy / norm)


@pytest.mark.parametrize("weighted", [False, True])
def test_sym_is_the_operator_of_gcn_conv(weighted):
    edge_index = some_graph()
    edge_index = torch.cat([edge_index, torch.tensor([[3, 4], [3, 4]])], dim=1)
    weight = weights_of(edge_index) if weighted else None
    x = torch.randn(30, 5)
    index, value = gcn_norm(edge_index, weight, num_nodes=30)
    smoothed = to_dense_adj(index, edge_attr=value, max_num_nodes=30)[0].T @ x
    expected = (x * (x - smoothed)).sum()
    actual = dirichlet_energy(x, edge_index, weight)
    torch.testing.assert_close(actual.float(), expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("normalization", ["rw", None])
def test_others_are_the_laplacian_of_pyg(normalization):
    edge_index = some_graph()
    weight = weights_of(edge_index)
    x = torch.randn(30, 5).double()
    index, value = get_laplacian(edge_index, weight, normalization, num_nodes=30)
    laplacian = to_dense_adj(index, edge_attr=value, max_num_nodes=30)[0].double()
    degree = torch.zeros(30).index_add_(0, edge_index[0], weight).double()
    mass = degree if normalization == "rw" else torch.ones(30).double()
    energy = (x * mass.unsqueeze(1) * (laplacian @ x)).sum()
    actual = dirichlet_energy(x, edge_index, weight, normalization=normalization)
    torch.testing.assert_close(actual, energy, rtol=1e-5, atol=1e-5)
    quotient = rayleigh_quotient(x, edge_index, weight, normalization=normalization)
    expected = energy / (mass * x.square().sum(dim=1)).sum()
    torch.testing.assert_close(quotient, expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("normalization", NORMALIZATIONS)
def test_self_loops_that_are_there_are_not_added_again(normalization):
    edge_index, x = some_graph(), torch.randn(30, 5)
    loops = torch.arange(30).expand(2, 30)
    once = torch.cat([edge_index, loops], dim=1)
    twice = torch.cat([once, loops], dim=1)
    expected = rayleigh_quotient(x, edge_index, normalization=normalization)
    for given_edges in (once, twice):
        actual = rayleigh_quotient(x, given_edges, normalization=normalization)
        torch.testing.assert_close(actual, expected)


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("normalization", NORMALIZATIONS)
def test_a_relation_is_an_undirected_graph_with_two_sides(normalization, weighted):
    edge_index = torch.stack([torch.randint(20, (50,)), torch.randint(9, (50,))])
    edge_index = edge_index.unique(dim=1)
    weight = torch.rand(edge_index.shape[1]) if weighted else None
    x = (torch.randn(20, 3), torch.randn(9, 3))
    shifted = edge_index + torch.tensor([[0], [20]])
    both = torch.cat([shifted, shifted.flip(0)], dim=1)
    both_weights = None if weight is None else torch.cat([weight, weight])
    for gauge in (dirichlet_energy, rayleigh_quotient):
        torch.testing.assert_close(
            gauge(x, edge_index, weight, normalization=normalization),
            gauge(torch.cat(x), both, both_weights, normalization=normalization),
        )


def test_isolated_nodes_add_norm_but_no_energy():
    x = torch.tensor([[1.0], [-1.0], [1.0]])
    energies = [dirichlet_energy(x, PAIR, normalization=k) for k in NORMALIZATIONS]
    assert [e.item() for e in energies] == pytest.approx([2.0, 4.0, 4.0])
    quotients = [rayleigh_quotient(x, PAIR, normalization=k) for k in NORMALIZATIONS]
    assert [q.item() for q in quotients] == pytest.approx([2 / 3, 2.0, 4 / 3])


def test_without_edges_only_the_random_walk_is_undefined():
    x, none = torch.ones(3, 2), torch.empty(2, 0, dtype=torch.long)
    assert rayleigh_quotient(x, none) == 0.0
    assert rayleigh_quotient(x, none, normalization=None) == 0.0
    assert rayleigh_quotient(x, none, normalization="rw").isnan()


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_an_energy_of_1e_12_of_the_norm_is_not_lost(dtype):
    edge_index = some_graph()
    x = (smooth_rows(edge_index, 30) + 1e-6 * torch.randn(30, 4)).to(dtype)
    # In twice the precision there is nothing to cancel.
    degree = torch.bincount(edge_index[0], minlength=30).numpy().astype(np.longdouble)
    y = x.numpy().astype(np.longdouble) / np.sqrt(degree + 1)[:, None]
    energy = ((y[edge_index[0]] - y[edge_index[1]]) ** 2).sum() / 2
    expected = float(energy / (x.numpy().astype(np.longdouble) ** 2).sum())
    assert 1e-14 < expected < 1e-11
    actual = rayleigh_quotient(x, edge_index).item()
    assert actual == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("power", [-40, -25, 25, 37])
def test_scale_does_not_matter_where_squares_leave_the_type(power):
    x, edge_index = torch.rand(30, 4) + 0.1, some_graph()
    for normalization in NORMALIZATIONS:
        torch.testing.assert_close(
            rayleigh_quotient(x * 10.0**power, edge_index, normalization=normalization),
            rayleigh_quotient(x, edge_index, normalization=normalization),
            rtol=1e-3,
            atol=0,
        )


def test_many_blocks_of_edges_equal_one(monkeypatch):
    edge_index = some_graph()
    weight, x = weights_of(edge_index), torch.randn(30, 5)
    expected = dirichlet_energy(x, edge_index, weight)
    monkeypatch.setattr("benthic.metrics.dirichlet.EDGE_BLOCK", 35)
    torch.testing.assert_close(dirichlet_energy(x, edge_index, weight), expected)


@pytest.mark.parametrize("normalization", NORMALIZATIONS)
@pytest.mark.parametrize("metric", [DirichletEnergy, RayleighQuotient])
def test_merging_two_graphs_equals_their_union(metric, normalization):
    graphs = [(torch.randn(30, 4), some_graph(seed=k)) for k in range(2)]
    x = torch.cat([graphs[0][0], graphs[1][0]])
    edge_index = torch.cat([graphs[0][1], graphs[1][1] + 30], dim=1)
    whole, left, right = (metric(normalization=normalization) for _ in range(3))
    whole.update(x, edge_index)
    left.update(*graphs[0])
    right.update(*graphs[1])
    left.merge_state(right)
    torch.testing.assert_close(left.compute(), whole.compute())


def test_an_edge_to_a_missing_node_is_refused():
    with pytest.raises(InputError, match="edge_index: found node 1 in row 0; there"):
        dirichlet_energy(torch.ones(1, 1), PAIR)


def test_a_row_that_is_not_finite_is_never_smooth_even_without_edges():
    x = torch.tensor([[1.0], [1.0], [torch.nan]])
    assert dirichlet_energy(x, PAIR).isnan()
    assert rayleigh_quotient(x, PAIR, normalization="rw").isnan()
