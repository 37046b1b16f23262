from __future__ import annotations

import math

import networkx as nx
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch_geometric.data import Batch, Data, HeteroData
from torch_geometric.utils import degree, from_networkx, is_undirected, to_networkx

from benthic.errors import InputError
from benthic.transforms import EGP, FoSR, cayley_graph
from benthic.transforms.simple_graph import SimpleGraph
from benthic.transforms.spectral import _least_product, _order, _power_iteration

GRAPHS = st.builds(
    nx.gnp_random_graph, st.integers(2, 12), st.floats(0.1, 0.9), st.integers(0, 10**6)
)


def data_of(graph: nx.Graph) -> Data:
    edge_index = from_networkx(graph).edge_index.long()
    return Data(x=torch.ones(len(graph), 1), edge_index=edge_index)


def networkx_of(edge_index: torch.Tensor, num_nodes: int) -> nx.Graph:
    data = Data(edge_index=edge_index, num_nodes=num_nodes)
    return to_networkx(data, to_undirected=True)


def spectral_gap(graph: nx.Graph) -> float:
    return float(nx.normalized_laplacian_spectrum(graph)[1])


def elements(n: int) -> list[tuple[int, int, int, int]]:
    numbers = np.array(np.meshgrid(*[np.arange(n)] * 4, indexing="ij")).reshape(4, -1)
    a, b, c, d = numbers
    return [tuple(row) for row in numbers.T[(a * d - b * c) % n == 1 % n].tolist()]


# FoSR


def gaps_after_random_edges(graph: nx.Graph, num_edges: int) -> list[float]:
    rng = np.random.default_rng(0)
    missing = list(nx.non_edges(graph))
    gaps = []
    for _ in range(30):
        extended = graph.copy()
        chosen = rng.choice(len(missing), num_edges, replace=False)
        extended.add_edges_from(missing[i] for i in chosen)
        gaps.append(spectral_gap(extended))
    return gaps


def gap_after_fosr(graph: nx.Graph, num_edges: int) -> float:
    rewired = FoSR(num_edges, initial_power_iters=50)(data_of(graph))
    return spectral_gap(networkx_of(rewired.edge_index, len(graph)))


@pytest.mark.parametrize(
    ("graph", "num_edges"),
    [(nx.barbell_graph(6, 0), 5), (nx.barbell_graph(10, 2), 10)],
)
def test_fosr_widens_the_spectral_gap_more_than_random_edges_do(graph, num_edges):
    random = gaps_after_random_edges(graph, num_edges)
    assert spectral_gap(graph) < max(random) < gap_after_fosr(graph, num_edges)


def test_on_a_tree_of_many_bottlenecks_random_edges_do_better():
    tree = nx.balanced_tree(2, 4)
    random = float(np.median(gaps_after_random_edges(tree, 10)))
    assert spectral_gap(tree) < gap_after_fosr(tree, 10) < random


@settings(max_examples=60)
@given(GRAPHS, st.integers(0, 10**6), st.booleans())
def test_the_chosen_pair_has_the_least_product_of_all_missing_edges(
    graph, seed, has_ties
):
    y = np.random.default_rng(seed).normal(size=len(graph))
    y = y.round() if has_ties else y
    edge_index = data_of(graph).edge_index
    pair = _least_product(SimpleGraph.of(edge_index, len(graph)), y)
    missing = [y[u] * y[v] for u, v in nx.non_edges(graph)]
    assert (pair is None) == (not missing)
    if pair is not None:
        assert not graph.has_edge(*pair)
        assert pair[0] != pair[1]
        assert y[pair[0]] * y[pair[1]] == pytest.approx(min(missing))


def test_power_iterations_find_the_second_eigenvector():
    graph = nx.barbell_graph(5, 1)
    simple = SimpleGraph.of(data_of(graph).edge_index)
    x = np.random.default_rng(0).normal(size=len(graph))
    for _ in range(500):
        x = _power_iteration(simple, x)
    values, vectors = np.linalg.eigh(nx.normalized_laplacian_matrix(graph).toarray())
    assert values[1] < values[2]
    assert abs(x @ vectors[:, 1]) == pytest.approx(1)


def test_the_second_largest_eigenvalue_falls_to_first_order_as_the_paper_says():
    graph = nx.connected_caveman_graph(4, 5)
    laplacian = nx.normalized_laplacian_matrix(graph).toarray()
    x = np.linalg.eigh(laplacian)[1][:, 1]
    degrees = np.array([graph.degree[node] for node in graph])
    y = x / np.sqrt(1 + degrees)
    u, v = _least_product(SimpleGraph.of(data_of(graph).edge_index), y)
    gains = []
    for pair in nx.non_edges(graph):
        extended = graph.copy()
        extended.add_edge(*pair)
        gains.append(spectral_gap(extended))
    chosen = graph.copy()
    chosen.add_edge(u, v)
    assert spectral_gap(chosen) > np.quantile(gains, 0.9)


