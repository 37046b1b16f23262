"""Where does a node lie in its graph?  Positions and structure as channels."""

from __future__ import annotations

from abc import ABC, abstractmethod

import torch
from torch import Tensor, nn
from torch_geometric.transforms import AddLaplacianEigenvectorPE, AddRandomWalkPE
from torch_geometric.utils import degree, scatter

from benthic.errors import InputError
from benthic.typing import EdgeIndex, NodeFeatures

__all__ = [
    "AddLaplacianEigenvectorPE",
    "AddRandomWalkPE",
    "DegreeEncoding",
    "Encoding",
    "EncodingSum",
    "LaplacianEncoding",
    "RandomWalkEncoding",
    "return_probabilities",
]

_DENSE_NUMBERS = 4_194_304  # of one block of columns: 16 MB in single precision


class Encoding(nn.Module, ABC):
    r"""Turns positions in the graph into channels that are added to the features.

    .. math:: x_0 = W x + \operatorname{encoding}(p)

    Positions :math:`p` are computed once, by a transform or
    :func:`return_probabilities`; this is the part that learns.
    """

    channels: int
    """Columns of ``pe`` that it reads; 0 if it looks at the edges alone."""

    out_channels: int
    """Width of what it gives."""

    @abstractmethod
    def forward(self, pe: Tensor, edge_index: Tensor | None = None) -> Tensor:
        """The encoding, ``[N, out_channels]``.

        Args:
            pe: Positions, ``[N, channels]``.
            edge_index: The graph, ``[2, E]``, for encodings that look at it.

        Raises:
            InputError: If ``pe`` has another width, or the graph is missing.
        """


class LaplacianEncoding(Encoding):
    r"""Reads Laplacian eigenvectors without caring which way each of them points.

    The positions are from the `"Benchmarking Graph Neural Networks"
    <https://arxiv.org/abs/2003.00982>`_ paper (``AddLaplacianEigenvectorPE``), the
    network from the `"Sign and Basis Invariant Networks for Spectral Graph
    Representation Learning" <https://arxiv.org/abs/2202.13013>`_ paper (SignNet):

    .. math::
        \operatorname{encoding}(v_1, \dots, v_k) = \rho\left(\left[
        \phi(v_1) + \phi(-v_1), \dots, \phi(v_k) + \phi(-v_k) \right]\right), \qquad
        \phi(v)_i = \operatorname{MLP}\Big(h_i + \sum_{j \in \mathcal{N}_i} h_j\Big),
        \quad h_i = \operatorname{ReLU}(w v_i + b)

    If :math:`v` is an eigenvector, so is :math:`-v`, and the solver's choice means
    nothing. Flipping signs at random in training (the first paper) teaches this
    approximately, :math:`2^k` cases at the cost of epochs; here it holds by
    construction, to the bit, in training and after. :math:`\phi` looks at neighbors:
    one number at a time, only its size would be left, and two nodes on either side of
    a cut would look the same.

    Traps: eigenvectors of one eigenvalue may still be rotated among each other, and a
    graph of :math:`c` components has :math:`c` vectors that only tell them apart (Cora
    has 78, so its first 77 columns). Call the transform with
    ``is_undirected=True``, and fill up with zeros for graphs of ``channels`` nodes or
    less, which it cannot do.

    Args:
        channels: Number of eigenvectors :math:`k`.
        out_channels: Width of the encoding.
        hidden_channels: Width of :math:`\phi`.

    Raises:
        InputError: If a width is below 1.

    Example:
        >>> edge_index = torch.tensor([[0, 1, 1, 2], [1, 0, 2, 1]])
        >>> encoding = LaplacianEncoding(2, 8)
        >>> v = torch.tensor([[0.7, 0.4], [0.0, -0.8], [-0.7, 0.4]])
        >>> flip = torch.tensor([-1.0, 1.0])
        >>> torch.equal(encoding(v, edge_index), encoding(v * flip, edge_index))
        True
    """

    def __init__(
        self, channels: int, out_channels: int, hidden_channels: int = 16
    ) -> None:
        super().__init__()
        self.channels = _at_least("channels", channels, 1)
        self.out_channels = _at_least("out_channels", out_channels, 1)
        hidden = _at_least("hidden_channels", hidden_channels, 1)
        self.lift = nn.Linear(1, hidden)
        self.phi = nn.Sequential(
            nn.Linear(hidden, hidden), nn.ReLU(), nn.Linear(hidden, hidden)
        )
        self.rho = nn.Sequential(
            nn.Linear(channels * hidden, out_channels),
            nn.ReLU(),
            nn.Linear(out_channels, out_channels),
        )

    def forward(self, pe: Tensor, edge_index: Tensor | None = None) -> Tensor:
        """Even in each eigenvector, ``[N, out_channels]``."""
        if edge_index is None:
            raise InputError("edge_index", "None", "give the graph of the positions")
        _check_width(self, pe)
        both = self._phi(pe, edge_index) + self._phi(-pe, edge_index)  # [N, k, H]
        encoding: Tensor = self.rho(both.flatten(1))
        return encoding

    def _phi(self, v: Tensor, edge_index: Tensor) -> Tensor:
        h = self.lift(v.unsqueeze(-1)).relu()  # [N, k, H]
        heard = scatter(h[edge_index[0]], edge_index[1], dim=0, dim_size=h.size(0))
        encoded: Tensor = self.phi(h + heard)
        return encoded


