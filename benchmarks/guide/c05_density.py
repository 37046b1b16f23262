"""Claim 5: density against the spectral gap, as what sets the speed of smoothing."""

from __future__ import annotations

from statistics import median
from typing import Any

import networkx
import torch
from benchmarks.guide.cells import Cells
from benchmarks.guide.operators import Limit, propagation
from benchmarks.guide.section import CONDITIONS, Section, require, table
from torch_geometric.data import Data
from torch_geometric.utils import to_undirected

NODES = 512
DEGREES = (8, 32, 128)
SEEDS = range(3)
CHANNELS = 64
STEPS = 16


def measure(cells: Cells) -> None:
    """Propagates noise on sparse and dense graphs of one size."""
    for seed in SEEDS:
        for name, graph in _graphs(seed).items():
            cells.measure(f"{name} seed {seed}", lambda g=graph, s=seed: _decay(g, s))


def _graphs(seed: int) -> dict[str, networkx.Graph]:
    return {
        "expander": networkx.random_regular_graph(4, NODES, seed=seed),
        "barbell": networkx.barbell_graph(NODES // 2, 0),
        "cycle": networkx.cycle_graph(NODES),
        **{
            f"random {degree}": networkx.gnp_random_graph(
                NODES, degree / (NODES - 1), seed=seed
            )
            for degree in DEGREES
        },
    }


def _decay(graph: networkx.Graph, seed: int) -> dict[str, Any]:
    edge_index = to_undirected(torch.tensor(list(graph.edges)).T)
    data = Data(edge_index=edge_index, num_nodes=NODES)
    operator = propagation(edge_index, NODES)
    eigenvalues = torch.linalg.eigvalsh(operator.to_dense()).abs().sort().values
    limit = Limit.of(data)
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(NODES, CHANNELS, generator=generator).double()
    distance = [float((x - limit.project(x)).norm())]
    for _ in range(STEPS):
        x = operator @ x
        distance.append(float((x - limit.project(x)).norm()))
    return {
        "mean_degree": edge_index.size(1) / NODES,
        "components": limit.dimension,
        "spectral_gap": 1 - float(eigenvalues[-limit.dimension - 1]),
        "left_after_steps": distance[-1] / distance[0],
        "factor_per_late_step": (distance[-1] / distance[STEPS // 2]) ** (2 / STEPS),
    }


def section(cells: Cells) -> Section:
    """What it says about the claim."""
    names = {
        "cycle": "cycle",
        "expander": "random 4-regular (expander)",
        **{f"random {d}": f"random, mean degree {d}" for d in DEGREES},
        "barbell": "two cliques, one edge (barbell)",
    }
    found = {
        key: {
            figure: median(cells.values(f"{key} seed {{seed}}", figure))
            for figure in (
                "mean_degree",
                "spectral_gap",
                "left_after_steps",
                "factor_per_late_step",
            )
        }
        for key in names
    }
    sparse, dense = found["expander"], found["barbell"]
    require(sparse["spectral_gap"] > 100 * dense["spectral_gap"], "the gap decides")
    require(sparse["left_after_steps"] < dense["left_after_steps"], "expander first")
    return Section(
        name="5",
        title="Dense graphs smooth faster",
        says="The denser the graph, the fewer layers until all nodes are alike.",
        verdict=CONDITIONS,
        short="True among random graphs of one kind. In general the spectral gap "
        f"decides: degree {sparse['mean_degree']:.0f} with a gap of "
        f"{sparse['spectral_gap']:.2f} loses a factor "
        f"{sparse['factor_per_late_step']:.2f} per layer, degree "
        f"{dense['mean_degree']:.0f} with a gap of "
        f"{dense['spectral_gap']:.0e} a factor {dense['factor_per_late_step']:.5f}.",
        measured=f"Noise propagated on graphs of {NODES} nodes, medians of "
        f"{len(SEEDS)} seeds; distance to the fully smoothed state after {STEPS} "
        "layers, and its factor per layer in the second half of them:\n\n"
        + table(
            [
                "graph",
                "mean degree",
                "spectral gap",
                f"left after {STEPS}",
                "per layer",
            ],
            [
                [
                    name,
                    f"{found[key]['mean_degree']:.0f}",
                    f"{found[key]['spectral_gap']:.2g}",
                    f"{found[key]['left_after_steps']:.2g}",
                    f"{found[key]['factor_per_late_step']:.5g}",
                ]
                for key, name in names.items()
            ],
        )
        + "\n\nInside each clique of the barbell one layer mixes everything; what "
        "tells the two apart stays for tens of thousands of layers.",
        means="Count bottlenecks, not edges. A dense graph of communities keeps its "
        "communities apart; adding edges across a bottleneck (rewiring) speeds "
        "smoothing up.",
        script="c05_density",
    )