def test_added_edges_are_a_relation_of_their_own():
    data = data_of(nx.path_graph(6))
    rewired = FoSR(num_iterations=3)(data)
    assert rewired.edge_type.tolist() == [0] * 10 + [1] * 6
    assert torch.equal(rewired.edge_index[:, :10], data.edge_index)
    again = FoSR(num_iterations=1)(rewired)
    assert again.edge_type.tolist() == [0] * 10 + [1] * 6 + [2] * 2
    assert "edge_type" not in data


@settings(max_examples=30)
@given(GRAPHS, st.integers(0, 10))
def test_fosr_adds_as_many_edges_as_asked_while_there_is_room(graph, num_iterations):
    data = data_of(graph)
    rewired = FoSR(num_iterations)(data)
    room = len(list(nx.non_edges(graph))) if graph.edges else 0
    assert rewired.num_edges == data.num_edges + 2 * min(room, num_iterations)
    assert is_undirected(rewired.edge_index, num_nodes=len(graph))
    assert len(rewired.edge_index.unique(dim=1).T) == rewired.num_edges
    assert torch.equal(rewired.edge_index[:, : data.num_edges], data.edge_index)


def test_no_iterations_change_no_edge():
    data = data_of(nx.path_graph(4))
    data.edge_attr = torch.ones(6, 2)
    rewired = FoSR(0)(data)
    assert rewired.edge_index is data.edge_index
    assert rewired.edge_type.tolist() == [0] * 6


def test_fosr_keeps_loops_and_weights_and_joins_pieces():
    pieces = nx.disjoint_union(nx.complete_graph(4), nx.complete_graph(4))
    data = data_of(pieces)
    data.edge_index = torch.cat([torch.tensor([[2], [2]]), data.edge_index], dim=1)
    data.edge_weight = torch.full((25,), 0.5)
    rewired = FoSR(1, initial_power_iters=30)(data)
    assert rewired.edge_index[:, 0].tolist() == [2, 2]
    assert rewired.edge_weight.tolist() == [0.5] * 25 + [1.0] * 2
    assert nx.is_connected(networkx_of(rewired.edge_index, 8))


def test_fosr_adds_nothing_where_there_is_no_edge():
    for edge_index in (torch.empty(2, 0, dtype=torch.long), torch.tensor([[1], [1]])):
        rewired = FoSR(3)(Data(x=torch.ones(3, 1), edge_index=edge_index))
        assert rewired.edge_index is edge_index
        assert rewired.edge_type.tolist() == [0] * edge_index.shape[1]


def test_an_isolated_node_stays_so_while_others_can_be_joined():
    data = data_of(nx.path_graph(6))
    data.x = torch.ones(8, 1)
    rewired = FoSR(5, initial_power_iters=20)(data)
    assert int(rewired.edge_index.max()) == 5


def test_the_same_seed_gives_the_same_graph_and_no_random_state_moves():
    data = data_of(nx.connected_caveman_graph(4, 4))
    torch_state, numpy_state = torch.get_rng_state(), np.random.get_state()[1]  # noqa: NPY002
    first, second = FoSR(5, seed=3)(data), FoSR(5, seed=3)(data)
    assert torch.equal(first.edge_index, second.edge_index)
    assert torch.equal(torch.get_rng_state(), torch_state)
    assert np.array_equal(np.random.get_state()[1], numpy_state)  # noqa: NPY002


# EGP


@pytest.mark.parametrize("n", range(3, 9))
def test_the_cayley_graph_is_that_of_the_group(n):
    group = elements(n)
    assert _order(n) == len(group)
    place = {element: i for i, element in enumerate(group)}
    expected = nx.Graph()
    for a, b, c, d in group:
        for step in (1, -1):
            for product in (
                (a, (b + step * a) % n, c, (d + step * c) % n),
                ((a + step * b) % n, b, (c + step * d) % n, d),
            ):
                expected.add_edge(place[a, b, c, d], place[product])
    found = networkx_of(cayley_graph(len(group)), len(group))
    assert len(found) == len(expected)
    if n < 6:
        assert nx.is_isomorphic(found, expected)
    else:
        spectra = [nx.adjacency_spectrum(each).real for each in (found, expected)]
        assert np.allclose(*map(np.sort, spectra), atol=1e-6)


@pytest.mark.parametrize("n", [3, 4, 5, 6, 7, 8, 9, 11])
def test_the_cayley_graph_has_degree_4_a_small_diameter_and_a_gap(n):
    size = _order(n)
    edge_index = cayley_graph(size)
    assert degree(edge_index[0], size).tolist() == [4.0] * size
    graph = networkx_of(edge_index, size)
    assert nx.eccentricity(graph, 0) <= 2.5 * math.log(size)  # every node is like 0
    adjacency = nx.adjacency_matrix(graph).toarray().astype(float)
    second = np.linalg.eigvalsh(adjacency)[-2]
    assert second / 4 < 1 - 0.05


