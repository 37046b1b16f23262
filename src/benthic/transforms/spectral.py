"""Rewirings by spectrum: widen the gap, or propagate on an expander."""

from __future__ import annotations

import itertools

import numpy as np
import torch
from jaxtyping import Float64, Int64
from torch_geometric.data import Data, HeteroData
from torch_geometric.transforms import BaseTransform

from benthic.ranges import whole_number
from benthic.transforms.edit import (
    add_edge_type,
    append_edges,
    check_added_edges,
    check_graph,
    write_edges,
)
from benthic.transforms.simple_graph import SimpleGraph
from benthic.typing import EdgeIndex

Vector = Float64[np.ndarray, "nodes"]
Codes = Int64[np.ndarray, "..."]


class FoSR(BaseTransform):  # type: ignore[misc]
    r"""Adds the edges that widen the spectral gap fastest, to first order.

    First-order spectral rewiring of `"FoSR: First-order spectral rewiring for
    addressing oversquashing in GNNs" <https://arxiv.org/abs/2210.11790>`_. With
    :math:`\hat{\mathbf{A}} = \mathbf{D}^{-1/2} \mathbf{A} \mathbf{D}^{-1/2}` and its
    second eigenvector :math:`\mathbf{x}`, each iteration adds the missing edge

    .. math::
        (u, v) = \arg\min \frac{x_u x_v}{\sqrt{(1 + d_u) (1 + d_v)}}

    the leading term in the change of the second eigenvalue, whose distance to 1 is the
    gap. :math:`\mathbf{x}` comes from power iterations of :math:`\mathbf{I} +
    \hat{\mathbf{A}}` orthogonal to :math:`\sqrt{\mathbf{d}}`: a few at first, then one
    after every edge.

    ``edge_type`` is 0 for edges that were there and 1 for the added ones, so that a
    relational layer (``RGCNConv``) can tell them apart: the paper's remedy for the
    price of a wide gap, which is **faster smoothing**. A model that does not read
    ``edge_type`` pays it. Edges that have types keep them, and the added ones get one
    type more.

    Measured here: across one bottleneck (a barbell) it widens the gap more than random
    edges do. On trees, rings and chains of cliques, with many bottlenecks alike, random
    edges did as well or better: edges between the extremes of one vector repeat each
    other, and the vector trails behind with one power iteration per edge.

    Edges that stay keep order and weights, new ones have ``edge_weight`` 1; the
    spectrum is that of the graph without weights and self-loops. The gap of a graph in
    pieces is 0 until the last is joined; an isolated node has no row in
    :math:`\hat{\mathbf{A}}` and is joined only if nothing else can be. Without any edge
    nothing is added. Time per iteration :math:`O(E + N \log N)`, memory :math:`O(E)`:
    the best pair is found along the sorted vector, not among all pairs.

    Args:
        num_iterations: Edges to add. 0 adds none.
        initial_power_iters: Power iterations before the first edge.
        seed: Of the first vector. The caller's random state is not touched.

    Raises:
        InputError: If the graph is heterogeneous, a batch, directed, or has features
            on its edges.

    Example:
        >>> edge_index = torch.tensor([[0, 1, 1, 2, 2, 3], [1, 0, 2, 1, 3, 2]])
        >>> data = Data(x=torch.ones(4, 1), edge_index=edge_index)
        >>> rewired = FoSR(num_iterations=1)(data)
        >>> rewired.edge_index[:, 6:], rewired.edge_type
        (tensor([[0, 3],
                [3, 0]]), tensor([0, 0, 0, 0, 0, 0, 1, 1]))
    """

    def __init__(
        self,
        num_iterations: int = 50,
        *,
        initial_power_iters: int = 5,
        seed: int = 0,
    ) -> None:
        whole_number("num_iterations", num_iterations, 0)
        whole_number("initial_power_iters", initial_power_iters, 0)
        whole_number("seed", seed, 0)
        self.num_iterations = num_iterations
        self.initial_power_iters = initial_power_iters
        self.seed = seed

    def forward(self, data: Data | HeteroData) -> Data:
        """Rewires a copy that ``__call__`` made."""
        check_graph(data)
        if self.num_iterations:
            check_added_edges(data)
        add_edge_type(data)
        if self.num_iterations == 0:
            return data
        graph = SimpleGraph.of(data.edge_index, data.num_nodes)
        return write_edges(data, self._widen(graph))

    def _widen(self, graph: SimpleGraph) -> SimpleGraph:
        if not len(graph.keys):
            return graph
        x = np.random.default_rng(self.seed).uniform(-1, 1, graph.num_nodes)
        for _ in range(self.initial_power_iters):
            x = _power_iteration(graph, x)
        for _ in range(self.num_iterations):
            pair = _least_product(graph, x / np.sqrt(1 + graph.degree))
            if pair is None:
                break
            graph = graph.with_edge(*pair)
            x = _power_iteration(graph, x)
        return graph

    def __repr__(self) -> str:
        return (
            f"{self.__class__.__name__}(num_iterations={self.num_iterations}, "
            f"initial_power_iters={self.initial_power_iters}, seed={self.seed})"
        )