class RandomWalkEncoding(Encoding):
    r"""Tells a node how likely a walk from it is to be back after each step.

    From the `"Graph Neural Networks with Learnable Structural and Positional
    Representations" <https://arxiv.org/abs/2110.07875>`_ paper:

    .. math::
        \operatorname{encoding}(p_i) = C p_i + c, \qquad
        p_i = \left(P_{ii}, (P^2)_{ii}, \dots, (P^K)_{ii}\right), \quad P = D^{-1} A

    Nothing here has a sign or an order to choose. It tells apart nodes that no message
    passing can (the 1-WL test), but not all: nodes whose surroundings return walks
    alike, as all nodes of a ring do, stay alike. Positions come from PyG's
    ``AddRandomWalkPE``, and for more than some thousand nodes from
    :func:`return_probabilities`.

    Args:
        walk_length: Number of steps :math:`K`.
        out_channels: Width of the encoding.

    Raises:
        InputError: If one is below 1.

    Example:
        >>> triangle = torch.tensor([[0, 1, 1, 2, 2, 0], [1, 0, 2, 1, 0, 2]])
        >>> pe = return_probabilities(triangle, num_nodes=3, walk_length=4)
        >>> RandomWalkEncoding(4, 8)(pe).shape
        torch.Size([3, 8])
    """

    def __init__(self, walk_length: int, out_channels: int) -> None:
        super().__init__()
        self.channels = _at_least("walk_length", walk_length, 1)
        self.out_channels = _at_least("out_channels", out_channels, 1)
        self.lin = nn.Linear(walk_length, out_channels)

    def forward(
        self,
        pe: Tensor,
        edge_index: Tensor | None = None,
    ) -> Tensor:
        """Linear in the probabilities, ``[N, out_channels]``."""
        _check_width(self, pe)
        encoding: Tensor = self.lin(pe)
        return encoding


class DegreeEncoding(Encoding):
    r"""Tells a node how many neighbors it has, a learned vector for each number.

    From the `"Do Transformers Really Perform Bad for Graph Representation?"
    <https://arxiv.org/abs/2106.05234>`_ paper (Graphormer's centrality encoding):

    .. math::
        \operatorname{encoding}_i = z^-_{\deg^-(i)} + z^+_{\deg^+(i)}

    with the degrees of incoming and outgoing edges. Attention and mean aggregation
    cannot count; this gives them what a sum would see. Degrees above the largest share
    its vector, so on graphs with hubs it says "many".

    Args:
        max_degree: Largest degree with a vector of its own.
        out_channels: Width of the encoding.

    Raises:
        InputError: If ``max_degree`` is negative or ``out_channels`` below 1.

    Example:
        >>> star = torch.tensor([[0, 0, 1, 2], [1, 2, 0, 0]])
        >>> center, leaf, twin = DegreeEncoding(8, 4)(torch.empty(3, 0), star)
        >>> torch.equal(leaf, twin), torch.equal(leaf, center)
        (True, False)
    """

    def __init__(self, max_degree: int, out_channels: int) -> None:
        super().__init__()
        self.channels = 0
        self.out_channels = _at_least("out_channels", out_channels, 1)
        self.max_degree = _at_least("max_degree", max_degree, 0)
        self.z_in = nn.Parameter(torch.empty(max_degree + 1, out_channels))
        self.z_out = nn.Parameter(torch.empty(max_degree + 1, out_channels))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draws fresh vectors, as small as those of the paper's code."""
        nn.init.normal_(self.z_in, std=0.02)
        nn.init.normal_(self.z_out, std=0.02)

    def forward(self, pe: Tensor, edge_index: Tensor | None = None) -> Tensor:
        """The vectors of each node's two degrees, ``[N, out_channels]``."""
        if edge_index is None:
            raise InputError("edge_index", "None", "give the graph to count in")
        source, target = edge_index
        incoming, outgoing = (
            degree(end, pe.size(0), dtype=torch.long).clamp(max=self.max_degree)
            for end in (target, source)
        )
        return self.z_in[incoming] + self.z_out[outgoing]  # [N, C]


