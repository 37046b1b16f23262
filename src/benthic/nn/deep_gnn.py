"""One stack for every layer, norm, skip and drop."""

from __future__ import annotations

import contextlib
import copy
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint
from torch_geometric.nn import JumpingKnowledge, MessagePassing

from benthic.errors import InputError
from benthic.nn.acceleration import accelerate
from benthic.nn.drop import DropMessage, DropNode, EdgeDrop
from benthic.nn.dropout import FastDropout, relu_dropout
from benthic.nn.forward_inputs import convolve, refuse_untaken, some_takes, taken
from benthic.nn.freed_memory import return_freed_memory
from benthic.nn.identity_map import IdentityMap
from benthic.nn.norm import make_norm
from benthic.nn.residual import DenseResidual, Skip
from benthic.nn.sparse_input import InputLinear
from benthic.nn.states import States
from benthic.nn.torch_func import in_transform
from benthic.ranges import number

__all__ = ["DeepGNN"]

Conv = Callable[[int, int], nn.Module]


class DeepGNN(nn.Module):
    r"""A stack of any message-passing layer that stays trainable at any depth.

    .. math::
        x_0 &= \sigma(W_{\text{in}}\, \operatorname{dropout}(x)) \\
        x_{l+1} &= \operatorname{skip}\left(\operatorname{conv}_l(
        \operatorname{dropout}(\sigma(\operatorname{norm}_l(x_l)))),\;
        x_0, \dots, x_l\right) \\
        y &= W_{\text{out}}\, \operatorname{dropout}(\sigma(\operatorname{norm}(x_L)))

    Norm, activation and dropout sit on the branch, so that the stream itself is carried
    unharmed from layer to layer. With
    :class:`~benthic.nn.residual.InitialResidual` and
    :class:`~benthic.nn.identity_map.IdentityMap` it is GCNII, except that GCNII maps
    :math:`\alpha x_0` by the layer's weight too; with ``num_layers=0`` and
    ``propagation=APPNP(K, alpha)`` it is APPNP; with
    :class:`~benthic.nn.residual.Residual` and a norm it is the ``res+`` block of
    `"DeeperGCN: All You Need to Train Deeper GCNs"
    <https://arxiv.org/abs/2006.07739>`_.

    Layers that PyG can only run by gathering messages run by cached sparse matrices,
    see :func:`~benthic.nn.acceleration.accelerate`.

    Args:
        conv: Makes a layer from two widths: a class of PyG, or a function. A layer that
            asks for the first states, as ``GCN2Conv`` does, is given them.
        in_channels: Features of a node.
        hidden_channels: Width of the stream.
        out_channels: Width of the result.
        num_layers: Message-passing layers with weights.
        residual: A skip, copied for each layer, or a class that takes the width.
        identity_map: Keeps the weights of deep layers near the identity.
        norm: What :func:`~benthic.nn.norm.make_norm` takes.
        drop: Random drops of edges, nodes or messages, one or several, copied.
        propagation: Spreads the result over the graph: ``APPNP``, or any module of
            ``(x, edge_index, edge_weight)``.
        jump: ``"max"``, ``"cat"`` or ``"lstm"`` of all states before the last map,
            from `"Representation Learning on Graphs with Jumping Knowledge Networks"
            <https://arxiv.org/abs/1806.03536>`_.
        dropout: Share of inputs and of branch entries that training drops.
        checkpoint: Keeps every :math:`\sqrt{L}`-th state only and computes the others
            again in the backward pass: memory grows with the root of the depth.

    Raises:
        InputError: If an argument does not fit, or two do not go together.

    Example:
        >>> from torch_geometric.nn import GCNConv
        >>> from benthic.nn.residual import Residual
        >>> model = DeepGNN(GCNConv, 3, 8, 2, num_layers=16, residual=Residual())
        >>> edge_index = torch.tensor([[0, 1], [1, 0]])
        >>> model(torch.ones(2, 3), edge_index).shape
        torch.Size([2, 2])
    """

    def __init__(
        self,
        conv: Conv,
        in_channels: int,
        hidden_channels: int,
        out_channels: int,
        num_layers: int,
        *,
        residual: Skip | type[Skip] | None = None,
        identity_map: IdentityMap | None = None,
        norm: Any = None,
        drop: nn.Module | Iterable[nn.Module] = (),
        propagation: nn.Module | None = None,
        jump: str | None = None,
        dropout: float = 0.5,
        checkpoint: bool = False,
    ) -> None:
        super().__init__()
        _check_widths(in_channels, hidden_channels, out_channels)
        _check_depth(num_layers, propagation, jump)
        number("dropout", dropout, 0, 1)
        width = hidden_channels
        self.lin_in = InputLinear(in_channels, width, dropout)
        self.convs = nn.ModuleList(_conv(conv, width) for _ in range(num_layers))
        self.skips = nn.ModuleList(_skips(residual, width, num_layers))
        self.norms = nn.ModuleList(_norms(norm, width, num_layers + 1))
        self.act = nn.ReLU()
        self.dropout = FastDropout(dropout)
        self.jump = None if jump is None else JumpingKnowledge(jump, width, num_layers)
        jumped = width * num_layers if jump == "cat" else width
        self.lin_out = nn.Linear(jumped, out_channels)
        self.propagation = propagation
        self.edge_drops, self.node_drops, self.message_drops = _sorted_drops(drop)
        self.checkpoint = checkpoint
        self._keeps_all = jump is not None or isinstance(residual, DenseResidual)
        if checkpoint and self._keeps_all:
            raise InputError(
                "checkpoint",
                "True beside jumping knowledge or a dense residual",
                "leave it out: they need every state",
            )
        accelerate(self)
        for message_drop in self.message_drops:
            _drop_messages(self.convs, message_drop)
        if identity_map is not None:
            _map_identities(self.convs, identity_map)

    def forward(
        self,
        x: Tensor,
        edge_index: Tensor,
        edge_weight: Tensor | None = None,
        edge_attr: Tensor | None = None,
        edge_type: Tensor | None = None,
        *,
        batch: Tensor | None = None,
    ) -> Tensor:
        """A row for each node.

        Args:
            x: Features, ``[N, F]``.
            edge_index: Edges, ``[2, E]``.
            edge_weight: Weights of edges, ``[E]``, for layers that take them.
            edge_attr: Features of edges, ``[E, D]``, likewise.
            edge_type: Relation of each edge, ``[E]``, likewise.
            batch: Graph of each node, ``[N]``, for norms and layers that ask for it.

        Raises:
            InputError: If no layer takes what is given, or one fails without it.
        """
        inputs = {
            "edge_weight": edge_weight,
            "edge_attr": edge_attr,
            "edge_type": edge_type,
        }
        edges = {name: value for name, value in inputs.items() if value is not None}
        refuse_untaken(self._layers, edges)
        edge_index, edges = self._drop_edges(edge_index, edges, x.size(0))
        x = self.act(self.lin_in(x))
        for drop in self.node_drops:
            x = drop(x)
        states: Sequence[Tensor] = [x]
        for first, last in self._segments():
            # Transforms keep what they need: torch lets no checkpoint in.
            if self.checkpoint and self.training and not in_transform():
                states = checkpoint(
                    self._run,
                    first,
                    last,
                    edge_index,
                    edges,
                    batch,
                    states,
                    use_reentrant=False,
                    context_fn=self._contexts,
                )
                return_freed_memory()
            else:
                states = self._run(first, last, edge_index, edges, batch, states)
        x = self._last_state(states, batch)
        x = self.lin_out(self.dropout(x))
        if self.propagation is not None:
            x = self.propagation(x, edge_index, **taken(self.propagation, edges))
        return x

    def _drop_edges(
        self, edge_index: Tensor, edges: dict[str, Tensor], num_nodes: int
    ) -> tuple[Tensor, dict[str, Tensor]]:
        if self.edge_drops and edge_index.layout != torch.strided:
            found = f"a sparse adjacency beside {self.edge_drops[0]}"
            raise InputError("edge_index", found, "give edges, [2, E]")
        for drop in self.edge_drops:
            if not drop.training:  # an export cannot know that all edges stay
                continue
            keep = drop(edge_index, num_nodes)
            if not keep.all():
                edge_index = edge_index[:, keep]
                edges = {name: value[keep] for name, value in edges.items()}
        return edge_index, edges

    @property
    def supports_edge_weight(self) -> bool:
        """Whether some layer looks at weights of edges."""
        return some_takes(self._layers, "edge_weight")

    @property
    def supports_edge_attr(self) -> bool:
        """Whether some layer looks at features of edges."""
        return some_takes(self._layers, "edge_attr")

    @property
    def supports_edge_type(self) -> bool:
        """Whether some layer looks at relations of edges."""
        return some_takes(self._layers, "edge_type")

    @property
    def _layers(self) -> list[nn.Module]:
        layers = (*self.convs, self.propagation)
        return [layer for layer in layers if layer is not None]

    def _contexts(self) -> tuple[Any, Any]:
        """Of a segment's first pass, and of the pass that computes it again."""
        return contextlib.nullcontext(), _Unchanged(list(self.buffers()))

    def _segments(self) -> list[tuple[int, int]]:
        depth = len(self.convs)
        length = max(1, math.isqrt(depth)) if self.checkpoint else max(depth, 1)
        starts = range(0, depth, length)
        return [(start, min(start + length, depth)) for start in starts]

    def _run(
        self,
        first: int,
        last: int,
        edge_index: Tensor,
        edges: Mapping[str, Tensor],
        batch: Tensor | None,
        states: Sequence[Tensor],
    ) -> States:
        """Layers ``first`` … ``last``: the states after them, as the skips need."""
        states = States(states)
        offered = {**edges, "batch": batch, "x_0": states[0]}
        for layer in range(first, last):
            x = self._normalized(layer, states[-1], batch)
            x = relu_dropout(x, self.dropout.p, self.dropout.training)
            x = convolve(self.convs[layer], x, edge_index, offered)
            if self.skips:
                x = self.skips[layer](x, states, edge_index)
            if not self._keeps_all:
                states = States(states[:1])
            states.append(x)
        return states

    def _normalized(self, layer: int, x: Tensor, batch: Tensor | None) -> Tensor:
        if not self.norms:
            return x
        norm = self.norms[layer]
        out: Tensor = norm(x, **taken(norm, {"batch": batch}))
        return out

    def _last_state(self, states: Sequence[Tensor], batch: Tensor | None) -> Tensor:
        if self.jump is None:
            x: Tensor = self.act(self._normalized(-1, states[-1], batch))
        else:
            x = self.jump([self.act(state) for state in states[1:]])
        return x

    def __repr__(self) -> str:
        parts = [f"{self.lin_in.weight.size(1)}, {self.lin_out.out_features}"]
        parts.append(f"num_layers={len(self.convs)}")
        if self.skips:
            parts.append(f"residual={self.skips[0]}")
        if self.norms:
            parts.append(f"norm={self.norms[0]}")
        if self.propagation is not None:
            parts.append(f"propagation={self.propagation}")
        return f"{type(self).__name__}({', '.join(parts)})"