class EGP(BaseTransform):  # type: ignore[misc]
    r"""Gives every graph an expander as a second set of edges.

    Expander graph propagation (`"Expander Graph Propagation"
    <https://arxiv.org/abs/2210.02997>`_): layers in turn propagate along
    ``data.edge_index`` and along ``data.expander_edge_index``, the
    :func:`cayley_graph` on as many nodes. Messages then reach everyone within
    :math:`O(\log N)` steps, whatever the graph was: which node stands where in the
    expander is arbitrary, and follows the numbering. Relabel the nodes and another
    graph comes out.

    With ``merged=True`` the expander's edges join ``data.edge_index`` instead, for
    models that know one set of edges: those that the graph lacks are added, with
    ``edge_weight`` 1 and an ``edge_type`` of their own (0 and 1 on a graph without
    types). That **speeds up smoothing** with the gap that it opens; the paper keeps the
    sets apart.

    The graph may be directed, have self-loops and, unmerged, features on its edges;
    isolated nodes are joined to the others. Time :math:`O(N \log N)`, memory
    :math:`O(N)`.

    Args:
        merged: Whether the edges join ``data.edge_index``.

    Raises:
        InputError: If the graph is heterogeneous or a batch or, merged, has features on
            its edges.

    Example:
        >>> edge_index = torch.tensor([[0, 1, 1, 2], [1, 0, 2, 1]])
        >>> data = Data(x=torch.ones(3, 1), edge_index=edge_index)
        >>> EGP()(data)
        Data(x=[3, 1], edge_index=[2, 4], expander_edge_index=[2, 4])
        >>> EGP(merged=True)(data)
        Data(x=[3, 1], edge_index=[2, 6], edge_type=[6])
    """

    def __init__(self, *, merged: bool = False) -> None:
        self.merged = merged

    def forward(self, data: Data | HeteroData) -> Data:
        """Extends a copy that ``__call__`` made."""
        check_graph(data, needs_edges=self.merged)
        if self.merged:
            check_added_edges(data)
        edge_index = cayley_graph(int(data.num_nodes or 0))
        if self.merged:
            return append_edges(data, edge_index)
        device = data.edge_index.device if "edge_index" in data else None
        data.expander_edge_index = edge_index.to(device)
        return data

    def __repr__(self) -> str:
        return f"{self.__class__.__name__}(merged={self.merged})"