class EncodingSum(Encoding):
    """Adds several encodings, each of which reads its own columns.

    As in the `"Recipe for a General, Powerful, Scalable Graph Transformer"
    <https://arxiv.org/abs/2205.12454>`_, which combines positions and structure.

    Args:
        encodings: The parts, in the order of their columns in ``pe``.

    Raises:
        InputError: If there are none, or their widths differ.

    Example:
        >>> both = EncodingSum(RandomWalkEncoding(4, 8), DegreeEncoding(10, 8))
        >>> both.channels, both.out_channels
        (4, 8)
    """

    def __init__(self, *encodings: Encoding) -> None:
        widths = {encoding.out_channels for encoding in encodings}
        if len(widths) != 1:
            found = f"widths {sorted(widths)}" if widths else "none"
            raise InputError("encodings", found, "give encodings of one out_channels")
        super().__init__()
        self.channels = sum(encoding.channels for encoding in encodings)
        self.out_channels = widths.pop()
        self.encodings = nn.ModuleList(encodings)

    def forward(self, pe: Tensor, edge_index: Tensor | None = None) -> Tensor:
        """The sum of all parts, ``[N, out_channels]``."""
        _check_width(self, pe)
        parts = pe.split([encoding.channels for encoding in self.encodings], dim=1)
        pairs = zip(self.encodings, parts, strict=True)
        return torch.stack([part(own, edge_index) for part, own in pairs]).sum(0)


def return_probabilities(
    edge_index: EdgeIndex, num_nodes: int, walk_length: int
) -> NodeFeatures:
    r"""How likely a walk from each node is to be back after 1, 2, … steps.

    From the `"Graph Neural Networks with Learnable Structural and Positional
    Representations" <https://arxiv.org/abs/2110.07875>`_ paper:

    .. math::
        p_i = \left(P_{ii}, (P^2)_{ii}, \dots, (P^K)_{ii}\right), \qquad P = D^{-1} A

    The same numbers as PyG's ``AddRandomWalkPE``, which keeps :math:`P^k` as a whole
    and fills it up within some steps; here a few columns at a time are kept, so that
    memory grows with the nodes and not with their square. Time still grows as
    :math:`K \cdot N \cdot E`: half a minute for the 20,000 nodes of PubMed and
    20 steps, too long for millions.

    Args:
        edge_index: Edges of the walk, from row 0 to row 1, none twice.
        num_nodes: Number of nodes :math:`N`.
        walk_length: Number of steps :math:`K`.

    Raises:
        InputError: If ``walk_length`` is below 1.

    Example:
        >>> pair = torch.tensor([[0, 1], [1, 0]])
        >>> return_probabilities(pair, num_nodes=2, walk_length=4)
        tensor([[0., 1., 0., 1.],
                [0., 1., 0., 1.]])
    """
    _at_least("walk_length", walk_length, 1)
    source = edge_index[0]
    chance = 1 / degree(source, num_nodes)[source]
    step = torch.sparse_coo_tensor(
        edge_index, chance, (num_nodes, num_nodes), check_invariants=False
    ).coalesce()
    columns = max(1, _DENSE_NUMBERS // max(1, num_nodes))
    blocks = torch.arange(num_nodes, device=edge_index.device).split(columns)
    walks = [_walk(step, nodes, walk_length) for nodes in blocks]
    return torch.cat([chance.new_empty(0, walk_length), *walks])


def _walk(step: Tensor, nodes: Tensor, walk_length: int) -> Tensor:
    """Returns of the walks to some nodes, ``[nodes, walk_length]``."""
    place = torch.arange(len(nodes), device=nodes.device)
    reach = torch.zeros(step.size(0), len(nodes), device=nodes.device)
    reach[nodes, place] = 1
    returns = []
    for _ in range(walk_length):
        reach = step @ reach  # [N, nodes]: chance to be in the column's node
        returns.append(reach[nodes, place])
    return torch.stack(returns, dim=1)


def _check_width(encoding: Encoding, pe: Tensor) -> None:
    if pe.dim() != 2 or pe.size(1) != encoding.channels:
        raise InputError(
            "pe",
            f"shape {tuple(pe.shape)}",
            f"give a row per node and {encoding.channels} columns",
        )


def _at_least(argument: str, value: int, least: int) -> int:
    if value < least:
        raise InputError(argument, str(value), f"give {least} or more")
    return value
