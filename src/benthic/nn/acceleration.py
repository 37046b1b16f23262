"""PyG's layers on the fast path: the same parameters, the same results."""

from __future__ import annotations

import contextvars
from typing import Any

import torch
from torch import Tensor, nn
from torch_geometric.nn import (
    APPNP,
    DiffGroupNorm,
    GATConv,
    GATv2Conv,
    GCN2Conv,
    GCNConv,
    GINConv,
    GraphConv,
    SAGEConv,
)
from torch_geometric.nn.conv import gcn_conv
from torch_geometric.nn.dense import Linear
from torch_geometric.nn.models.basic_gnn import BasicGNN
from torch_geometric.utils import degree

from benthic.nn.attention import AttentionGraph, attend
from benthic.nn.dropout import FastDropout, ReLUBeforeDropout
from benthic.nn.norm.group_norm import FastDiffGroupNorm
from benthic.nn.page_rank import page_rank
from benthic.nn.propagation import (
    Adjacency,
    GraphCache,
    has_product,
    joins_rows,
    propagate,
)
from benthic.nn.sparse_input import map_features
from benthic.nn.torch_func import is_recorded, is_wrapped

__all__ = ["accelerate"]


def accelerate(model: nn.Module) -> nn.Module:
    r"""Lets the layers of a model propagate by cached sparse matrices, in place.

    Covers ``GCNConv``, ``GCN2Conv``, ``APPNP``, ``GraphConv``, ``SAGEConv``,
    ``GINConv``, ``GATConv`` and ``GATv2Conv``, whose messages are weighted states and
    nothing else: their sum is a matrix product, up to 7 times faster than gathering and
    scattering messages, with attention 1.4 times (``benchmarks/propagation.py``), and
    no message is stored. ``DiffGroupNorm`` goes without the states of its groups, PyG's
    ``Linear`` by the non-zeros of wide features that are mostly zeros, and
    ``nn.Dropout`` draws its masks faster: others, at the same rate.

    All else is the same to rounding; parameters, names and hooks stay. Where the plain
    way is needed (a sparse ``edge_index``, weights of edges with gradients, hooks on
    messages, an explainer, half precision, autocast, states of three dimensions, edges
    made under ``torch.inference_mode``, node numbers that PyG refuses) a layer takes it
    by itself. A graph that is written to behind torch's back (``edge_weight.data``) is
    taken for the same graph; see :class:`~benthic.nn.propagation.GraphCache`.

    Args:
        model: Any module; its layers of exactly these classes change their class.

    Returns:
        The model itself.

    Example:
        >>> from torch_geometric.nn import GCN
        >>> accelerate(GCN(3, 8, num_layers=2, out_channels=2)).convs[0]
        CachedGCNConv(3, 8)
    """
    graphs = GraphCache()
    modules: list[Any] = list(model.modules())
    for module in modules:
        fast = _FAST.get(type(module))
        if fast is not None and getattr(module, "flow", "") in ("source_to_target", ""):
            module.__class__ = fast
            module.graphs = graphs
        if _drops_what_it_activates(module):
            module.act.__class__ = ReLUBeforeDropout
            module.act.precede(module.dropout)
    return model


def _drops_what_it_activates(module: Any) -> bool:
    """Whether every result of ``act`` goes to ``dropout``, and nowhere else."""
    return (
        getattr(type(module), "forward", None) is BasicGNN.forward
        and not module.act_first
        and type(module.act) is nn.ReLU
        and type(module.dropout) in (nn.Dropout, FastDropout)
    )


def _propagate(
    conv: Any,
    edge_index: Any,
    size: tuple[int | None, int | None] | None = None,
    **arguments: Any,
) -> Tensor:
    """``MessagePassing.propagate`` as a matrix product, where it is one."""
    x, edge_weight = arguments["x"], arguments.get("edge_weight")
    adjacency = _adjacency(conv, edge_index, edge_weight, x, size)
    if adjacency is None:
        return _propagate_plainly(conv, edge_index, size=size, **arguments)
    return propagate(adjacency, _source(x))


def _propagate_plainly(conv: Any, edge_index: Any, **arguments: Any) -> Tensor:
    """``MessagePassing.propagate`` as PyG has it."""
    parent: Any = super(_fast(conv), conv)
    plain = parent.propagate
    if conv.explain:
        # PyG compiles `propagate` for a class; the compiled one explains nothing.
        plain = getattr(parent, "_orig_propagate", plain)
    out: Tensor = plain(edge_index, **arguments)
    return out