def cayley_graph(num_nodes: int) -> EdgeIndex:
    r"""A sparse graph on which everyone is near everyone: an expander.

    As in `"Expander Graph Propagation" <https://arxiv.org/abs/2210.02997>`_: the nodes
    are the matrices of :math:`\mathrm{SL}(2, \mathbb{Z}_n)`, and each is joined to its
    products with

    .. math::
        \begin{pmatrix} 1 & \pm 1 \\ 0 & 1 \end{pmatrix}, \qquad
        \begin{pmatrix} 1 & 0 \\ \pm 1 & 1 \end{pmatrix}

    for the smallest n with :math:`|\mathrm{SL}(2, \mathbb{Z}_n)| = n^3 \prod_{p | n}
    (1 - p^{-2}) \geq N`. All degrees are 4 (2 for :math:`n = 2`), the diameter is
    :math:`O(\log N)`, and the spectral gap stays above a constant.

    Between two sizes of the group the first N matrices in breadth-first order from the
    identity are kept, and the edges among them: still connected, but the last nodes
    have fewer than 4 neighbors and the bound on the gap is not proved.

    Args:
        num_nodes: N.

    Raises:
        InputError: If the number is negative.

    Example:
        >>> cayley_graph(3)
        tensor([[0, 0, 1, 2],
                [1, 2, 0, 0]])
        >>> cayley_graph(24).shape  # SL(2, 3) has 24 elements
        torch.Size([2, 96])
    """
    whole_number("num_nodes", num_nodes, 0)
    modulus = next(n for n in itertools.count(2) if _order(n) >= num_nodes)
    codes = _breadth_first(modulus, num_nodes)
    order = np.argsort(codes)
    products = _products(codes, modulus)  # [N, 4]
    place = np.searchsorted(codes, products, sorter=order)
    index = order[np.minimum(place, num_nodes - 1)] if num_nodes else place
    source, which = np.nonzero(codes[index] == products)
    pairs = np.unique(source * num_nodes + index[source, which])
    return torch.from_numpy(np.stack(np.divmod(pairs, max(num_nodes, 1))))


def _power_iteration(graph: SimpleGraph, x: Vector) -> Vector:
    root = np.sqrt(graph.degree)
    x = x - x.dot(root) / graph.degree.sum() * root
    scale = np.divide(1.0, root, out=np.zeros_like(root), where=root > 0)
    spread = (x * scale)[graph.target]
    heard = np.bincount(graph.source, spread, minlength=graph.num_nodes)
    x = x + scale * heard
    norm = np.linalg.norm(x)
    return x / norm if norm > 0 else x


def _least_product(graph: SimpleGraph, y: Vector) -> tuple[int, int] | None:
    """The pair of unlike nodes without an edge whose y_u y_v is least.

    For one u the best v is the largest or the smallest that is free, so a node walks
    along the sorted vector, past its own neighbors at most.
    """
    order = np.argsort(y, kind="stable")
    from_top = y < 0
    partner = np.full(len(y), -1)
    waiting = np.arange(len(y))
    for step in range(len(y)):
        tried = np.where(from_top[waiting], order[len(y) - 1 - step], order[step])
        is_free = (tried != waiting) & ~graph.adjacent(waiting, tried)
        partner[waiting[is_free]] = tried[is_free]
        waiting = waiting[~is_free]
        if not len(waiting):
            break
    product = np.where(partner >= 0, y * y[partner], np.inf)
    u = int(product.argmin())
    return None if partner[u] < 0 else (u, int(partner[u]))


def _order(n: int) -> int:
    """Number of matrices in SL(2, Z_n)."""
    order, rest = n**3, n
    for p in range(2, n + 1):
        if rest % p == 0:
            order = order // p**2 * (p**2 - 1)
        while rest % p == 0:
            rest //= p
    return order


def _breadth_first(n: int, num_nodes: int) -> Codes:
    """The first matrices of SL(2, Z_n), level by level from the identity."""
    level = _encode(np.array([[1], [0], [0], [1]]), n)
    seen = level
    # A neighbor lies on the level before, on this one or on the next.
    before = level[:0]
    while len(seen) < num_nodes:
        reached = _products(level, n).ravel()
        _, first = np.unique(reached, return_index=True)
        reached = reached[np.sort(first)]
        fresh = reached[~np.isin(reached, np.concatenate([before, level]))]
        before, level = level, fresh
        seen = np.concatenate([seen, fresh])
    return seen[:num_nodes]


def _products(codes: Codes, n: int) -> Codes:
    """Each matrix times each of the four generators, as numbers [N, 4]."""
    a, b, c, d = codes // n**3, codes // n**2 % n, codes // n % n, codes % n
    columns = [
        (a, b + a, c, d + c),
        (a, b - a, c, d - c),
        (a + b, b, c + d, d),
        (a - b, b, c - d, d),
    ]
    return np.stack([_encode(np.stack(entries), n) for entries in columns], axis=1)


def _encode(entries: Codes, n: int) -> Codes:
    a, b, c, d = entries % n
    code: Codes = ((a * n + b) * n + c) * n + d
    return code
