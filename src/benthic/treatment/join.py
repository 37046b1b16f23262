"""What is put around one layer: its skips, its jumping knowledge, its norm."""

from __future__ import annotations

import inspect
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch_geometric.nn import JumpingKnowledge

from benthic.nn.drop import SkipNode
from benthic.nn.residual import Skip
from benthic.treatment.arguments import is_graph


class Join(nn.Module):
    r"""Joins what a layer computed for one node type to its stream.

    .. math:: x_{l+1} = \operatorname{skip}(h_l, (x_1, \dots, x_l)), \qquad
        \text{returned: } \operatorname{norm}(x_{l+1})

    Args:
        skips: One after the other.
        norm: Of what is returned.
        jump: Jumping knowledge, where this is the last layer of the stream.
    """

    def __init__(
        self,
        skips: Sequence[Skip] = (),
        norm: nn.Module | None = None,
        jump: JumpingKnowledge | None = None,
    ) -> None:
        super().__init__()
        self.skips = nn.ModuleList(skips)
        self.norm = norm
        self.jump = jump
        self.takes_batch = norm is not None and (
            "batch" in inspect.signature(norm.forward).parameters
        )

    def forward(
        self,
        h: Tensor,
        states: Sequence[Tensor],
        edge_index: Tensor | None = None,
        batch: Tensor | None = None,
        *,
        is_answer: bool = False,
    ) -> tuple[Tensor, Tensor]:
        """The next state, and what the layer returns.

        Args:
            h: What the layer computed, ``[N, C]``, or ``[…, N, C]`` for several frames
                of one graph.
            states: The stream so far; empty where it starts.
            edge_index: The graph, for skips that look at it.
            batch: Graph of each node, for norms that look at it.
            is_answer: Whether the model returns it, so that the norm does not act.
        """
        x = h
        if states:
            for skip in self.skips:
                x = skip(x, states, edge_index)
        rows = _rows(x)
        if self.jump is not None and states:
            rows = self.jump([*map(_rows, states), rows])
        if self.norm is not None and not is_answer:
            graphs = _graphs(x, batch) if self.takes_batch else None
            rows = self.norm(rows, **({} if graphs is None else {"batch": graphs}))
        return x, rows if x.dim() == 2 else rows.view_as(x)

    @property
    def by_rows(self) -> list[nn.Module]:
        """The parts that ask what a row is, and not only how wide."""
        skips = [s for s in self.skips if s.needs_graph or isinstance(s, SkipNode)]
        return [*skips, *(p for p in (self.norm, self.jump) if p is not None)]

    def ask_for_gradient(self, has_states: bool) -> None:
        """Lets weights be trained that act on earlier states, or not.

        Args:
            has_states: Whether there are any.
        """
        self.skips.requires_grad_(has_states)
        if self.jump is not None:
            self.jump.requires_grad_(has_states)


def _rows(x: Tensor) -> Tensor:
    """The states of nodes in several frames of one graph, ``[…, N, C]``, as rows."""
    return x if x.dim() == 2 else x.flatten(0, -2)


def _graphs(x: Tensor, batch: Tensor | None) -> Tensor | None:
    """The graph of each row, where there are several: in each frame others."""
    num_nodes = x.size(-2)
    fits = batch is not None and is_graph(batch) and batch.size(0) == num_nodes
    if x.dim() == 2:
        return batch if fits else None
    if not fits or batch is None or num_nodes == 0:
        batch = torch.zeros(num_nodes, dtype=torch.int64, device=x.device)
    num_graphs = int(batch.max()) + 1 if num_nodes else 0
    frames = torch.arange(x.shape[:-2].numel(), device=x.device)
    return (num_graphs * frames[:, None] + batch).flatten()