class _Unchanged(contextlib.AbstractContextManager[None]):
    """Running statistics count what a checkpoint computes again once, not twice.

    Args:
        buffers: They are as they were at the end, however often it is entered.
    """

    def __init__(self, buffers: list[Tensor]) -> None:
        self._buffers = buffers
        self._before: list[list[Tensor]] = []

    def __enter__(self) -> None:
        self._before.append([buffer.clone() for buffer in self._buffers])

    def __exit__(self, *_: object) -> None:
        for buffer, value in zip(self._buffers, self._before.pop(), strict=True):
            buffer.data.copy_(value)  # autograd need not know: batch statistics count
        return_freed_memory()


def _check_widths(in_channels: Any, hidden_channels: Any, out_channels: Any) -> None:
    widths = {
        "in_channels": in_channels,
        "hidden_channels": hidden_channels,
        "out_channels": out_channels,
    }
    for name, width in widths.items():
        if not _is_whole(width) or width < 1:
            raise InputError(name, repr(width), "give a width of 1 or more")


def _is_whole(number: Any) -> bool:
    return isinstance(number, int) and not isinstance(number, bool)


def _conv(make: Any, width: int) -> nn.Module:
    """One layer, or what is wrong with what should make it."""
    name = getattr(make, "__name__", repr(make))
    remedy = "give a class of PyG, such as GCNConv, or a function of two widths"
    if not callable(make) or isinstance(make, nn.Module):
        raise InputError("conv", repr(make), remedy)
    try:
        made = make(width, width)
    except TypeError as error:
        found = f"{name}, which two widths do not make ({error})"
        remedy = f"give a function: lambda i, o: {name}(i, o, …)"
        raise InputError("conv", found, remedy) from error
    if not isinstance(made, nn.Module):
        raise InputError("conv", f"{name}, which makes {made!r}", remedy)
    return made


