"""Local message passing and linear global attention, layer by layer."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch_geometric.nn import GCNConv
from torch_geometric.nn.attention import PerformerAttention

from benthic.errors import InputError
from benthic.nn.encoding import Encoding
from benthic.nn.forward_inputs import taken
from benthic.ranges import number, whole_number

__all__ = ["GlobalAttention", "GraphTransformer", "GraphTransformerLayer", "performer"]


def performer(channels: int, heads: int) -> PerformerAttention:
    r"""PyG's Performer attention, its heads sharing the channels.

    From the `"Rethinking Attention with Performers"
    <https://arxiv.org/abs/2009.14794>`_ paper, with its ReLU kernel:

    .. math::
        y_i = W_o \frac{\sum_j \varphi(q_i)^\top \varphi(k_j)\, v_j}
        {\sum_j \varphi(q_i)^\top \varphi(k_j)}, \qquad
        \varphi(u) = \operatorname{ReLU}(P u) + 10^{-3}

    :math:`\sum_j \varphi(k_j) v_j^\top` is summed once for all nodes, so that nothing
    of size :math:`N \times N` exists. :math:`P` has random orthogonal rows, drawn once
    and saved with the weights. Of PyG's linear attentions this one has positive
    weights: SGFormer's may sum to zero, and it divides by the sum.

    Args:
        channels: Width of the nodes.
        heads: Number of heads.

    Raises:
        InputError: If the heads do not divide the channels, or get fewer than two.

    Example:
        >>> performer(8, 2)(torch.ones(1, 5, 8)).shape
        torch.Size([1, 5, 8])
    """
    if heads < 1 or channels % heads or channels // heads < 2:
        raise InputError(
            "heads",
            f"{heads} for {channels} channels",
            "give a divisor that leaves two channels or more to a head",
        )
    return PerformerAttention(channels, heads, head_channels=channels // heads)


class GlobalAttention(nn.Module):
    r"""Lets every node attend to all nodes of its own graph, in linear memory.

    .. math:: Y_g = \operatorname{attention}(X_g) \quad\text{for each graph } g

    PyG's attentions take graphs filled up to one length, and leave the filling in their
    normalizer: a node's output then depends on the other graphs in the batch, and one
    long graph among many short ones costs the product of both. Here the graphs of
    one length run together, without filling. A thousand lengths are a thousand calls.

    Args:
        attention: Maps ``[graphs, nodes, C]`` to the same shape, each graph on its own.

    Example:
        >>> attend = GlobalAttention(performer(8, heads=2))
        >>> x = torch.rand(5, 8)
        >>> both = attend(x, torch.tensor([0, 1, 0, 1, 1]))
        >>> torch.allclose(both[[0, 2]], attend(x[[0, 2]]), atol=1e-6)
        True
    """

    def __init__(self, attention: nn.Module) -> None:
        super().__init__()
        self.attention = attention

    def forward(self, x: Tensor, batch: Tensor | None = None) -> Tensor:
        """What each node hears, ``[N, C]``.

        Args:
            x: Nodes, ``[N, C]``.
            batch: Graph of each node, ``[N]``, in any order; one graph if None.
        """
        if len(x) == 0:
            return x
        if batch is None:
            heard: Tensor = self.attention(x.unsqueeze(0)).squeeze(0)
            return heard
        blocks = _same_length(batch)
        parts = [self.attention(x[rows]).flatten(0, 1) for rows in blocks]
        order = torch.cat([rows.flatten() for rows in blocks])
        return torch.cat(parts)[order.argsort()]


def _same_length(batch: Tensor) -> list[Tensor]:
    """Rows of the graphs of each length, ``[graphs, length]``."""
    length = torch.bincount(batch)
    order = batch.argsort(stable=True)
    order = order[length[batch[order]].argsort(stable=True)]
    lengths, graphs = length[length > 0].unique(return_counts=True)
    blocks = order.split((lengths * graphs).tolist())
    return [rows.view(-1, n) for rows, n in zip(blocks, lengths.tolist(), strict=True)]


class GraphTransformerLayer(nn.Module):
    r"""Hears neighbors by message passing and all other nodes by attention.

    From the `"Recipe for a General, Powerful, Scalable Graph Transformer"
    <https://arxiv.org/abs/2205.12454>`_ paper (GPS), with the norms moved onto the
    branches as in `"On Layer Normalization in the Transformer Architecture"
    <https://arxiv.org/abs/2002.04745>`_:

    .. math::
        h &= \operatorname{norm}(x_l) \\
        y &= x_l + s \operatorname{drop}(\operatorname{conv}(h))
          + s \operatorname{drop}(\operatorname{attention}(h)) \\
        x_{l+1} &= y + s \operatorname{drop}(\operatorname{FFN}(\operatorname{norm}(y)))

    PyG's ``GPSConv`` norms the stream itself, after each sum, so that the share of the
    input shrinks layer by layer. Here :math:`x_L` is :math:`x_0` plus what all branches
    added: only branches are normalized and dropped out.

    Attention averages, as convolution does, and smooths by itself (`"Demystifying
    Oversmoothing in Attention-Based Graph Neural Networks"
    <https://arxiv.org/abs/2305.16102>`_): it is the identity path that keeps nodes
    apart, not the attention.

    Args:
        channels: Width of the nodes.
        conv: Makes the local branch, ``conv(channels, channels)``; None for none.
        attention: Makes the global branch, ``attention(channels, heads)``, a module
            that maps ``[graphs, nodes, C]`` to the same; None for none.
        heads: Number of attention heads.
        dropout: Share of a branch's output that a training step drops.
        norm: Makes a norm, ``norm(channels)``. One over the whole graph should take
            ``batch``, or graphs of a batch see each other.
        scale: :math:`s`; 0 leaves the states as they are.

    Raises:
        InputError: If ``dropout`` is outside 0 … 1, the heads do not fit, or there is
            neither branch.

    Example:
        >>> layer = GraphTransformerLayer(8, heads=2)
        >>> layer(torch.rand(3, 8), torch.tensor([[0, 1], [1, 0]])).shape
        torch.Size([3, 8])
    """

    def __init__(
        self,
        channels: int,
        *,
        conv: Callable[[int, int], nn.Module] | None = GCNConv,
        attention: Callable[[int, int], nn.Module] | None = performer,
        heads: int = 4,
        dropout: float = 0.0,
        norm: Callable[[int], nn.Module] = nn.LayerNorm,
        scale: float = 1.0,
    ) -> None:
        super().__init__()
        if conv is None and attention is None:
            raise InputError("attention", "None beside no conv", "give one of the two")
        self.scale = scale
        self.norm = norm(channels)
        self.conv = None if conv is None else conv(channels, channels)
        self.attention = (
            None if attention is None else GlobalAttention(attention(channels, heads))
        )
        self.dropout = nn.Dropout(_share("dropout", dropout))
        self.ffn_norm = norm(channels)
        self.ffn = nn.Sequential(  # twice as wide inside, as in GPS
            nn.Linear(channels, 2 * channels),
            nn.ReLU(),
            nn.Dropout(dropout),
            nn.Linear(2 * channels, channels),
        )

    def forward(
        self,
        x: Tensor,
        edge_index: Tensor,
        batch: Tensor | None = None,
        **edges: Tensor | None,
    ) -> Tensor:
        """The next states, ``[N, C]``.

        Args:
            x: States, ``[N, C]``.
            edge_index: The graph, ``[2, E]``.
            batch: Graph of each node, ``[N]``.
            edges: ``edge_weight`` and the like, for a conv that takes them.
        """
        h = _normalize(self.norm, x, batch)
        if self.conv is not None:
            inputs = taken(self.conv, edges)
            x = x + self.scale * self.dropout(self.conv(h, edge_index, **inputs))
        if self.attention is not None:
            x = x + self.scale * self.dropout(self.attention(h, batch))
        y: Tensor = self.dropout(self.ffn(_normalize(self.ffn_norm, x, batch)))
        return x + self.scale * y


class GraphTransformer(nn.Module):
    r"""A stack of layers that hear their neighbors and everyone else.

    From the `"Recipe for a General, Powerful, Scalable Graph Transformer"
    <https://arxiv.org/abs/2205.12454>`_ paper; see :class:`GraphTransformerLayer`.

    .. math::
        x_0 = W_{in} \operatorname{drop}(x) + \operatorname{encoding}(p), \qquad
        \hat y = W_{out} \operatorname{drop}(\operatorname{norm}(x_L))

    The branches are scaled by :math:`s = 1 / \sqrt{L}`, as in the `"Stable ResNet"
    <https://arxiv.org/abs/2010.12859>`_ paper: together they then add the same at any
    depth. Unscaled, 64 layers of averages begin with nodes that are nearly alike, and
    learn several times slower.

    Memory and time grow with nodes and edges, never with their square. Without an
    encoding nodes in like surroundings are alike to the attention as well.
    On small citation graphs it has more freedom than 140 labels can fill: try a treated
    GCN first, and this where far nodes matter.

    Args:
        in_channels: Features of a node.
        hidden_channels: Width of the stream.
        out_channels: Classes, or width of the output.
        num_layers: Layers, 1 or more.
        conv: Makes a local branch, ``conv(channels, channels)``; None for none.
        attention: Makes a global branch, ``attention(channels, heads)``; None for
            none, which leaves a plain pre-norm message-passing stack.
        heads: Number of attention heads.
        dropout: Share of the inputs and of each branch that a training step drops.
        norm: Makes a norm, ``norm(channels)``.
        encoding: Reads ``pe``; its ``out_channels`` are ``hidden_channels``.

    Raises:
        InputError: If ``num_layers`` is below 1, or ``dropout``, ``heads`` or the
            encoding's width do not fit.

    Example:
        >>> model = GraphTransformer(3, 8, 2, num_layers=4)
        >>> model(torch.rand(5, 3), torch.tensor([[0, 1], [1, 0]])).shape
        torch.Size([5, 2])
    """

    def __init__(
        self,
        in_channels: int,
        hidden_channels: int,
        out_channels: int,
        num_layers: int,
        *,
        conv: Callable[[int, int], nn.Module] | None = GCNConv,
        attention: Callable[[int, int], nn.Module] | None = performer,
        heads: int = 4,
        dropout: float = 0.0,
        norm: Callable[[int], nn.Module] = nn.LayerNorm,
        encoding: Encoding | None = None,
    ) -> None:
        super().__init__()
        whole_number("num_layers", num_layers, 1, remedy="give a depth of 1 or more")
        if encoding is not None and encoding.out_channels != hidden_channels:
            raise InputError(
                "encoding",
                f"{encoding.out_channels} out_channels",
                f"give it the {hidden_channels} hidden_channels of the model",
            )
        self.dropout = nn.Dropout(_share("dropout", dropout))
        self.lin_in = nn.Linear(in_channels, hidden_channels)
        self.encoding = encoding
        self.layers = nn.ModuleList(
            GraphTransformerLayer(
                hidden_channels,
                conv=conv,
                attention=attention,
                heads=heads,
                dropout=dropout,
                norm=norm,
                scale=num_layers**-0.5,
            )
            for _ in range(num_layers)
        )
        self.norm = norm(hidden_channels)
        self.lin_out = nn.Linear(hidden_channels, out_channels)

    def forward(
        self,
        x: Tensor,
        edge_index: Tensor,
        batch: Tensor | None = None,
        pe: Tensor | None = None,
        edge_weight: Tensor | None = None,
        edge_attr: Tensor | None = None,
    ) -> Tensor:
        """The output of each node, ``[N, out_channels]``.

        Args:
            x: Features, ``[N, in_channels]``.
            edge_index: The graph, ``[2, E]``.
            batch: Graph of each node, ``[N]``; one graph if None.
            pe: Positions for the encoding, ``[N, encoding.channels]``.
            edge_weight: Weights of the edges, ``[E]``; left out, as in PyG's basic
                models, where the conv takes none.
            edge_attr: Features of the edges, ``[E, D]``; likewise.

        Raises:
            InputError: If ``pe`` is missing, or there is no encoding for it.
        """
        x = self.lin_in(self.dropout(x)) + self._encode(x, edge_index, pe)
        edges = {"edge_weight": edge_weight, "edge_attr": edge_attr}
        for layer in self.layers:
            x = layer(x, edge_index, batch, **edges)
        out: Tensor = self.lin_out(self.dropout(_normalize(self.norm, x, batch)))
        return out

    def _encode(
        self, x: Tensor, edge_index: Tensor, pe: Tensor | None
    ) -> Tensor | float:
        if self.encoding is None:
            if pe is not None:
                raise InputError("pe", "positions", "give the model an encoding")
            return 0.0
        if pe is None and self.encoding.channels > 0:
            wanted = f"{self.encoding.channels} columns of positions"
            raise InputError("pe", "None", f"give the encoding its {wanted}")
        encoded: Tensor = self.encoding(x[:, :0] if pe is None else pe, edge_index)
        return encoded


def _normalize(norm: nn.Module, x: Tensor, batch: Tensor | None) -> Tensor:
    normalized: Tensor = norm(x, **taken(norm, {"batch": batch}))
    return normalized


def _share(argument: str, value: float) -> float:
    return number(argument, value, 0, 1, remedy="give a share from 0 to 1")
