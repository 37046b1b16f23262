"""How wide is what a layer takes and returns?"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from torch import nn
from torch_geometric.nn import GINConv, GINEConv, HeteroConv, MessagePassing

from benthic.trace.arguments import ends
from benthic.trace.layers import Layer


class Widths(NamedTuple):
    """Channels of a layer's input and output at its target nodes; None if unknown."""

    taken: int | None
    returned: int | None

    def __str__(self) -> str:
        taken, returned = ("?" if c is None else str(c) for c in self)
        return f"{taken} -> {returned}"


def layer_widths(layer: Layer) -> dict[str, Widths]:
    """The widths of a layer, by node type; by "" where there are no types.

    Args:
        layer: A layer, as :func:`~benthic.trace.find_layers` finds it.

    Example:
        >>> from torch_geometric.nn import GAT
        >>> from benthic.trace import find_layers
        >>> [str(layer_widths(x)[""]) for x in find_layers(GAT(6, 8, 2, heads=4))]
        ['6 -> 8', '8 -> 8']
    """
    typed = [m for m in layer.modules.values() if _is_typed(m)]
    if typed:
        module = typed[0]
        channels: Any = module.in_channels
        returned = _returned(module)
        return {str(t): Widths(_count(c), returned) for t, c in channels.items()}
    by_type: dict[str, list[Widths]] = {}
    for relation, module in _members(layer):
        target = ends(relation)[1] or ""
        by_type.setdefault(target, []).append(_widths(module, bool(relation)))
    adds_up = any(getattr(m, "aggr", "") == "cat" for m in _hetero_convs(layer))
    return {target: _join(found, adds_up) for target, found in by_type.items()}


def _members(layer: Layer) -> Iterator[tuple[str, nn.Module]]:
    """The modules of a layer with the relations that they serve."""
    for relation, module in layer.modules.items():
        if isinstance(module, HeteroConv):
            for edge_type, conv in module.convs.items():
                yield "__".join(edge_type), conv
        else:
            yield relation, module


def _is_typed(module: nn.Module) -> bool:
    """Whether one module serves all node types: ``HGTConv``, ``HANConv``."""
    return isinstance(getattr(module, "in_channels", None), dict)


def _hetero_convs(layer: Layer) -> list[HeteroConv]:
    return [m for m in layer.modules.values() if isinstance(m, HeteroConv)]


def _join(found: list[Widths], adds_up: bool) -> Widths:
    taken = next((w.taken for w in found if w.taken is not None), None)
    returned = [w.returned for w in found]
    known = [c for c in returned if c is not None]
    if adds_up:
        return Widths(taken, sum(known) if len(known) == len(returned) else None)
    return Widths(taken, known[0] if known else None)


def _widths(module: nn.Module, has_ends: bool) -> Widths:
    channels = _count(getattr(module, "channels", None))
    taken = _taken(module, has_ends)
    returned = _returned(module)
    if not isinstance(module, MessagePassing) and taken is returned is channels is None:
        inner = [m for m in module.modules() if isinstance(m, MessagePassing)]
        if inner:
            return Widths(_taken(inner[0], has_ends), _returned(inner[-1]))
    return Widths(
        channels if taken is None else taken, channels if returned is None else returned
    )


def _taken(module: nn.Module, has_ends: bool) -> int | None:
    channels = getattr(module, "in_channels", None)
    if isinstance(channels, tuple | list) and channels:
        # (source, target): the stream is that of the targets.
        channels = channels[-1] if has_ends or len(channels) == 2 else None
    if channels is None and isinstance(module, GINConv | GINEConv):
        linear = _linears(module.nn)
        channels = linear[0][0] if linear else None
    return _count(channels)


def _returned(module: nn.Module) -> int | None:
    channels = _count(getattr(module, "out_channels", None))
    if channels is not None:
        heads = _count(getattr(module, "heads", 1)) or 1
        return channels * heads if getattr(module, "concat", False) else channels
    for name in ("global_nn", "nn"):
        linear = _linears(getattr(module, name, None))
        if linear:
            return linear[-1][1]
    return None


def _linears(module: Any) -> list[tuple[int | None, int | None]]:
    """Widths of the linear maps inside a module, first to last."""
    if not isinstance(module, nn.Module):
        return []
    return [
        (_count(_first(m, "in_features", "in_channels")), _count(width))
        for m in module.modules()
        if (width := _first(m, "out_features", "out_channels")) is not None
        and not any(True for _ in m.children())
    ]


def _first(module: nn.Module, *names: str) -> Any:
    return next(
        (getattr(module, name) for name in names if hasattr(module, name)), None
    )


def _count(value: Any) -> int | None:
    # A layer that is not yet built says -1.
    return value if isinstance(value, int) and value > 0 else None
