"""Rewirings by curvature: open the bridges, thin out the thickets."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from torch_geometric.data import Data, HeteroData
from torch_geometric.transforms import BaseTransform

from benthic.ranges import number, whole_number
from benthic.transforms.edit import (
    check_added_edges,
    check_graph,
    write_edges,
)
from benthic.transforms.forman import forman_after_adding, forman_of
from benthic.transforms.ollivier import costliest_shipment, ollivier_of
from benthic.transforms.simple_graph import Curvatures, Ends, Flags, Nodes, SimpleGraph

CurvatureOf = Callable[[SimpleGraph, Ends], Curvatures]


class SDRF(BaseTransform):  # type: ignore[misc]
    r"""Supports the most negatively curved edge, again and again, by an edge beside it.

    Stochastic discrete Ricci flow, Algorithm 1 of `"Understanding over-squashing and
    bottlenecks on graphs via curvature" <https://arxiv.org/abs/2111.14522>`_, with the
    :func:`~benthic.transforms.balanced_forman_curvature`. Each iteration takes the edge
    :math:`i \sim j` of least curvature and draws a new edge :math:`k \sim l`, with k at
    i or next to it and l at j or next to it, with probability

    .. math::
        p_{kl} \propto \exp \left( \tau \left( \mathrm{Ric}_{kl}(i, j)
        - \mathrm{Ric}(i, j) \right) \right)

    where :math:`\mathrm{Ric}_{kl}` is the curvature after the addition. Then the edge
    of largest curvature is removed, if that is above :math:`C^+`. Stops early when
    nothing can be added or removed. Of equal edges the first counts, so results depend
    on the numbering of the nodes.

    Caution: added edges let far nodes be heard, and they also **speed up smoothing**.
    On real data the gains often vanish once every method gets the same search of
    hyper-parameters (`"The Effectiveness of Curvature-Based Rewiring"
    <https://arxiv.org/abs/2407.09381>`_): compare with the graph as it is.

    Edges that stay keep order and attributes. New edges come in both directions, with
    ``edge_weight`` 1 (curvature itself ignores weights) and an ``edge_type`` of their
    own if there are types. Self-loops and isolated nodes stay as they are; no component
    falls apart if :math:`C^+ \geq 0`. Time per iteration :math:`O(E + d_i d_j)` and the
    curvatures near the edits, memory :math:`O(E + d_i d_j)`.

    Args:
        num_iterations: Edges to add at most. 0 changes nothing.
        tau: Temperature; the larger, the greedier. ``math.inf`` takes the best edge.
            The paper tunes it per dataset.
        removal_bound: :math:`C^+`; None removes nothing.
        seed: Of the draws. The caller's random state is not touched.

    Raises:
        InputError: If the graph is heterogeneous, a batch, directed, or has features
            on its edges.

    Example:
        >>> edge_index = torch.tensor([[0, 1, 1, 2, 2, 3], [1, 0, 2, 1, 3, 2]])
        >>> data = Data(x=torch.ones(4, 1), edge_index=edge_index)
        >>> SDRF(num_iterations=1, tau=50.0)(data).edge_index
        tensor([[0, 1, 1, 2, 2, 3, 0, 2],
                [1, 0, 2, 1, 3, 2, 2, 0]])
    """

    def __init__(
        self,
        num_iterations: int = 10,
        *,
        tau: float = 1.0,
        removal_bound: float | None = None,
        seed: int = 0,
    ) -> None:
        whole_number("num_iterations", num_iterations, 0)
        number("tau", tau, 0, math.inf, remedy="give 0 or more")
        if removal_bound is not None:
            number("removal_bound", removal_bound, -2)  # the least curvature
        whole_number("seed", seed, 0)
        self.num_iterations = num_iterations
        self.tau = tau
        self.removal_bound = removal_bound
        self.seed = seed

    def forward(self, data: Data | HeteroData) -> Data:
        """Rewires a copy that ``__call__`` made."""
        check_graph(data)
        if self.num_iterations == 0:
            return data
        check_added_edges(data)
        flow = _Flow(SimpleGraph.of(data.edge_index, data.num_nodes), forman_of)
        rng = np.random.default_rng(self.seed)
        for _ in range(self.num_iterations):
            has_added = self._add(flow, rng)
            if not self._remove(flow) and not has_added:
                break
        return write_edges(data, flow.graph)

    def _add(self, flow: _Flow, rng: np.random.Generator) -> bool:
        if not len(flow.curvature):
            return False
        i, j = flow.ends[:, flow.curvature.argmin()].tolist()
        addition = forman_after_adding(flow.graph, i, j)
        if not len(addition.k):
            return False
        behind = addition.curvature - addition.curvature.max()  # [candidates], <= 0
        weight = np.ones_like(behind)
        is_behind = behind < 0  # where tau is infinite, 0 times tau has no value
        weight[is_behind] = np.exp(self.tau * behind[is_behind])
        choice = rng.choice(len(weight), p=weight / weight.sum())
        flow.edit(added=[(int(addition.k[choice]), int(addition.l[choice]))])
        return True

    def _remove(self, flow: _Flow) -> bool:
        if self.removal_bound is None or not len(flow.curvature):
            return False
        largest = flow.curvature.argmax()
        if flow.curvature[largest] <= self.removal_bound:
            return False
        u, v = flow.ends[:, largest]
        flow.edit(removed=[(int(u), int(v))])
        return True

    def __repr__(self) -> str:
        return (
            f"{self.__class__.__name__}(num_iterations={self.num_iterations}, "
            f"tau={self.tau}, removal_bound={self.removal_bound}, seed={self.seed})"
        )


class BORF(BaseTransform):  # type: ignore[misc]
    r"""Shortcuts the most negatively curved edges and removes the most positive ones.

    Batch Ollivier-Ricci flow of `"Revisiting Over-smoothing and Over-squashing Using
    Ollivier-Ricci Curvature" <https://arxiv.org/abs/2211.15779>`_, with the
    :func:`~benthic.transforms.ollivier_ricci_curvature`. A batch measures all
    curvatures once. For each of the h edges :math:`u \sim v` of least curvature it adds

    .. math::
        (p, q) = \arg\max_{p \sim u, \, q \sim v} \pi_{uv}(p, q) \, d(p, q)

    the costliest pair of the optimal transport :math:`\pi_{uv}`, unless p and q are
    adjacent; and it removes the k edges of largest curvature. Here only those **above
    0**: the paper removes k in any case, which on a tree cuts off leaves. No bridge is
    above 0, but removals of one batch can together disconnect a small cycle.

    Positive curvature smooths, negative curvature squashes, says the paper: removals
    slow smoothing down, additions speed it up. Caution: on real data such gains often
    vanish once every method gets the same search of hyper-parameters (`"The
    Effectiveness of Curvature-Based Rewiring" <https://arxiv.org/abs/2407.09381>`_).

    Nothing is drawn at random, but optimal plans are not unique and of equal edges the
    first counts, so results depend on the numbering of the nodes and may differ between
    versions of SciPy. Attributes, weights,
    loops and isolated nodes are treated as :class:`SDRF` does; without additions edges
    may have features. Memory :math:`O(E)`, and :math:`O(d_u d_v)` for one edge at a
    time. All curvatures are computed once, then those near the edits.

    Args:
        num_iterations: Batches. 0 changes nothing.
        batch_add: h, additions in a batch.
        batch_remove: k, removals in a batch.

    Raises:
        InputError: If the graph is heterogeneous, a batch, directed, or has features
            on its edges.

    Example:
        >>> two_stars = torch.tensor([[0, 1, 2, 3, 3], [2, 2, 3, 4, 5]])
        >>> edge_index = torch.cat([two_stars, two_stars.flip(0)], dim=1)
        >>> data = Data(x=torch.ones(6, 1), edge_index=edge_index)
        >>> BORF(num_iterations=1, batch_add=1)(data)
        Data(x=[6, 1], edge_index=[2, 12])
    """

    def __init__(
        self, num_iterations: int = 3, *, batch_add: int = 4, batch_remove: int = 2
    ) -> None:
        whole_number("num_iterations", num_iterations, 0)
        whole_number("batch_add", batch_add, 0)
        whole_number("batch_remove", batch_remove, 0)
        self.num_iterations = num_iterations
        self.batch_add = batch_add
        self.batch_remove = batch_remove

    def forward(self, data: Data | HeteroData) -> Data:
        """Rewires a copy that ``__call__`` made."""
        check_graph(data)
        if self.num_iterations == 0 or self.batch_add == self.batch_remove == 0:
            return data
        if self.batch_add:
            check_added_edges(data)
        flow = _Flow(SimpleGraph.of(data.edge_index, data.num_nodes), ollivier_of)
        for _ in range(self.num_iterations):
            added, removed = self._shortcuts(flow), self._thickest(flow)
            if not added and not removed:
                break
            flow.edit(added, removed)
        return write_edges(data, flow.graph)

    def _shortcuts(self, flow: _Flow) -> list[tuple[int, int]]:
        most_negative = np.argsort(flow.curvature, kind="stable")[: self.batch_add]
        # A dict keeps the order and drops what two edges ask for.
        shortcuts: dict[tuple[int, int], None] = {}
        for u, v in flow.ends[:, most_negative].T.tolist():
            p, q, distance = costliest_shipment(flow.graph, u, v)
            if distance > 1:
                shortcuts[min(p, q), max(p, q)] = None
        return list(shortcuts)

    def _thickest(self, flow: _Flow) -> list[tuple[int, int]]:
        most_positive = np.argsort(-flow.curvature, kind="stable")[: self.batch_remove]
        most_positive = most_positive[flow.curvature[most_positive] > 0]
        return [(int(u), int(v)) for u, v in flow.ends[:, most_positive].T]

    def __repr__(self) -> str:
        return (
            f"{self.__class__.__name__}(num_iterations={self.num_iterations}, "
            f"batch_add={self.batch_add}, batch_remove={self.batch_remove})"
        )


class _Flow:
    """A graph and the curvature of its edges, kept true while edges join and leave."""

    def __init__(self, graph: SimpleGraph, curvature_of: CurvatureOf) -> None:
        self.graph = graph
        self.ends = graph.ends
        self.curvature = curvature_of(graph, self.ends)
        self._curvature_of = curvature_of

    def edit(
        self,
        added: list[tuple[int, int]] | None = None,
        removed: list[tuple[int, int]] | None = None,
    ) -> None:
        """Adds and removes edges and measures again whatever they may have changed."""
        before, after = self.graph, self.graph
        for u, v in added or []:
            after = after.with_edge(u, v)
        for u, v in removed or []:
            after = after.without_edge(u, v)
        ends, size = after.ends, after.num_nodes
        keys = self.ends[0] * size + self.ends[1]
        place = np.searchsorted(keys, ends[0] * size + ends[1])
        # An edge that was not there gets the value of another, and is stale.
        curvature = np.append(self.curvature, 0.0)[place]
        edits = [*(added or []), *(removed or [])]
        stale = _reached(before, ends, edits) | _reached(after, ends, edits)
        curvature[stale] = self._curvature_of(after, ends[:, stale])
        self.graph, self.ends, self.curvature = after, ends, curvature


def _reached(graph: SimpleGraph, ends: Ends, edits: list[tuple[int, int]]) -> Flags:
    """Edges whose curvature an edit may have changed.

    Curvature depends on the neighbors of both ends, which change at the edit itself,
    and on paths of up to two hops between them. Such a path has p ~ q in it only if one
    end is next to p, and the other within two hops of q.
    """
    touches = np.isin(ends, edits)
    is_reached: Flags = touches[0] | touches[1]
    for p, q in edits:
        for here, there in ((p, q), (q, p)):
            close = _mark(graph, graph.neighbors(here))
            around = np.append(graph.neighbors(there), there)
            far = _mark(graph, np.append(graph.walk(around)[1], around))
            is_reached |= close[ends[0]] & far[ends[1]]
            is_reached |= close[ends[1]] & far[ends[0]]
    return is_reached


def _mark(graph: SimpleGraph, nodes: Nodes) -> Flags:
    is_marked = np.zeros(graph.num_nodes, dtype=bool)
    is_marked[nodes] = True
    return is_marked
