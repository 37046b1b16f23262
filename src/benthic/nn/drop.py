"""Random dropping, in training only, of edges, nodes, messages and whole branches."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch_geometric.utils import cumsum

from benthic.nn.dropout import dropout
from benthic.nn.propagation import GraphCache
from benthic.nn.residual import Skip
from benthic.ranges import number, whole_number
from benthic.typing import EdgeIndex, Mask

__all__ = [
    "DropEdge",
    "DropMessage",
    "DropNode",
    "DropPath",
    "EdgeDrop",
    "SkipNode",
]


class EdgeDrop(nn.Module, ABC):
    """Decides in each training step anew which edges a layer sees.

    It looks at the graph's structure once and remembers it as long as the tensor
    ``edge_index`` lives, for all layers that see that tensor: hand over the graph as
    it is, not a copy made for each layer.
    """

    @abstractmethod
    def forward(self, edge_index: EdgeIndex, num_nodes: int) -> Mask:
        """The edges to keep, a mask with a value per edge; all of them in ``eval()``.

        Args:
            edge_index: The graph.
            num_nodes: Number of nodes.
        """


class DropEdge(EdgeDrop):
    r"""Drops a random share of the edges.

    From the `"DropEdge: Towards Deep Graph Convolutional Networks on Node
    Classification" <https://arxiv.org/abs/1907.10903>`_ paper:

    .. math:: m_{ij} \sim B(1 - p), \qquad m_{ij} = m_{ji}

    A smoother's convergence slows, it does not stop. The paper normalizes the graph
    that is left, so drop before the layer computes degrees. PyG's ``dropout_edge``
    draws alike, but returns the edges in another order, twice for a self-loop, and
    without those whose higher end is the source unless the reverse is listed.

    Both directions of an edge live and die together: the first copy of
    :math:`(i, j)` with the first of :math:`(j, i)`, the second with the second, as
    ``to_undirected`` lists them. A self-loop, and an edge listed in one direction
    only, are edges of their own. The trap is a bipartite relation, where
    :math:`(3, 5)` and :math:`(5, 3)` name four nodes: take ``undirected=False``.

    Args:
        p: Probability to drop an edge, 0 … 1.
        undirected: Whether the two directions share their fate; False is what the
            authors' and most public code does.

    Raises:
        InputError: If ``p`` is outside 0 … 1.

    Example:
        >>> edge_index = torch.tensor([[0, 1, 1, 2], [1, 0, 2, 1]])
        >>> keep = DropEdge(p=0.5)(edge_index, num_nodes=3)
        >>> bool(keep[0] == keep[1]), bool(keep[2] == keep[3])
        (True, True)
    """

    def __init__(self, p: float = 0.2, *, undirected: bool = True) -> None:
        super().__init__()
        self.p = _probability(p)
        self.undirected = undirected

    def forward(self, edge_index: EdgeIndex, num_nodes: int) -> Mask:
        if not self.training or self.p == 0:
            return _keep_all(edge_index)
        if not self.undirected:
            return _draw(edge_index.size(1), edge_index) >= self.p
        edges = _undirected(edge_index)
        return (_draw(edges.total, edge_index) >= self.p)[edges.of]

    def extra_repr(self) -> str:
        return f"p={self.p}, undirected={self.undirected}"


class DropPath(EdgeDrop):
    r"""Drops the edges that random walks go along.

    From the `"What's Behind the Mask: Understanding Masked Graph Modeling for Graph
    Autoencoders" <https://arxiv.org/abs/2205.10053>`_ paper (MaskGAE), where it hides
    edges to be predicted:

    .. math::
        \mathcal{E}_{\text{drop}} = \operatorname{RandomWalk}(\mathcal{R},
        n_{\text{walk}}, l_{\text{walk}}), \qquad
        \mathcal{R} = \{ i : b_i = 1 \}, \quad b_i \sim B(p)

    Whole stretches go at once, so that what a node loses is not what its neighbor
    still tells. The trap is :math:`p`: the share of *nodes* where walks begin, not of
    edges that are dropped, which grows with the length and the number of walks.
    PyG's ``dropout_path`` begins at edges and needs ``pyg-lib``; this one walks in
    plain torch, each step to any neighbor, also back.

    Args:
        p: Probability that walks begin at a node, 0 … 1.
        walks_per_node: Number of walks from each.
        walk_length: Number of edges in a walk.
        undirected: Whether an edge that is walked along is dropped in both directions
            (see :class:`DropEdge`).

    Raises:
        InputError: If ``p`` is outside 0 … 1, or a number is below 1.

    Example:
        >>> edge_index = torch.tensor([[0, 1, 2, 3], [1, 2, 3, 4]])
        >>> DropPath(p=1.0, walk_length=1)(edge_index, num_nodes=5)
        tensor([False, False, False, False])
    """

    def __init__(
        self,
        p: float = 0.2,
        walks_per_node: int = 1,
        walk_length: int = 3,
        *,
        undirected: bool = True,
    ) -> None:
        super().__init__()
        self.p = _probability(p)
        self.walks_per_node = whole_number("walks_per_node", walks_per_node, 1)
        self.walk_length = whole_number("walk_length", walk_length, 1)
        self.undirected = undirected

    def forward(self, edge_index: EdgeIndex, num_nodes: int) -> Mask:
        if not self.training or self.p == 0 or edge_index.numel() == 0:
            return _keep_all(edge_index)
        walked = self._walk(edge_index, num_nodes)
        if self.undirected:
            edges = _undirected(edge_index)
            either = walked.new_zeros(edges.total).index_add(0, edges.of, walked)
            walked = either[edges.of]
        return walked == 0

    def _walk(self, edge_index: Tensor, num_nodes: int) -> Tensor:
        """How often walks go along each edge."""
        leaving: _Leaving = _GRAPHS.get(
            edge_index, None, "leaving", lambda: _find_leaving(edge_index)
        )
        # Nodes behind the last that has an edge cannot walk.
        begins = (_draw(num_nodes, edge_index) < self.p)[: len(leaving.degree)]
        # All nodes take each step, so that the shapes are the same in every draw.
        walks = begins.repeat(self.walks_per_node)
        node = torch.arange(len(begins), device=edge_index.device)
        node = node.repeat(self.walks_per_node)
        walked = torch.zeros(edge_index.size(1), device=edge_index.device)
        for _ in range(self.walk_length):
            degree = leaving.degree[node]
            walks = walks & (degree > 0)
            step = (_draw(len(node), edge_index) * degree).long()
            # Rounding may reach the degree itself; dead ends step nowhere.
            step = torch.minimum(step, (degree - 1).clamp(min=0))
            place = (leaving.start[node] + step).clamp(max=edge_index.size(1) - 1)
            edge = leaving.order[place]
            walked = walked.index_add(0, edge, walks.to(walked.dtype))
            node = edge_index[1][edge]
        return walked

    def extra_repr(self) -> str:
        return (
            f"p={self.p}, walks_per_node={self.walks_per_node}, "
            f"walk_length={self.walk_length}, undirected={self.undirected}"
        )


class DropNode(nn.Module):
    r"""Silences a random share of the nodes and lets the others speak up.

    From the `"Graph Random Neural Networks for Semi-Supervised Learning on Graphs"
    <https://arxiv.org/abs/2005.11079>`_ paper (GRAND):

    .. math::
        \tilde{\mathbf{x}}_i = \frac{\epsilon_i}{1 - p}\, \mathbf{x}_i, \qquad
        \epsilon_i \sim B(1 - p)

    A node that is silent still listens: after propagation it has what its neighbors
    know, which is the paper's augmentation. PyG's ``dropout_node`` is another thing:
    it removes the node's edges.

    Args:
        p: Probability to silence a node, 0 … 1.

    Raises:
        InputError: If ``p`` is outside 0 … 1.

    Example:
        >>> x = DropNode(p=0.5)(torch.ones(1000, 4))
        >>> x.unique(), bool((x[:, :1] == x).all())
        (tensor([0., 2.]), True)
    """

    def __init__(self, p: float = 0.5) -> None:
        super().__init__()
        self.p = _probability(p)

    def forward(self, x: Tensor) -> Tensor:
        """The states, whole rows of them 0.

        Args:
            x: Node states, ``[N, C]``, or ``[…, N, C]`` of several frames, in all of
                which a node is silent.
        """
        if not self.training or self.p == 0:
            return x
        return x * dropout(_ones_per_row(x), self.p)

    def extra_repr(self) -> str:
        return f"p={self.p}"


class DropMessage(nn.Module):
    r"""Drops single numbers of single messages.

    From the `"DropMessage: Unifying Random Dropping for Graph Neural Networks"
    <https://arxiv.org/abs/2204.10037>`_ paper:

    .. math::
        \tilde{M}_{ek} = \frac{\epsilon_{ek}}{1 - p}\, M_{ek}, \qquad
        \epsilon_{ek} \sim B(1 - p)

    for the messages :math:`\mathbf{M}`, one row per edge. Dropout, DropEdge and
    DropNode drop whole groups of these numbers; of all ways to drop the share
    :math:`p`, this one disturbs the sum of messages the least. It is hung on a layer
    with PyG's ``register_message_forward_hook``. The trap: a layer that propagates
    with a sparse matrix forms no messages, and the hook is never called.

    Args:
        p: Probability to drop a number, 0 … 1.

    Raises:
        InputError: If ``p`` is outside 0 … 1.

    Example:
        >>> from torch_geometric.nn import GCNConv
        >>> drop, conv = DropMessage(p=1.0), GCNConv(2, 2)
        >>> _ = conv.register_message_forward_hook(lambda conv, inputs, m: drop(m))
        >>> conv(torch.ones(2, 2), torch.tensor([[0, 1], [1, 0]])).abs().sum()
        tensor(0., grad_fn=<SumBackward0>)
    """

    def __init__(self, p: float = 0.5) -> None:
        super().__init__()
        self.p = _probability(p)

    def forward(self, messages: Tensor) -> Tensor:
        """The messages, some numbers 0 and the others scaled up.

        Args:
            messages: ``[E, …]``.
        """
        return dropout(messages, self.p, self.training)

    def extra_repr(self) -> str:
        return f"p={self.p}"


class SkipNode(Skip):
    r"""Lets a random share of the nodes sit a layer out.

    From the `"SkipNode: On Alleviating Performance Degradation for Deep Graph
    Convolutional Networks" <https://arxiv.org/abs/2112.11628>`_ paper, with uniform
    sampling (SkipNode-U):

    .. math::
        \mathbf{x}_i^{(l+1)} = (1 - s_i)\, \mathbf{h}_i^{(l)}
        + s_i\, \mathbf{x}_i^{(l)}, \qquad s_i \sim B(p)

    A node that sits out is smoothed once less, and its gradient passes unchanged. Each
    node decides for itself; the authors' code draws the same number of nodes each
    time. In ``eval()`` no node sits out, so that a deep network then smooths more than
    it ever did in training.

    Args:
        p: Probability that a node sits out, 0 … 1.

    Raises:
        InputError: If ``p`` is outside 0 … 1.

    Example:
        >>> before, branch = torch.zeros(1000, 2), torch.ones(1000, 2)
        >>> SkipNode(p=0.5)(branch, [before]).unique()
        tensor([0., 1.])
    """

    def __init__(self, p: float = 0.5) -> None:
        super().__init__()
        self.p = _probability(p)

    def forward(
        self, h: Tensor, states: Sequence[Tensor], edge_index: Tensor | None = None
    ) -> Tensor:
        if not self.training or self.p == 0:
            return h
        sits_out = dropout(_ones_per_row(h), self.p) == 0  # [N, 1]
        return torch.where(sits_out, states[-1], h)

    def extra_repr(self) -> str:
        return f"p={self.p}"


class _Undirected(NamedTuple):
    of: Tensor  # the undirected edge of each edge, [E]
    total: int


class _Leaving(NamedTuple):
    order: Tensor  # edges by source, [E]
    start: Tensor  # where those of a node begin, [N]
    degree: Tensor  # how many leave a node, [N]


# One look serves all layers and steps, and the edge types of a large schema.
_GRAPHS = GraphCache(capacity=64)


def _undirected(edge_index: Tensor) -> _Undirected:
    found: _Undirected = _GRAPHS.get(
        edge_index, None, "undirected", lambda: _find_undirected(edge_index)
    )
    return found


def _find_undirected(edge_index: Tensor) -> _Undirected:
    if edge_index.numel() == 0:
        return _Undirected(edge_index[0], 0)
    low, high = edge_index.min(dim=0).values, edge_index.max(dim=0).values
    ends = low * (int(high.max()) + 1) + high  # a number for each two ends
    # Copies of one direction in the order in which they are listed.
    directed = ends * 2 + (edge_index[0] > edge_index[1])
    order = directed.argsort(stable=True)
    counts = directed[order].unique_consecutive(return_counts=True)[1]
    begins = (counts.cumsum(0) - counts).repeat_interleave(counts)
    copy = torch.empty_like(order)
    copy[order] = torch.arange(len(order), device=order.device) - begins
    pair = ends.unique(return_inverse=True)[1]
    keys = pair * int(counts.max()) + copy
    edges, of = keys.unique(return_inverse=True)
    return _Undirected(of, len(edges))


def _find_leaving(edge_index: Tensor) -> _Leaving:
    num_nodes = int(edge_index.max()) + 1
    degree = edge_index[0].bincount(minlength=num_nodes)
    order = edge_index[0].argsort(stable=True)
    return _Leaving(order, cumsum(degree)[:-1], degree)


def _draw(number: int, like: Tensor) -> Tensor:
    return torch.rand(number, device=like.device)


def _keep_all(edge_index: Tensor) -> Tensor:
    return edge_index.new_ones(edge_index.size(1), dtype=torch.bool)


def _ones_per_row(x: Tensor) -> Tensor:
    nodes = max(x.dim() - 2, 0)
    first = (slice(None) if dim == nodes else slice(1) for dim in range(x.dim()))
    return torch.ones_like(x[tuple(first)])  # […, N, 1]


def _probability(p: float) -> float:
    return number("p", p, 0, 1, remedy="give a probability from 0 to 1")
