from __future__ import annotations

import math

import networkx as nx
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch_geometric.data import Data, HeteroData
from torch_geometric.utils import from_networkx, is_undirected, to_networkx

from benthic.errors import InputError
from benthic.transforms import (
    BORF,
    SDRF,
    balanced_forman_curvature,
    ollivier_ricci_curvature,
)
from benthic.transforms.curvature import _Flow
from benthic.transforms.forman import forman_after_adding, forman_of
from benthic.transforms.ollivier import ollivier_of
from benthic.transforms.simple_graph import SimpleGraph

GRAPHS = st.builds(
    nx.gnp_random_graph, st.integers(2, 12), st.floats(0.1, 0.9), st.integers(0, 10**6)
)
REWIRINGS = [
    SDRF(num_iterations=6, tau=20.0),
    SDRF(num_iterations=6, tau=math.inf, removal_bound=0.5),
    BORF(num_iterations=2, batch_add=3, batch_remove=1),
]


def data_of(graph: nx.Graph) -> Data:
    edge_index = from_networkx(graph).edge_index.long()
    return Data(x=torch.ones(len(graph), 1), edge_index=edge_index)


def barbell() -> Data:
    return data_of(nx.barbell_graph(6, 0))


def networkx_of(data: Data) -> nx.Graph:
    return to_networkx(data, to_undirected=True)


# What the papers claim


def test_sdrf_raises_the_least_curvature_of_a_barbell():
    data = barbell()
    rewired = SDRF(num_iterations=8, tau=50.0)(data)
    before = balanced_forman_curvature(data.edge_index).min()
    assert before < -1
    assert balanced_forman_curvature(rewired.edge_index).min() > before + 0.5


def test_sdrf_widens_the_spectral_gap_of_a_barbell():
    data = barbell()
    rewired = SDRF(num_iterations=8, tau=50.0)(data)
    gaps = [
        nx.normalized_laplacian_spectrum(networkx_of(each))[1]
        for each in (data, rewired)
    ]
    assert gaps[1] > 3 * gaps[0]


def test_a_removal_bound_takes_edges_out_of_the_thicket():
    data = barbell()
    rewired = SDRF(num_iterations=8, tau=50.0, removal_bound=0.5)(data)
    assert rewired.num_edges == data.num_edges
    largest = balanced_forman_curvature(rewired.edge_index).max()
    assert largest < balanced_forman_curvature(data.edge_index).max()


def test_borf_raises_the_least_curvature_and_lowers_the_largest():
    data = barbell()
    before = ollivier_ricci_curvature(data.edge_index)
    rewired = BORF(num_iterations=3, batch_add=3, batch_remove=2)(data)
    after = ollivier_ricci_curvature(rewired.edge_index)
    assert after.min() > before.min() + 0.5
    assert after.max() < before.max()


def test_borf_without_additions_only_thins_out():
    data = barbell()
    rewired = BORF(num_iterations=2, batch_add=0, batch_remove=2)(data)
    assert rewired.num_edges == data.num_edges - 8
    assert not networkx_of(rewired).edges - networkx_of(data).edges


def test_borf_leaves_a_tree_whole():
    data = data_of(nx.balanced_tree(3, 2))
    rewired = BORF(num_iterations=1, batch_add=0, batch_remove=5)(data)
    assert torch.equal(rewired.edge_index, data.edge_index)


# What every rewiring promises


@pytest.mark.parametrize("rewire", REWIRINGS, ids=repr)
@settings(max_examples=15)
@given(graph=GRAPHS)
def test_a_rewired_graph_is_simple_undirected_and_on_the_same_nodes(rewire, graph):
    data = data_of(graph)
    before = data.edge_index.clone()
    rewired = rewire(data)
    assert torch.equal(data.edge_index, before)
    assert rewired.num_nodes == data.num_nodes
    assert is_undirected(rewired.edge_index, num_nodes=data.num_nodes)
    assert len(rewired.edge_index.unique(dim=1).T) == rewired.num_edges
    assert not (rewired.edge_index[0] == rewired.edge_index[1]).any()


@settings(max_examples=20)
@given(GRAPHS)
def test_sdrf_cuts_no_component_apart_and_joins_none(graph):
    data = data_of(graph)
    rewired = SDRF(num_iterations=8, tau=5.0, removal_bound=0.0)(data)
    parts = [
        {frozenset(part) for part in nx.connected_components(networkx_of(each))}
        for each in (data, rewired)
    ]
    assert parts[0] == parts[1]


@pytest.mark.parametrize("curvature_of", [forman_of, ollivier_of])
@settings(max_examples=20)
@given(graph=GRAPHS, seed=st.integers(0, 10**6))
def test_curvature_near_the_edits_is_curvature_measured_again(
    curvature_of, graph, seed
):
    flow = _Flow(SimpleGraph.of(data_of(graph).edge_index, len(graph)), curvature_of)
    rng = np.random.default_rng(seed)
    pairs = rng.permutation([(u, v) for v in range(len(graph)) for u in range(v)])
    pairs = [(int(u), int(v)) for u, v in pairs[:4]]
    removed = [pair for pair in pairs if graph.has_edge(*pair)]
    flow.edit([pair for pair in pairs if pair not in removed], removed)
    assert np.array_equal(flow.ends, flow.graph.ends)
    whole = curvature_of(flow.graph, flow.ends)
    assert flow.curvature.tolist() == pytest.approx(whole.tolist())


