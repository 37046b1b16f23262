"""How a layer's output joins the stream of states."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch_geometric.nn import JumpingKnowledge
from torch_geometric.utils import is_torch_sparse_tensor, scatter, to_edge_index

from benthic.nn.states import States
from benthic.ranges import number, whole_number

__all__ = [
    "AntiSymmetric",
    "DenseResidual",
    "GradientGating",
    "InitialResidual",
    "JumpingKnowledge",
    "Residual",
    "Skip",
]


class Skip(nn.Module, ABC):
    r"""Joins what a layer computed, its *branch*, to the states before it.

    .. math:: x_{l+1} = \operatorname{skip}(h_l, (x_0, \dots, x_l))

    where :math:`h_l` is the branch: norm, activation, dropout and message passing of
    :math:`x_l`. The states themselves are never normalized or dropped out, so that
    what a skip carries arrives unharmed at any depth.
    """

    needs_graph = False
    """Whether it reads rows of the branch as the ends of edges."""

    @abstractmethod
    def forward(
        self, h: Tensor, states: Sequence[Tensor], edge_index: Tensor | None = None
    ) -> Tensor:
        """The next state, ``[N, C]``.

        Args:
            h: Output of the branch, ``[N, C]``.
            states: The stream so far, first to current, each ``[N, C]``.
            edge_index: The graph, ``[2, E]`` or sparse as PyG's layers take it, for
                skips that look at it.
        """


class Residual(Skip):
    r"""Adds the state before the layer to what the layer computed.

    From the `"Deep Residual Learning for Image Recognition"
    <https://arxiv.org/abs/1512.03385>`_ paper, on graphs the `"DeepGCNs: Can GCNs Go
    as Deep as CNNs?" <https://arxiv.org/abs/1904.03751>`_ paper:

    .. math:: x_{l+1} = h_l + s\, x_l

    The trap is dropout after the sum: it is noise on the skip, and it adds up with
    depth (diagnosis D010). Here the branch alone is dropped out.

    Args:
        scale: :math:`s`; 0 switches the skip off.

    Raises:
        InputError: If ``scale`` is not a finite number.

    Example:
        >>> Residual()(torch.ones(2, 3), [torch.ones(2, 3)]).unique()
        tensor([2.])
    """

    def __init__(self, scale: float = 1.0) -> None:
        super().__init__()
        self.scale = number("scale", scale)

    def forward(
        self, h: Tensor, states: Sequence[Tensor], edge_index: Tensor | None = None
    ) -> Tensor:
        if self.scale == 0:
            return h
        return torch.add(h, states[-1], alpha=self.scale)

    def extra_repr(self) -> str:
        return "" if self.scale == 1 else f"scale={self.scale}"


class InitialResidual(Skip):
    r"""Mixes a share of the first state into every layer.

    From the `"Simple and Deep Graph Convolutional Networks"
    <https://arxiv.org/abs/2007.02133>`_ paper (GCNII), and in linear form from
    `"Predict then Propagate" <https://arxiv.org/abs/1810.05997>`_:

    .. math:: x_{l+1} = (1 - \alpha)\, h_l + \alpha\, x_0

    The limit of infinite depth is no longer one direction per connected component but
    a personalized PageRank of :math:`x_0`, which differs from node to node.

    The trap is dropout in each layer: above :math:`1 - (1 - \alpha)^2` it lets the
    states grow where few neighbors take its noise back (diagnosis D012). A 64-layer GCN
    on Cora bears 0.6, a GAT does not, and learns with 0.2.

    Args:
        alpha: Share of :math:`x_0`, 0 … 1; 0 switches it off. The paper takes 0.1 on
            Cora, CiteSeer and PubMed (its appendix's table of hyper-parameters).

    Raises:
        InputError: If ``alpha`` is outside 0 … 1.

    Example:
        >>> first, last = torch.zeros(2, 3), torch.ones(2, 3)
        >>> InitialResidual(alpha=0.25)(torch.ones(2, 3), [first, last]).unique()
        tensor([0.7500])
    """

    def __init__(self, alpha: float = 0.1) -> None:
        super().__init__()
        remedy = "give a share from 0 to 1"
        self.alpha = number("alpha", alpha, 0, 1, remedy=remedy)

    def forward(
        self, h: Tensor, states: Sequence[Tensor], edge_index: Tensor | None = None
    ) -> Tensor:
        if self.alpha == 0:
            return h
        return torch.lerp(h, states[0].to(h.dtype), self.alpha)  # autocast mixes

    def extra_repr(self) -> str:
        return f"alpha={self.alpha}"


class DenseResidual(Skip):
    r"""Gives every layer the mean of all states before it.

    From the `"Densely Connected Convolutional Networks"
    <https://arxiv.org/abs/1608.06993>`_ paper, on graphs `"DeepGCNs"
    <https://arxiv.org/abs/1904.03751>`_. The papers concatenate, so that the width
    grows with the square of the depth; a mean keeps the width, which is what an
    unmodified model needs:

    .. math:: x_{l+1} = h_l + \frac{s}{l + 1} \sum_{k=0}^{l} x_k

    Args:
        scale: :math:`s`; 0 switches it off.

    Raises:
        InputError: If ``scale`` is not a finite number.

    Example:
        >>> states = [torch.zeros(2, 3), torch.ones(2, 3)]
        >>> DenseResidual()(torch.ones(2, 3), states).unique()
        tensor([1.5000])
    """

    def __init__(self, scale: float = 1.0) -> None:
        super().__init__()
        self.scale = number("scale", scale)

    def forward(
        self, h: Tensor, states: Sequence[Tensor], edge_index: Tensor | None = None
    ) -> Tensor:
        if self.scale == 0:
            return h
        if isinstance(states, States):
            mean = states.total() / len(states)
        else:
            mean = torch.stack(list(states)).mean(0)
        return torch.add(h, mean, alpha=self.scale)


class GradientGating(Skip):
    r"""Lets a channel of a node change only where it differs from its neighbors.

    From the `"Gradient Gating for Deep Multi-Rate Learning on Graphs"
    <https://arxiv.org/abs/2210.00513>`_ paper, with the layer's own output in the
    gate (the paper may use a second network there):

    .. math::
        \tau_{ik} = \tanh \sum_{j \in \mathcal{N}_i} |h_{jk} - h_{ik}|^p, \qquad
        x_{l+1} = (1 - \tau) \odot x_l + \tau \odot h_l

    Where neighbors agree the gate closes, and smoothing stops by itself. The trap is
    the node without neighbors: its gate is closed for good. Where messages come from
    other nodes than they go to (bipartite graphs, sampled blocks) there is no
    :math:`h_j` to compare with.

    Args:
        p: Exponent, 1 or more: below 1 the slope of :math:`|h_j - h_i|^p` is infinite
            where neighbors agree.

    Raises:
        InputError: If ``p`` is below 1.
        ValueError: If it is called without a graph.

    Example:
        >>> edge_index = torch.tensor([[0, 1], [1, 0]])
        >>> same, before = torch.ones(2, 3), torch.zeros(2, 3)
        >>> GradientGating()(same, [before], edge_index).unique()
        tensor([0.])
    """

    needs_graph = True

    def __init__(self, p: float = 2.0) -> None:
        super().__init__()
        self.p = number("p", p, 1, remedy="give an exponent of 1 or more")

    def forward(
        self, h: Tensor, states: Sequence[Tensor], edge_index: Tensor | None = None
    ) -> Tensor:
        if edge_index is None:
            raise ValueError("GradientGating looks at the graph; give edge_index")
        if is_torch_sparse_tensor(edge_index):  # rows are targets
            # Its own: PyG counts each look at the adjacency as a write to it.
            target, source = to_edge_index(edge_index)[0].clone()
        else:
            source, target = edge_index
        sent, own = h.index_select(-2, source), h.index_select(-2, target)
        change = (sent - own).abs() ** self.p  # […, E, C]
        total = scatter(change, target, dim=-2, dim_size=h.size(-2), reduce="sum")
        return torch.lerp(states[-1].to(h.dtype), h, total.tanh())  # autocast mixes

    def extra_repr(self) -> str:
        return f"p={self.p}"


class AntiSymmetric(Skip):
    r"""Moves the state a small step along a flow that neither grows nor decays.

    From the `"Anti-Symmetric DGN: a Stable Architecture for Deep Graph Networks"
    <https://arxiv.org/abs/2210.09789>`_ paper. PyG's ``AntiSymmetricConv`` is the same
    step around a layer of its own; this one takes the branch of any layer:

    .. math::
        x_{l+1} = x_l + \epsilon \tanh\left((W - W^\top - \gamma I) x_l + h_l + b\right)

    The eigenvalues of :math:`W - W^\top` are imaginary, so that states far back keep
    their say (the step's Jacobian stays near the unit circle).

    Args:
        channels: Width of the states.
        epsilon: Step size :math:`\epsilon`. At 0 the states stand still and no layer is
            heard, which is the opposite of no treatment.
        gamma: Damping :math:`\gamma`.

    Raises:
        InputError: If ``channels`` is below 1, or a number is not finite.

    Example:
        >>> skip = AntiSymmetric(3)
        >>> skip(torch.ones(2, 3), [torch.zeros(2, 3)]).shape
        torch.Size([2, 3])
    """

    def __init__(self, channels: int, epsilon: float = 0.1, gamma: float = 0.1) -> None:
        super().__init__()
        whole_number("channels", channels, 1)
        self.epsilon = number("epsilon", epsilon)
        self.gamma = number("gamma", gamma)
        self.weight = nn.Parameter(torch.empty(channels, channels))
        self.bias = nn.Parameter(torch.empty(channels))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draws fresh weights, as PyG's layer does."""
        nn.init.kaiming_uniform_(self.weight, a=math.sqrt(5))
        nn.init.zeros_(self.bias)

    def forward(
        self, h: Tensor, states: Sequence[Tensor], edge_index: Tensor | None = None
    ) -> Tensor:
        x = states[-1]
        turn = x @ (self.weight - self.weight.t()).t() - self.gamma * x
        return x + self.epsilon * torch.tanh(turn + h + self.bias)

    def extra_repr(self) -> str:
        return f"{len(self.bias)}, epsilon={self.epsilon}, gamma={self.gamma}"