def _adjacency(
    conv: Any,
    edge_index: Any,
    edge_weight: Any,
    x: Any,
    size: tuple[int | None, int | None] | None = None,
) -> Adjacency | None:
    """The graph as a matrix, where a product with it is all that is asked for."""
    source = _source(x)
    if not (_is_known(edge_index, edge_weight) and _is_product(conv, source, dim=2)):
        return None
    shape = (_num_targets(x, size), source.size(0))

    def make() -> Adjacency | None:
        if not joins_rows(edge_index, shape):
            return None  # PyG says what is wrong
        weight = edge_weight
        if weight is None:
            number, kind = edge_index.size(1), source.dtype
            weight = torch.ones(number, dtype=kind, device=edge_index.device)
        if conv.aggr == "mean":
            count = degree(edge_index[1], shape[0], dtype=weight.dtype)
            weight = weight / count[edge_index[1]]
        return Adjacency(edge_index, weight.to(source.dtype), shape)

    flavor = (conv.aggr, shape, source.dtype)
    adjacency: Adjacency | None = conv.graphs.get(edge_index, edge_weight, flavor, make)
    return adjacency


def _source(x: Any) -> Any:
    return x[0] if isinstance(x, tuple) else x


def _num_targets(x: Any, size: tuple[int | None, int | None] | None) -> int:
    if size is not None and size[1] is not None:
        return size[1]
    target = x[1] if isinstance(x, tuple) and x[1] is not None else x
    return int((target[0] if isinstance(target, tuple) else target).size(0))


_HOOKS = (
    "_propagate_forward_pre_hooks",
    "_propagate_forward_hooks",
    "_message_forward_pre_hooks",
    "_message_forward_hooks",
    "_aggregate_forward_pre_hooks",
    "_aggregate_forward_hooks",
)


def _is_product(conv: Any, x: Any, dim: int) -> bool:
    """Whether nothing but a plain weighted sum of rows is asked for."""
    return (
        x.dim() == dim
        and has_product(x)
        and conv.aggr in ("add", "sum", "mean")
        and not conv.explain
        and conv.decomposed_layers == 1
        and not any(getattr(conv, hooks) for hooks in _HOOKS)
    )


def _is_known(edge_index: Any, edge_weight: Any) -> bool:
    """Whether this is a list of edges with constant weights that a cache can keep."""
    return (
        type(edge_index) is Tensor
        and not is_recorded(edge_index)
        and edge_index.layout == torch.strided
        and not edge_index.is_inference()
        and not is_wrapped(edge_index)
        and (edge_weight is None or _is_constant(edge_weight))
    )


def _is_constant(edge_weight: Any) -> bool:
    return (
        isinstance(edge_weight, Tensor)
        and not edge_weight.requires_grad
        and not edge_weight.is_inference()
        and not is_wrapped(edge_weight)
        and edge_weight.dim() == 1
    )


def _forward(conv: Any, x: Any, *arguments: Any, **keywords: Any) -> Tensor:
    """PyG's own forward, with the normalized graph from the cache."""
    names = dict(zip(_AFTER_X[_fast(conv)], arguments, strict=False)) | keywords
    edge_index, edge_weight = names.get("edge_index"), names.get("edge_weight")
    plain: Any = super(_fast(conv), conv).forward
    normalized = _normalized(conv, x, edge_index, edge_weight)
    if normalized is None:
        unknown: Tensor = plain(x, *arguments, **keywords)
        return unknown
    with conv.graphs.lock:  # another thread may bring another graph
        conv._cached_edge_index = normalized
        try:
            out: Tensor = plain(x, *arguments, **keywords)
        finally:
            conv._cached_edge_index = None
    return out


def _fast(conv: Any) -> type[nn.Module]:
    """The class that a layer was given; ``torch.export`` may put its own below it."""
    return next(kind for kind in type(conv).__mro__ if kind in _FAST.values())


def _normalized(
    conv: Any, x: Any, edge_index: Any, edge_weight: Any
) -> tuple[Tensor, Tensor] | None:
    """The graph as the layer normalizes it, where it does so at every call."""
    if (
        conv.cached
        or not getattr(conv, "normalize", True)
        or not isinstance(x, Tensor)
        or not _is_known(edge_index, edge_weight)
    ):
        return None
    improved, num_nodes = getattr(conv, "improved", False), x.size(conv.node_dim)

    def make() -> tuple[Tensor, Tensor]:
        # What is kept of a graph must not be that graph, or it never goes.
        normalized: tuple[Tensor, Tensor] = gcn_conv.gcn_norm(
            edge_index if conv.add_self_loops else edge_index.clone(),
            edge_weight,
            num_nodes,
            improved,
            conv.add_self_loops,
            conv.flow,
            x.dtype,
        )
        return normalized

    flavor = ("gcn_norm", num_nodes, x.dtype, conv.add_self_loops, improved)
    made: tuple[Tensor, Tensor] = conv.graphs.get(edge_index, edge_weight, flavor, make)
    return made


def _propagate_attention(
    conv: Any,
    edge_index: Any,
    size: tuple[int | None, int | None] | None = None,
    **arguments: Any,
) -> Tensor:
    """``MessagePassing.propagate`` as a product with weights that are learned."""
    x, weight = arguments["x"], arguments["alpha"]
    graph = _attention_graph(conv, edge_index, weight, x, size)
    if graph is None:
        return _propagate_plainly(conv, edge_index, size=size, **arguments)
    return attend(graph, weight, _source(x))