def _check_depth(num_layers: Any, propagation: Any, jump: str | None) -> None:
    if not (propagation is None or isinstance(propagation, nn.Module)):
        raise InputError(
            "propagation", repr(propagation), "give a module, such as APPNP(10, 0.1)"
        )
    if not _is_whole(num_layers) or num_layers < (propagation is None):
        raise InputError("num_layers", repr(num_layers), "give a depth of 1 or more")
    if jump not in (None, "max", "cat", "lstm"):
        raise InputError("jump", repr(jump), "give 'max', 'cat', 'lstm' or None")
    if jump is not None and num_layers == 0:
        raise InputError("jump", f"{jump!r} over no layer", "leave it out")


def _map_identities(convs: nn.ModuleList, identity_map: IdentityMap) -> None:
    if not isinstance(identity_map, IdentityMap):
        raise InputError("identity_map", repr(identity_map), "give IdentityMap(theta)")
    mapped = [identity_map.attach(conv, layer) for layer, conv in enumerate(convs, 1)]
    if convs and not any(mapped):
        raise InputError(
            "identity_map",
            f"no square linear weight in {type(convs[0]).__name__}",
            "leave it out, or take another layer",
        )


def _skips(
    residual: Skip | type[Skip] | None, channels: int, count: int
) -> list[nn.Module]:
    if residual is None:
        return []
    if isinstance(residual, Skip):
        skips = [copy.deepcopy(residual) for _ in range(count)]
        for skip in skips:
            reset = getattr(skip, "reset_parameters", None)
            if reset is not None:
                reset()
        return list(skips)
    if isinstance(residual, type) and issubclass(residual, Skip):
        make: Callable[[int], nn.Module] = residual
        return [make(channels) for _ in range(count)]
    raise InputError(
        "residual", repr(residual), "give a skip of benthic.nn, such as Residual()"
    )