@pytest.mark.parametrize(
    "rewire", [SDRF(0), BORF(0), BORF(batch_add=0, batch_remove=0)]
)
def test_no_iterations_change_nothing(rewire):
    data = barbell()
    data.edge_attr = torch.ones(data.num_edges, 2)
    assert rewire(data).edge_index is data.edge_index


@pytest.mark.parametrize("rewire", REWIRINGS, ids=repr)
def test_the_same_seed_gives_the_same_graph_and_no_random_state_moves(rewire):
    torch_state, numpy_state = torch.get_rng_state(), np.random.get_state()[1]  # noqa: NPY002
    first, second = rewire(barbell()), rewire(barbell())
    assert torch.equal(first.edge_index, second.edge_index)
    assert torch.equal(torch.get_rng_state(), torch_state)
    assert np.array_equal(np.random.get_state()[1], numpy_state)  # noqa: NPY002


def test_another_seed_gives_another_graph():
    graphs = {
        tuple(SDRF(4, tau=1.0, seed=seed)(barbell()).edge_index.flatten().tolist())
        for seed in range(5)
    }
    assert len(graphs) > 1


def test_an_infinite_tau_takes_one_of_the_best_edges():
    graph = nx.barbell_graph(4, 0)
    rewired = SDRF(1, tau=math.inf)(data_of(graph))
    addition = forman_after_adding(SimpleGraph.of(data_of(graph).edge_index), 3, 4)
    found = _curvature_at(rewired, 3, 4)
    assert found == pytest.approx(addition.curvature.max())
    assert found > np.median(addition.curvature)


def _curvature_at(data: Data, u: int, v: int) -> float:
    column = (data.edge_index == torch.tensor([[u], [v]])).all(dim=0)
    return balanced_forman_curvature(data.edge_index)[column].item()


@pytest.mark.parametrize("rewire", REWIRINGS, ids=repr)
def test_loops_weights_and_isolated_nodes_stay(rewire):
    data = barbell()
    loop = torch.tensor([[3], [3]])
    data.edge_index = torch.cat([loop, data.edge_index], dim=1)
    data.x = torch.ones(14, 1)
    data.edge_weight = torch.full((data.num_edges,), 0.5)
    rewired = rewire(data)
    assert rewired.edge_index[:, 0].tolist() == [3, 3]
    assert set(range(12, 14)).isdisjoint(rewired.edge_index.unique().tolist())
    num_added = int((rewired.edge_weight == 1).sum())
    assert num_added > 0
    assert bool((rewired.edge_weight[:-num_added] == 0.5).all())


@pytest.mark.parametrize("rewire", REWIRINGS, ids=repr)
def test_graphs_with_nothing_to_rewire_come_back_as_they_came(rewire):
    empty = Data(x=torch.ones(3, 1), edge_index=torch.empty(2, 0, dtype=torch.long))
    assert rewire(empty).edge_index is empty.edge_index
    nothing = Data(x=torch.ones(0, 1), edge_index=torch.empty(2, 0, dtype=torch.long))
    assert rewire(nothing).edge_index is nothing.edge_index
    loop = Data(x=torch.ones(2, 1), edge_index=torch.tensor([[1], [1]]))
    assert rewire(loop).edge_index is loop.edge_index
    pair = data_of(nx.path_graph(2))
    assert rewire(pair).edge_index is pair.edge_index


@pytest.mark.parametrize("rewire", REWIRINGS, ids=repr)
def test_what_cannot_be_rewired_is_refused(rewire):
    with pytest.raises(InputError, match=r"heterogeneous.*VirtualNode"):
        rewire(HeteroData())
    with pytest.raises(InputError, match="one direction only"):
        rewire(Data(x=torch.ones(2, 1), edge_index=torch.tensor([[0], [1]])))
    data = barbell()
    data.edge_attr = torch.ones(data.num_edges, 2)
    with pytest.raises(InputError, match="edge_attr"):
        rewire(data)


@pytest.mark.parametrize(
    ("make", "argument"),
    [
        (lambda: SDRF(-1), "num_iterations"),
        (lambda: SDRF(tau=-1.0), "tau"),
        (lambda: SDRF(tau=math.nan), "tau"),
        (lambda: SDRF(removal_bound=math.nan), "removal_bound"),
        (lambda: SDRF(seed=-1), "seed"),
        (lambda: BORF(-1), "num_iterations"),
        (lambda: BORF(batch_add=-1), "batch_add"),
        (lambda: BORF(batch_remove=-1), "batch_remove"),
    ],
)
def test_settings_without_meaning_are_refused(make, argument):
    with pytest.raises(InputError, match=f"^{argument}: found"):
        make()


def test_a_rewiring_prints_its_settings():
    assert repr(SDRF(5, tau=2.0, removal_bound=0.5, seed=3)) == (
        "SDRF(num_iterations=5, tau=2.0, removal_bound=0.5, seed=3)"
    )
    assert repr(BORF(2)) == "BORF(num_iterations=2, batch_add=4, batch_remove=2)"


def test_cora_is_rewired(cora):
    rewired = SDRF(20, tau=100.0)(cora)
    assert rewired.num_edges == cora.num_edges + 40
    least = balanced_forman_curvature(cora.edge_index).min()
    assert balanced_forman_curvature(rewired.edge_index).min() >= least