def _attention_graph(
    conv: Any,
    edge_index: Any,
    weight: Tensor,
    x: Any,
    size: tuple[int | None, int | None] | None,
) -> AttentionGraph | None:
    """The graph's entries, where a product with them is all that is asked for."""
    source, given = _source(x), _before_loops.get()
    key = edge_index if given is None else given
    if not (
        _is_known(key, None)
        and _is_product(conv, source, dim=3)
        and conv.aggr != "mean"
        and weight.dtype == source.dtype
        and weight.shape == (edge_index.size(1), source.size(1))
    ):
        return None
    shape = (_num_targets(x, size), source.size(0))

    def make() -> AttentionGraph | None:
        if not joins_rows(edge_index, shape):
            return None  # PyG says what is wrong
        return AttentionGraph(edge_index, shape, conv.heads)

    flavor = ("attention", shape, conv.heads, given is None)
    graph: AttentionGraph | None = conv.graphs.get(key, None, flavor, make)
    return graph


def _forward_attention(
    conv: Any, x: Any, edge_index: Any, *arguments: Any, **keywords: Any
) -> Any:
    """PyG's own forward, which makes other edges of the same graph at every call."""
    plain: Any = super(_fast(conv), conv).forward
    if is_recorded(edge_index):
        return plain(x, edge_index, *arguments, **keywords)
    is_kept = conv.add_self_loops and _is_known(edge_index, None)
    token = _before_loops.set(edge_index if is_kept else None)
    try:
        return plain(x, edge_index, *arguments, **keywords)
    finally:
        _before_loops.reset(token)


_before_loops: contextvars.ContextVar[Tensor | None] = contextvars.ContextVar(
    "the edges that attention was given, before it added self-loops", default=None
)


class CachedLinear(Linear):
    """PyG's ``Linear``, by the non-zeros of constant features that are mostly zeros."""

    def forward(self, x: Tensor) -> Tensor:
        # Only features of the input are much wider than what becomes of them.
        if self.in_channels < 4 * self.out_channels:
            dense: Tensor = super().forward(x)
            return dense
        return map_features(x, self.weight, self.bias, 0.0, self.graphs)


class CachedGCNConv(GCNConv):
    """``GCNConv`` by cached sparse matrices; see :func:`accelerate`."""

    forward = _forward
    propagate = _propagate


class CachedGCN2Conv(GCN2Conv):
    """``GCN2Conv`` by cached sparse matrices; see :func:`accelerate`."""

    forward = _forward
    propagate = _propagate


class CachedAPPNP(APPNP):
    """``APPNP`` by cached sparse matrices; see :func:`accelerate`."""

    propagate = _propagate

    def forward(
        self, x: Tensor, edge_index: Any, edge_weight: Tensor | None = None
    ) -> Tensor:
        normalized = _normalized(self, x, edge_index, edge_weight)
        adjacency = None
        if normalized is not None and not self.dropout:
            adjacency = _adjacency(self, *normalized, x)
        if adjacency is None:
            return _forward(self, x, edge_index, edge_weight)
        return page_rank(adjacency, x, self.K, self.alpha)


class CachedGraphConv(GraphConv):
    """``GraphConv`` by cached sparse matrices; see :func:`accelerate`."""

    propagate = _propagate


class CachedSAGEConv(SAGEConv):
    """``SAGEConv`` by cached sparse matrices; see :func:`accelerate`."""

    propagate = _propagate


class CachedGINConv(GINConv):
    """``GINConv`` by cached sparse matrices; see :func:`accelerate`."""

    propagate = _propagate


class CachedGATConv(GATConv):
    """``GATConv`` by sparse matrices; see :func:`accelerate`."""

    forward = _forward_attention
    propagate = _propagate_attention


class CachedGATv2Conv(GATv2Conv):
    """``GATv2Conv`` by sparse matrices; see :func:`accelerate`."""

    forward = _forward_attention
    propagate = _propagate_attention


_FAST: dict[type[nn.Module], type[nn.Module]] = {
    GCNConv: CachedGCNConv,
    GCN2Conv: CachedGCN2Conv,
    APPNP: CachedAPPNP,
    GraphConv: CachedGraphConv,
    SAGEConv: CachedSAGEConv,
    GINConv: CachedGINConv,
    GATConv: CachedGATConv,
    GATv2Conv: CachedGATv2Conv,
    Linear: CachedLinear,
    nn.Dropout: FastDropout,
    DiffGroupNorm: FastDiffGroupNorm,
}
_AFTER_X: dict[type[nn.Module], tuple[str, ...]] = {
    CachedGCNConv: ("edge_index", "edge_weight"),
    CachedGCN2Conv: ("x_0", "edge_index", "edge_weight"),
    CachedAPPNP: ("edge_index", "edge_weight"),
}
