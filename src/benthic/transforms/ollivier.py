"""Ollivier-Ricci curvature: are the neighbors of two nodes nearer than the nodes?"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from jaxtyping import Float64, Int64
from scipy.optimize import linear_sum_assignment, linprog
from scipy.sparse import block_diag, coo_array, csr_array, identity, kron, vstack

from benthic.transforms.simple_graph import (
    Curvatures,
    Ends,
    Nodes,
    PerEdge,
    SimpleGraph,
    per_column,
)
from benthic.typing import EdgeIndex

Distances = Int64[np.ndarray, "_ _"]
Plan = Float64[np.ndarray, "_ _"]
Values = Float64[np.ndarray, "_"]

_UNITS = 512  # above, assigning units of mass is slower than a linear program (Cora)
_PROGRAMS_AT_ONCE = 32  # starting the solver takes longer than a small program
_PAIRS_AT_ONCE = 2**18  # some 40 MB


def ollivier_ricci_curvature(
    edge_index: EdgeIndex, num_nodes: int | None = None
) -> PerEdge:
    r"""How much nearer the neighbors of two adjacent nodes are than the nodes.

    As in `"Revisiting Over-smoothing and Over-squashing Using Ollivier-Ricci
    Curvature" <https://arxiv.org/abs/2211.15779>`_:

    .. math::
        \kappa(u, v) = 1 - W_1(\mu_u, \mu_v), \qquad
        \mu_u(x) = \begin{cases} 1 / d_u & x \sim u \\ 0 & \text{otherwise}
        \end{cases}

    with the optimal transport cost :math:`W_1` over shortest-path distances. No mass
    stays at the node itself (other libraries keep half of it there and read other
    values). Exact: neighbors of adjacent nodes are 0 to 3 apart, and the small
    transport problem is solved as an assignment or a linear program.

    In :math:`[-2, 1]`: an edge below 0 is a bridge between neighborhoods, an edge
    above 0 lies on a cycle of length 3 to 5. Trap: cliques read just below 1, never
    above, so thresholds of :func:`balanced_forman_curvature` do not carry over.

    Repeated edges count once; a self-loop is in no degree and reads NaN. Memory
    :math:`O(E)`, and :math:`O(d_u d_v)` for one edge at a time. Seconds for thousands
    of edges, hours for many millions.

    Args:
        edge_index: Both directions of every undirected edge.
        num_nodes: Number of nodes; one more than the largest index if None.

    Raises:
        InputError: If an edge names a node that is not there, or comes in one
            direction only.

    Example:
        >>> triangle = torch.tensor([[0, 1, 1, 2, 2, 0], [1, 0, 2, 1, 0, 2]])
        >>> ollivier_ricci_curvature(triangle)[0]
        tensor(0.5000, dtype=torch.float64)
    """
    graph = SimpleGraph.of(edge_index, num_nodes)
    return per_column(ollivier_of(graph, graph.ends), graph, edge_index)


def ollivier_of(graph: SimpleGraph, ends: Ends) -> Curvatures:
    """Curvature of some edges of a graph.

    Example:
        >>> square = torch.tensor([[0, 1, 1, 2, 2, 3, 3, 0], [1, 0, 2, 1, 3, 2, 0, 3]])
        >>> ollivier_of(SimpleGraph.of(square), np.array([[0], [1]]))
        array([0.])
    """
    curvature = np.zeros(ends.shape[1])
    # A leaf's only neighbor is 1 away from all of its neighbors: curvature 0.
    inner = np.flatnonzero(graph.degree[ends].min(axis=0) > 1)
    if not len(inner):
        return curvature
    work = np.cumsum(_work(graph, ends[:, inner]) / _PAIRS_AT_ONCE).astype(np.int64)
    for block in np.split(inner, np.flatnonzero(np.diff(work)) + 1):
        distances = _neighbor_distances(graph, ends[:, block])
        curvature[block] = 1 - _transport_costs(distances)
    return curvature


class Shipment(NamedTuple):
    """The costliest part of an optimal transport between two neighborhoods."""

    p: int
    q: int
    distance: int


def costliest_shipment(graph: SimpleGraph, u: int, v: int) -> Shipment:
    r"""Where the transport along an edge costs most: the shortcut that it misses.

    The pair :math:`p \sim u, q \sim v` with the largest :math:`\pi(p, q) d(p, q)` in
    an optimal plan :math:`\pi`; the first of equals.

    Example:
        >>> two_stars = torch.tensor([[0, 1, 2, 3, 3], [2, 2, 3, 4, 5]])
        >>> edge_index = torch.cat([two_stars, two_stars.flip(0)], dim=1)
        >>> costliest_shipment(SimpleGraph.of(edge_index), 2, 3)
        Shipment(p=0, q=4, distance=3)
    """
    (distances,) = _neighbor_distances(graph, np.array([[u], [v]]))
    problem = _merged(distances)
    (plan,) = _optimal_plans([problem])
    # What is moved between two groups may all start with one neighbor and end with one.
    units = math.lcm(*distances.shape)
    most = min(units // size for size in distances.shape)
    cost = np.minimum(plan.round(), most) * problem.distances
    row, column = np.unravel_index(cost.argmax(), cost.shape)
    p = graph.neighbors(u)[problem.first_left[row]]
    q = graph.neighbors(v)[problem.first_right[column]]
    return Shipment(int(p), int(q), int(problem.distances[row, column]))


def _work(graph: SimpleGraph, ends: Ends) -> Nodes:
    """Numbers that the distances around each edge take."""
    reach = np.bincount(
        graph.source, graph.degree[graph.target], minlength=graph.num_nodes
    )
    work: Nodes = (reach[ends].sum(axis=0) + graph.degree[ends].prod(axis=0)).astype(
        int
    )
    return work


def _neighbor_distances(graph: SimpleGraph, ends: Ends) -> list[Distances]:
    """Hops between the neighbors of the two ends of each edge, 0 to 3."""
    (edge, left), (other, right) = graph.walk(ends[0]), graph.walk(ends[1])
    height, width = graph.degree[ends]
    # Every left neighbor with every right one of the same edge, row by row.
    row = np.repeat(np.arange(len(left)), width[edge])
    offset = (np.cumsum(width) - width)[edge] - np.cumsum(width[edge]) + width[edge]
    column = np.arange(len(row)) + offset[row]

    hops = np.full(len(row), 3)
    meets = _meeting(graph, (edge, left), (other, right))
    hops[meets.col - offset[meets.row]] = 2
    hops[graph.adjacent(left[row], right[column])] = 1
    hops[left[row] == right[column]] = 0
    tables = np.split(hops, np.cumsum(height * width)[:-1])
    shapes = zip(height, width, strict=True)
    return [table.reshape(s) for table, s in zip(tables, shapes, strict=True)]


def _meeting(graph: SimpleGraph, *sides: tuple[Nodes, Nodes]) -> coo_array:
    """Left and right neighbors of the same edge that have a neighbor in common."""
    steps, keys = [], []
    for edge, node in sides:
        step, reached = graph.walk(node)
        steps.append(step)
        keys.append(edge[step] * graph.num_nodes + reached)
    known, place = np.unique(np.concatenate(keys), return_inverse=True)
    places = np.split(place, [len(keys[0])])
    left, right = (
        csr_array((np.ones(len(s)), (s, p)), shape=(len(node), len(known)))
        for s, p, (_, node) in zip(steps, places, sides, strict=True)
    )
    return (left @ right.T).tocoo()


class _Transport(NamedTuple):
    """Whole units of mass to move between groups; both sides have equally many."""

    distances: Distances
    supply: Nodes
    demand: Nodes
    first_left: Nodes  # a member of each group
    first_right: Nodes


def _transport_costs(tables: list[Distances]) -> Values:
    """Least cost between uniform masses on the two sides of each table."""
    units = np.array([math.lcm(*table.shape) for table in tables])
    cost = np.zeros(len(tables))
    for position in np.flatnonzero(units <= _UNITS):
        masses = _unit_masses(tables[position])
        cost[position] = masses[linear_sum_assignment(masses)].sum()
    large = np.flatnonzero(units > _UNITS)
    for start in range(0, len(large), _PROGRAMS_AT_ONCE):
        block = large[start : start + _PROGRAMS_AT_ONCE]
        problems = [_merged(tables[position]) for position in block]
        plans = _optimal_plans(problems)
        moves = zip(problems, plans, strict=True)
        cost[block] = [round((p.distances * plan).sum()) for p, plan in moves]
    least: Values = cost / units
    return least


def _unit_masses(distances: Distances) -> Distances:
    """Every neighbor as many times as it has units."""
    height, width = distances.shape
    units = math.lcm(height, width)
    rows = np.repeat(distances, units // height, axis=0)
    return np.repeat(rows, units // width, axis=1)


def _merged(distances: Distances) -> _Transport:
    """Neighbors that are equally far from everyone, of which a hub has many, as one."""
    height, width = distances.shape
    units = math.lcm(height, width)
    distances, left, supply = np.unique(
        distances, axis=0, return_index=True, return_counts=True
    )
    distances, right, demand = np.unique(
        distances, axis=1, return_index=True, return_counts=True
    )
    return _Transport(
        distances, supply * (units // height), demand * (units // width), left, right
    )


def _optimal_plans(problems: list[_Transport]) -> list[Plan]:
    """One linear program of all problems: its constraints do not mix them."""
    constraints, masses = [], []
    for problem in problems:
        height, width = problem.distances.shape
        by_row = kron(identity(height), np.ones((1, width)))
        by_column = kron(np.ones((1, height)), identity(width))
        constraints.append(vstack([by_row, by_column]))
        masses += [problem.supply, problem.demand]
    flat = [problem.distances.ravel() for problem in problems]
    moved = linprog(
        np.concatenate(flat),
        A_eq=block_diag(constraints, format="csc"),
        b_eq=np.concatenate(masses),
        method="highs",
    ).x
    parts = np.split(moved, np.cumsum([len(part) for part in flat])[:-1])
    return [
        part.reshape(problem.distances.shape)
        for part, problem in zip(parts, problems, strict=True)
    ]