def _norms(norm: Any, channels: int, count: int) -> list[nn.Module]:
    return [] if norm is None else [make_norm(norm, channels) for _ in range(count)]


def _drop_messages(convs: nn.Module, drop: nn.Module) -> None:
    for module in convs.modules():
        if isinstance(module, MessagePassing):
            module.register_message_forward_hook(_DropHook(drop))


@dataclass(frozen=True)
class _DropHook:
    """A hook that pickles, which a closure does not."""

    drop: nn.Module

    def __call__(self, conv: nn.Module, inputs: Any, messages: Tensor) -> Tensor:
        dropped: Tensor = self.drop(messages)
        return dropped


def _sorted_drops(
    drop: nn.Module | Iterable[nn.Module],
) -> tuple[nn.ModuleList, nn.ModuleList, nn.ModuleList]:
    drops = list(drop) if isinstance(drop, Iterable) else [drop]
    kinds = (EdgeDrop, DropNode, DropMessage)
    for one in drops:
        if not isinstance(one, kinds):
            raise InputError(
                "drop", repr(one), "give DropEdge, DropPath, DropNode or DropMessage"
            )
    edge, node, message = (
        nn.ModuleList(copy.deepcopy(one) for one in drops if isinstance(one, kind))
        for kind in kinds
    )
    return edge, node, message
