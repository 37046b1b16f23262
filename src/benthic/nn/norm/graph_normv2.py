"""GraphNormv2: centering that keeps the directions of the graph."""

from __future__ import annotations

import math

import numpy as np
import torch
from jaxtyping import Float
from scipy.sparse import coo_matrix
from scipy.sparse.linalg import eigsh
from torch import Tensor, nn
from torch_geometric.nn.conv.gcn_conv import gcn_norm
from torch_geometric.utils import scatter

from benthic.errors import InputError
from benthic.typing import EdgeIndex, NodeFeatures


class GraphNormv2(nn.Module):
    r"""Learns, per channel, which smooth direction of the graph to take out.

    From the `"Residual Connections and Normalization Can Provably Prevent
    Oversmoothing in GNNs" <https://arxiv.org/abs/2406.02997>`_ paper. Per column
    :math:`\mathbf{x}` of the states:

    .. math::
        \hat{\mathbf{x}} = \mathbf{x} - \mathbf{V}^+_k \boldsymbol{\tau}
        \boldsymbol{\tau}^{\top} {\mathbf{V}^+_k}^{\top} \mathbf{x}, \qquad
        \mathbf{x}^{\prime} = \gamma \frac{\hat{\mathbf{x}}}
        {\sqrt{{\| \hat{\mathbf{x}} \|}^2_2 / N + \epsilon}} + \beta

    where :math:`\mathbf{V}^+_k` holds the :math:`k` dominant eigenvectors of the
    propagation and what they leave of the constant vector (:func:`dominant_basis`), and
    :math:`\boldsymbol{\tau} \in \mathbb{R}^{k + 1}`, :math:`\gamma` and :math:`\beta`
    are learned. Public code reads the centering in two ways, as this projection and
    as a weight for each eigenvector; this one contains the ordinary centering, at
    :math:`\mathbf{V}^+_k \boldsymbol{\tau} = \mathbf{1} / \sqrt{N}`, and starts there.

    Ordinary centering bends the signal: the constant is no eigenvector of the
    propagation, so that taking it out mixes the others. Without a basis
    :math:`k = 0`, and all that is learned is the share of the mean, as in GraphNorm.

    Args:
        channels: Width of the states.
        basis: :math:`\mathbf{V}^+_k` of the one graph that the norm is for,
            ``[N, k + 1]``; None for any graph. Layers may share it; it is not saved
            with the weights.
        eps: Keeps the division finite.

    Raises:
        InputError: If the norm has a basis and sees another number of nodes, or
            several graphs.

    Example:
        >>> edge_index = torch.tensor([[0, 1, 1, 2], [1, 0, 2, 1]])
        >>> norm = GraphNormv2(4, dominant_basis(edge_index, num_nodes=3, k=1))
        >>> norm(torch.randn(3, 4)).shape
        torch.Size([3, 4])
    """

    basis: Tensor | None

    def __init__(
        self,
        channels: int,
        basis: Float[Tensor, "nodes vectors"] | None = None,
        eps: float = 1e-5,
    ) -> None:
        super().__init__()
        self.eps = eps
        self.register_buffer("basis", basis, persistent=False)
        vectors = 1 if basis is None else basis.size(1)
        self.tau = nn.Parameter(torch.empty(vectors, channels))
        self.weight = nn.Parameter(torch.empty(channels))
        self.bias = nn.Parameter(torch.empty(channels))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Ordinary centering, no scale and no shift."""
        nn.init.ones_(self.weight)
        nn.init.zeros_(self.bias)
        nn.init.ones_(self.tau)
        if self.basis is not None:
            constant = self.basis.sum(dim=0) / math.sqrt(len(self.basis))
            with torch.no_grad():
                self.tau.copy_(constant[:, None].expand_as(self.tau))

    def forward(self, x: NodeFeatures, batch: Tensor | None = None) -> NodeFeatures:
        """Each graph by itself.

        Args:
            x: Node states.
            batch: Graph of each node; one graph if None.
        """
        size = _total(x.new_ones(len(x), 1), batch)  # [N, 1] or [1, 1]
        if self.basis is None:
            direction = self.tau / size.sqrt()  # [N, C] or [1, C]
        else:
            _check_one_graph(self.basis, x, batch)
            direction = self.basis @ self.tau  # [N, C]
        out = x - direction * _total(direction * x, batch)
        deviation = (_total(out**2, batch) / size + self.eps).sqrt()
        return self.weight * out / deviation + self.bias

    def extra_repr(self) -> str:
        return f"{len(self.weight)}, k={len(self.tau) - 1}"


def dominant_basis(
    edge_index: EdgeIndex, num_nodes: int, *, k: int
) -> Float[Tensor, "nodes vectors"]:
    r"""The directions that a graph's propagation keeps longest, and the constant.

    For :class:`GraphNormv2`: the eigenvectors of GCN's
    :math:`\tilde{\mathbf{D}}^{-1/2} (\mathbf{A} + \mathbf{I})
    \tilde{\mathbf{D}}^{-1/2}` with the :math:`k` largest :math:`|\lambda|`, then the
    part of the constant vector that they do not span, all orthonormal. Edges listed in
    one direction are read as :math:`(\mathbf{A} + \mathbf{A}^{\top}) / 2`.

    Args:
        edge_index: Both directions of every undirected edge.
        num_nodes: Number of nodes.
        k: Number of eigenvectors, 1 to ``num_nodes``.

    Returns:
        ``[N, k + 1]``, or ``[N, k]`` if the eigenvectors span the constant, as they do
        on a graph whose nodes all have the same degree.

    Raises:
        InputError: If ``k`` is out of range.

    Example:
        >>> edge_index = torch.tensor([[0, 1, 1, 2], [1, 0, 2, 1]])
        >>> basis = dominant_basis(edge_index, num_nodes=3, k=1)
        >>> torch.allclose(basis.T @ basis, torch.eye(2), atol=1e-6)
        True
    """
    if not 1 <= k <= num_nodes:
        raise InputError("k", str(k), f"give a number from 1 to {num_nodes}")
    loops, weight = gcn_norm(edge_index, None, num_nodes, dtype=torch.float64)
    entries = (weight.cpu().numpy(), tuple(loops.cpu().numpy()))
    operator = coo_matrix(entries, shape=(num_nodes, num_nodes)).tocsr()
    operator = (operator + operator.T) / 2
    if k < num_nodes - 1:
        # A start of our own: eigsh would draw one from the caller's generator.
        start = np.cos(np.arange(1, num_nodes + 1))
        vectors = eigsh(operator, k=k, which="LM", v0=start)[1]
    else:
        values, vectors = np.linalg.eigh(operator.toarray())
        vectors = vectors[:, np.argsort(-np.abs(values), kind="stable")[:k]]
    constant = np.full(num_nodes, num_nodes**-0.5)
    rest = constant - vectors @ (vectors.T @ constant)
    length = np.linalg.norm(rest)
    if length > 1e-6:
        vectors = np.column_stack([vectors, rest / length])
    return torch.from_numpy(np.ascontiguousarray(vectors)).to(
        edge_index.device, torch.get_default_dtype()
    )


def _total(values: Tensor, batch: Tensor | None) -> Tensor:
    """The sum over each graph, told to each of its nodes."""
    if batch is None:
        return values.sum(dim=0, keepdim=True)  # [1, C]
    totals: Tensor = scatter(values, batch, dim=0, reduce="sum")
    return totals.index_select(0, batch)


def _check_one_graph(basis: Tensor, x: Tensor, batch: Tensor | None) -> None:
    if len(x) != len(basis):
        found = f"{len(x):,} nodes for a basis of {len(basis):,}"
        raise InputError("x", found, "make the norm with the basis of this graph")
    if batch is not None and bool((batch != batch[:1]).any()):
        found = "several graphs for the basis of one"
        raise InputError("batch", found, "leave the basis out")
