"""Claim 2: where propagation leads, and how far away that is."""

from __future__ import annotations

import math
from typing import Any

import torch
from benchmarks.guide.cells import Cells, share
from benchmarks.guide.operators import (
    Limit,
    components,
    propagation,
    random_walk,
    span_share,
)
from benchmarks.guide.section import CONDITIONS, Section, published, require, table
from scipy.sparse.linalg import eigsh
from torch import Tensor
from torch_geometric.data import Data
from torch_geometric.utils import degree, subgraph, to_scipy_sparse_matrix

from benthic import load
from benthic.checks.propagation import limit_cosine
from benthic.metrics import mean_cosine_similarity

STEPS = {
    "cora": (0, 2, 8, 32, 128, 1024),
    "citeseer": (0, 2, 8, 32, 128, 1024),
    "pubmed": (0, 2, 8, 32, 128),
}
CHANNELS = 128  # random projections of the features: shares and cosines to two digits


def measure(cells: Cells) -> None:
    """Propagates the features of three graphs, without weights."""
    for name in STEPS:
        data = load(name)
        cells.measure(f"{name} graph", lambda d=data: _graph(d))
        cells.measure(f"{name} steps", lambda d=data, n=name: _steps(d, STEPS[n]))


def narrow(x: Tensor) -> Tensor:
    """The features on random directions, in float64."""
    generator = torch.Generator().manual_seed(0)
    projection = torch.randn(x.size(1), CHANNELS, generator=generator)
    return (x @ projection).double()


def _graph(data: Data) -> dict[str, Any]:
    component = components(data.edge_index, data.num_nodes)
    largest = component == component.bincount().argmax()
    slowest = second_eigenvalue(
        subgraph(largest, data.edge_index, relabel_nodes=True)[0], int(largest.sum())
    )
    degrees = degree(data.edge_index[1], data.num_nodes)[largest]
    return {
        "nodes": data.num_nodes,
        "components": int(component.max()) + 1,
        "largest_component": int(largest.sum()),
        "second_eigenvalue": slowest,
        "steps_to_halve": math.log(0.5) / math.log(slowest),
        "longest_over_shortest_row": float(
            ((degrees.max() + 1) / (degrees.min() + 1)).sqrt()
        ),
        "limit_cosine": limit_cosine(data),
    }


def second_eigenvalue(edge_index: Tensor, num_nodes: int) -> float:
    """The slowest mode of a connected graph's operator: its second |eigenvalue|."""
    matrix = propagation(edge_index, num_nodes).to_sparse_coo().coalesce()
    csr = to_scipy_sparse_matrix(matrix.indices(), matrix.values(), num_nodes).tocsr()
    start = torch.ones(num_nodes, dtype=torch.float64).numpy()
    values = eigsh(csr, k=3, which="LM", v0=start, return_eigenvectors=False)
    return float(sorted(abs(values))[-2])


def _steps(data: Data, steps: tuple[int, ...]) -> dict[str, Any]:
    size = data.num_nodes
    limit = Limit.of(data)
    root = (degree(data.edge_index[1], size) + 1).sqrt()
    operators = {
        "symmetric": propagation(data.edge_index, size),
        "random walk": random_walk(data.edge_index, size),
    }
    flat = Limit(limit.component, _flat(limit.component))
    rows = {}
    for name, operator in operators.items():
        x, done, rows[name] = narrow(data.x), 0, []
        for step in steps:
            for _ in range(step - done):
                x = operator @ x
            done = step
            rows[name].append(
                {
                    "step": step,
                    "one_root_degree": span_share(x, root),
                    "root_degree_by_component": limit.share(x),
                    "one_constant": span_share(x, torch.ones(size)),
                    "constant_by_component": flat.share(x),
                    "degree": span_share(x, root**2),
                    "mean_cosine": float(mean_cosine_similarity(x)),
                }
            )
    return rows


def _flat(component: Tensor) -> Tensor:
    """Unit vector of each component with equal entries."""
    return component.bincount()[component].double().rsqrt()


def section(cells: Cells) -> Section:
    """What it says about the claim."""
    graphs = {name: cells.cells[f"{name} graph"] for name in STEPS}
    last = {name: cells.cells[f"{name} steps"] for name in STEPS}
    rows = []
    for name, graph in graphs.items():
        symmetric, walk = last[name]["symmetric"][-1], last[name]["random walk"][-1]
        rows.append(
            [
                name,
                graph["components"],
                symmetric["step"],
                f"{symmetric['one_root_degree']:.2f}",
                f"{symmetric['root_degree_by_component']:.3f}",
                f"{walk['constant_by_component']:.3f}",
                f"{symmetric['degree']:.2f}",
                f"{graph['limit_cosine']:.2f}",
                f"{graph['steps_to_halve']:.0f}",
                f"{graph['longest_over_shortest_row']:.1f}",
            ]
        )
    cora, pubmed = graphs["cora"], last["pubmed"]["symmetric"][-1]
    require(rows[0][3] < "0.6" and cora["limit_cosine"] < 0.95, "not one direction")
    return Section(
        name="2",
        title="All nodes converge to one value",
        says="Repeated averaging drives every node to the same vector; it also says "
        "to a vector proportional to √degree, and calls it the stationary "
        "distribution of a random walk.",
        verdict=CONDITIONS,
        short=f"One direction for each component ({cora['components']} on Cora), rows "
        f"of different length, and only without weights: half of ‖X‖² "
        f"({share(1 - last['cora']['symmetric'][-1]['one_root_degree'])}) never enters "
        "the guide's one direction.",
        measured="Features propagated without weights. Shares of ‖X‖² at the last "
        "step: along the one vector √(d+1); inside √(d+1) on each component; the "
        "same with equal entries under the mean (random walk) operator; along the "
        "vector d+1, which is the walk's stationary distribution. Then the mean "
        "cosine in the limit, steps that halve the slowest mode of the largest "
        "component, and longest over shortest row in the limit there:\n\n"
        + table(
            [
                "graph",
                "components",
                "steps",
                "√(d+1), one",
                "√(d+1), each",
                "equal, each (mean)",
                "d+1, one",
                "limit cosine",
                "steps to halve",
                "row lengths",
            ],
            rows,
        )
        + "\n\nSo three limits are mixed up in one sentence: √(d+1) belongs to "
        "GCN's symmetric operator, equal rows to the mean, d+1 to the walk's "
        "stationary distribution. On PubMed, one component, the first is "
        f"{pubmed['one_root_degree']:.3f} of ‖X‖² after {pubmed['step']} steps and "
        f"the last stays at {pubmed['degree']:.2f}.",
        published=f"The authors of {published('oono')['source']} prove convergence to "
        "that space only where the largest singular value of the weights, times the "
        "second eigenvalue, is below 1. Learned weights may exceed it.",
        means="Collinear is not identical, and per component is not global: compare "
        "rows within a component (`mean_cosine_similarity(x, component)`), against "
        "the limit of your own graph, which `benthic diagnose` prints.",
        script="c02_limit",
    )
