"""Balanced Forman curvature: which edges are bridges, which are in the thick of it?"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Bool, Float64, Int64

from benthic.transforms.simple_graph import (
    Curvatures,
    Ends,
    Nodes,
    PerEdge,
    SimpleGraph,
    per_column,
)
from benthic.typing import EdgeIndex

Counts = Int64[np.ndarray, "..."] | int | np.integer[Any]
Values = Float64[np.ndarray, "..."]
Table = Bool[np.ndarray, "k w"]

_STEPS_AT_ONCE = 2**20  # about 60 MB of indices


def balanced_forman_curvature(
    edge_index: EdgeIndex, num_nodes: int | None = None
) -> PerEdge:
    r"""Triangles and squares around an edge, against the branching at its two ends.

    From `"Understanding over-squashing and bottlenecks on graphs via curvature"
    <https://arxiv.org/abs/2111.14522>`_, Definition 1: zero where an end of
    :math:`i \sim j` has degree 1, otherwise

    .. math::
        \mathrm{Ric}(i, j) = \frac{2}{d_i} + \frac{2}{d_j} - 2
        + 2 \frac{|\sharp_\Delta|}{\max(d_i, d_j)}
        + \frac{|\sharp_\Delta|}{\min(d_i, d_j)}
        + \frac{|\sharp_\square^i| + |\sharp_\square^j|}
        {\gamma_{\max} \max(d_i, d_j)}

    :math:`\sharp_\Delta` are the common neighbors, :math:`\sharp_\square^i` the
    neighbors of :math:`i` on a 4-cycle through the edge without diagonals, and
    :math:`\gamma_{\max}` the most such cycles through one node of them. The authors'
    published code differs from this definition: it counts cycles with a diagonal and
    leaves out the rule for degree 1.

    An edge below 0 is tree-like (down to -2), a long cycle or a grid is flat, a clique
    is at 1 and above. Trap: on real graphs the most negative edges mostly do not meet
    the theory's condition for a bottleneck (`"The Effectiveness of Curvature-Based
    Rewiring" <https://arxiv.org/abs/2407.09381>`_).

    Repeated edges count once; a self-loop is in no degree and reads NaN. Time
    :math:`O(\sum_{(i, j)} \sum_{k \sim i} d_k \log E)`, memory linear in the edges.

    Args:
        edge_index: Both directions of every undirected edge.
        num_nodes: Number of nodes; one more than the largest index if None.

    Raises:
        InputError: If an edge names a node that is not there, or comes in one
            direction only.

    Example:
        >>> path = torch.tensor([[0, 1, 1, 2, 2, 3], [1, 0, 2, 1, 3, 2]])
        >>> balanced_forman_curvature(path)
        tensor([0., 0., 0., 0., 0., 0.], dtype=torch.float64)
        >>> triangle = torch.tensor([[0, 1, 1, 2, 2, 0], [1, 0, 2, 1, 0, 2]])
        >>> balanced_forman_curvature(triangle)[0]
        tensor(1.5000, dtype=torch.float64)
    """
    graph = SimpleGraph.of(edge_index, num_nodes)
    return per_column(forman_of(graph, graph.ends), graph, edge_index)


def forman_of(graph: SimpleGraph, ends: Ends) -> Curvatures:
    """Curvature of some edges of a graph.

    Example:
        >>> square = torch.tensor([[0, 1, 1, 2, 2, 3, 3, 0], [1, 0, 2, 1, 3, 2, 0, 3]])
        >>> forman_of(SimpleGraph.of(square), np.array([[0], [1]]))
        array([1.])
    """
    reach = np.bincount(
        graph.source, graph.degree[graph.target], minlength=graph.num_nodes
    )
    far = reach[ends[0]] > reach[ends[1]]
    ends = np.where(far, ends[::-1], ends)  # squares are found from the cheaper end
    steps = np.cumsum(reach[ends[0]])
    block = (steps / _STEPS_AT_ONCE).astype(np.int64)
    starts = np.flatnonzero(np.diff(block, prepend=-1))
    blocks = np.split(ends, starts[1:], axis=1)
    return np.concatenate([_forman_of_block(graph, part) for part in blocks])


class Addition(NamedTuple):
    """Edges that may be added around an edge, and the curvature it then has."""

    k: Nodes
    l: Nodes  # noqa: E741 - the paper's letter
    curvature: Curvatures


def forman_after_adding(graph: SimpleGraph, i: int, j: int) -> Addition:
    r"""Curvature of one edge after each addition near it.

    All edges :math:`k \sim l` that are not there, with k at i or next to it and l at
    j or next to it. In closed form, without building the graphs; memory and time
    :math:`O(d_i d_j + \sum_{k \sim i} d_k)`.

    Example:
        >>> path = torch.tensor([[0, 1, 1, 2, 2, 3], [1, 0, 2, 1, 3, 2]])
        >>> addition = forman_after_adding(SimpleGraph.of(path), 1, 2)
        >>> addition.k.tolist(), addition.l.tolist()
        ([0, 1, 0], [3, 3, 2])
        >>> addition.curvature.round(2).tolist()
        [1.0, 0.83, 0.83]
    """
    squares = _find_squares(graph, np.array([[i], [j]]))
    around_i, around_j = graph.neighbors(i), graph.neighbors(j)
    shared = np.intersect1d(around_i, around_j)
    open_i = np.setdiff1d(around_i, np.append(shared, j))
    open_j = np.setdiff1d(around_j, np.append(shared, i))
    table = np.zeros((len(open_i), len(open_j)), dtype=bool)
    table[np.searchsorted(open_i, squares.k), np.searchsorted(open_j, squares.w)] = True
    degrees, triangles = (len(around_i), len(around_j)), len(shared)

    row, column = np.nonzero(~table)
    closing = _closing(table)[:, row, column]
    parts = [
        Addition(open_i[row], open_j[column], _formula(*degrees, triangles, *closing)),
        _chords(i, open_j, table, degrees, triangles),
    ]
    swapped = _chords(j, open_i, table.T, degrees[::-1], triangles)
    parts.append(Addition(swapped.l, swapped.k, swapped.curvature))

    rows, columns = table.sum(axis=1), table.sum(axis=0)
    now = _formula(*degrees, triangles, *_totals(rows, columns))
    for k, l in ((shared, open_j), (open_i, shared), (shared, shared)):  # noqa: E741
        parts.append(_indifferent(graph, k, l, now))
    return Addition(*map(np.concatenate, zip(*parts, strict=True)))


class _Squares(NamedTuple):
    triangles: Nodes
    edge: Nodes
    k: Nodes  # next to the first end
    w: Nodes  # next to the second


def _find_squares(graph: SimpleGraph, ends: Ends) -> _Squares:
    """Every 4-cycle i, k, w, j without diagonals through every edge."""
    edge, k = graph.walk(ends[0])
    is_shared = graph.adjacent(k, ends[1][edge])
    triangles = np.bincount(edge[is_shared], minlength=ends.shape[1])
    is_open = ~is_shared & (k != ends[1][edge])
    edge, k = edge[is_open], k[is_open]
    step, w = graph.walk(k)
    for end, is_near in ((1, True), (0, False)):
        closes = graph.adjacent(w, ends[end][edge[step]]) == is_near
        step, w = step[closes], w[closes]
    closes = w != ends[0][edge[step]]
    step, w = step[closes], w[closes]
    return _Squares(triangles, edge[step], k[step], w)


def _forman_of_block(graph: SimpleGraph, ends: Ends) -> Curvatures:
    squares = _find_squares(graph, ends)
    on_square = np.zeros(ends.shape[1], dtype=np.int64)
    most = np.zeros_like(on_square)
    for corner in (squares.k, squares.w):
        key, through = np.unique(
            squares.edge * graph.num_nodes + corner, return_counts=True
        )
        edge = key // graph.num_nodes
        on_square += np.bincount(edge, minlength=ends.shape[1])
        np.maximum.at(most, edge, through)
    degree = graph.degree[ends]
    return _formula(degree[0], degree[1], squares.triangles, on_square, most)


def _formula(
    degree_i: Counts,
    degree_j: Counts,
    triangles: Counts,
    on_square: Counts,
    most: Counts,
) -> Values:
    low, high = np.minimum(degree_i, degree_j), np.maximum(degree_i, degree_j)
    value = 2 / high + 2 / low - 2 + (2 / high + 1 / low) * triangles
    value = value + on_square / (high * np.maximum(most, 1))
    return np.asarray(np.where(low > 1, value, 0.0))


def _totals(rows: Nodes, columns: Nodes) -> tuple[Counts, Counts]:
    """Corners on a square, and the most squares through one of them."""
    both = np.append(rows, columns)
    return np.count_nonzero(both), both.max(initial=0)


def _closing(table: Table) -> Int64[np.ndarray, "2 k w"]:
    """The totals after a square is closed by joining k and w."""
    rows, columns = table.sum(axis=1), table.sum(axis=0)
    on_square, most = _totals(rows, columns)
    alone = (rows == 0)[:, None].astype(np.int64) + (columns == 0)
    grown = np.maximum(rows[:, None], columns) + 1
    return np.stack([on_square + alone, np.maximum(most, grown)])


def _chords(
    i: int,
    open_j: Nodes,
    table: Table,
    degrees: tuple[int, int],
    triangles: int,
) -> Addition:
    """Joins i to a neighbor w of j: a triangle, and a diagonal in each square of w."""
    rows, columns = table.sum(axis=1), table.sum(axis=0)
    on_square = np.count_nonzero(rows) + np.count_nonzero(columns)
    on_square = on_square - (columns > 0) - table[rows == 1].sum(axis=0)
    fullest = rows.max(initial=0)
    is_fullest = rows == fullest
    all_lose = table[is_fullest].sum(axis=0) == is_fullest.sum()
    by_rows = np.maximum(fullest - all_lose, 0)
    ranked = np.sort(columns)[::-1]
    largest, second = (*ranked[:2], 0, 0)[:2]
    by_columns = np.where(columns == largest, second, largest)
    most = np.maximum(by_rows, by_columns)
    curvature = _formula(degrees[0] + 1, degrees[1], triangles + 1, on_square, most)
    return Addition(np.full_like(open_j, i), open_j, curvature)


def _indifferent(graph: SimpleGraph, k: Nodes, w: Nodes, now: Values) -> Addition:
    """Joins that leave the edge as it is, because an end is a common neighbor."""
    first, second = np.repeat(k, len(w)), np.tile(w, len(k))
    can = (first != second) & ~graph.adjacent(first, second)
    return Addition(first[can], second[can], np.full(can.sum(), now))