@settings(max_examples=30)
@given(st.integers(0, 400))
def test_a_truncated_cayley_graph_is_connected_and_sparse(num_nodes):
    edge_index = cayley_graph(num_nodes)
    graph = networkx_of(edge_index, num_nodes)
    assert len(graph) == num_nodes
    assert num_nodes == 0 or nx.is_connected(graph)
    assert all(graph.degree[node] <= 4 for node in graph)
    assert not any(nx.selfloop_edges(graph))
    assert len(edge_index.unique(dim=1).T) == edge_index.shape[1]
    if num_nodes > 1:
        assert nx.diameter(graph) <= 4 * math.log(num_nodes) + 1


def test_the_smallest_group_that_is_large_enough_is_taken():
    orders = {2: 6, 3: 24, 4: 48, 5: 120, 6: 144, 7: 336, 12: 1152, 30: 17280}
    assert {n: _order(n) for n in orders} == orders
    assert cayley_graph(6).shape[1] == 12
    assert cayley_graph(24).shape[1] == 96
    assert cayley_graph(25).shape[1] < 100


def test_egp_lets_a_path_hear_everyone_in_few_steps():
    data = data_of(nx.path_graph(200))
    extended = EGP()(data)
    assert torch.equal(extended.edge_index, data.edge_index)
    expander = networkx_of(extended.expander_edge_index, 200)
    assert nx.diameter(expander) < 15
    assert spectral_gap(expander) > 100 * spectral_gap(nx.path_graph(200))
    assert "expander_edge_index" not in data


def test_expanders_of_a_batch_stay_apart():
    graphs = [EGP()(data_of(nx.path_graph(size))) for size in (5, 7)]
    batch = Batch.from_data_list(graphs)
    shifted = graphs[1].expander_edge_index + 5
    expected = torch.cat([graphs[0].expander_edge_index, shifted], dim=1)
    assert torch.equal(batch.expander_edge_index, expected)


def test_merged_edges_join_the_graphs_own_once():
    data = data_of(nx.path_graph(9))
    data.edge_weight = torch.full((16,), 0.5)
    merged = EGP(merged=True)(data)
    assert torch.equal(merged.edge_index[:, :16], data.edge_index)
    assert len(merged.edge_index.unique(dim=1).T) == merged.num_edges
    union = torch.cat([data.edge_index, cayley_graph(9)], dim=1).unique(dim=1)
    assert torch.equal(merged.edge_index.unique(dim=1), union)
    assert merged.edge_type.tolist() == [0] * 16 + [1] * (merged.num_edges - 16)
    assert merged.edge_weight[16:].unique().tolist() == [1.0]


def test_egp_takes_directed_graphs_features_of_edges_and_graphs_without_edges():
    directed = Data(x=torch.ones(3, 1), edge_index=torch.tensor([[0], [1]]))
    directed.edge_attr = torch.ones(1, 4)
    assert EGP()(directed).expander_edge_index.shape == (2, 4)
    assert EGP()(Data(x=torch.ones(3, 1))).expander_edge_index.shape == (2, 4)
    assert EGP()(Data(x=torch.ones(0, 1))).expander_edge_index.shape == (2, 0)
    assert EGP()(Data(x=torch.ones(1, 1))).expander_edge_index.shape == (2, 0)


# Both


def test_what_cannot_be_rewired_is_refused():
    for rewire in (FoSR(), EGP(), EGP(merged=True)):
        with pytest.raises(InputError, match=r"heterogeneous.*VirtualNode"):
            rewire(HeteroData())
    data = data_of(nx.path_graph(3))
    data.edge_attr = torch.ones(4, 2)
    for rewire in (FoSR(), EGP(merged=True)):
        with pytest.raises(InputError, match="edge_attr"):
            rewire(data)
    directed = Data(x=torch.ones(2, 1), edge_index=torch.tensor([[0], [1]]))
    with pytest.raises(InputError, match="one direction only"):
        FoSR()(directed)


@pytest.mark.parametrize("argument", ["num_iterations", "initial_power_iters", "seed"])
def test_settings_without_meaning_are_refused(argument):
    with pytest.raises(InputError, match=f"^{argument}: found -1"):
        FoSR(**{argument: -1})


def test_a_rewiring_prints_its_settings():
    assert repr(FoSR(3)) == "FoSR(num_iterations=3, initial_power_iters=5, seed=0)"
    assert repr(EGP()) == "EGP(merged=False)"


def test_cora_is_rewired_by_spectrum(cora):
    rewired = FoSR(20)(cora)
    assert rewired.num_edges == cora.num_edges + 40
    assert EGP()(cora).expander_edge_index.max() == cora.num_nodes - 1
