"""Which modules of a model are its message-passing layers."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from torch import nn
from torch_geometric.nn import HeteroConv, MessagePassing

from benthic.errors import InputError

Normalization = Literal["sym", "rw"] | None

_LAYERS = (
    MessagePassing,
    HeteroConv,
    nn.TransformerEncoderLayer,
    nn.TransformerDecoderLayer,
    nn.MultiheadAttention,
)
_CONTAINERS = (nn.ModuleList, nn.ModuleDict, nn.Sequential)


@dataclass(frozen=True)
class Layer:
    """One step of a model, as its author drew it.

    Args:
        name: Path of the module inside the model.
        modules: What is hooked: the layer itself, or for a model made by
            ``to_hetero`` the layers of all relations, by ``source__relation__target``.
        convs: The message-passing modules inside, where there are any.
    """

    name: str
    modules: dict[str, nn.Module]
    convs: tuple[MessagePassing, ...] = ()

    @property
    def per_relation(self) -> bool:
        """Whether there is one module for each relation."""
        return "" not in self.modules

    @property
    def normalization(self) -> Normalization:
        """The graph Laplacian that matches the layer's operator.

        Symmetric for GCN-like layers, random walk for layers that average (mean
        aggregation, attention), and the plain one for sums.
        """
        conv = self.convs[0] if self.convs else None
        if _uses_gcn_norm(conv) and getattr(conv, "normalize", True):
            return "sym"
        averages = hasattr(conv, "heads") or getattr(conv, "aggr", "") == "mean"
        return "rw" if averages else None

    @property
    def is_global(self) -> bool:
        """Whether every node hears every other in this one layer."""
        return any(
            isinstance(part, nn.MultiheadAttention)
            for module in self.modules.values()
            for part in module.modules()
        )


def _uses_gcn_norm(conv: MessagePassing | None) -> bool:
    return hasattr(sys.modules.get(type(conv).__module__), "gcn_norm")


def find_layers(model: nn.Module, names: Sequence[str] | None = None) -> list[Layer]:
    """The layers of a model, in the order in which they are defined.

    A layer is a PyG ``MessagePassing`` module, a ``HeteroConv``, or an attention
    block; a block that holds exactly one of them inside a ``ModuleList`` or
    ``Sequential`` (a ``GPSConv``, a residual block) counts as a whole. The
    relations of a ``to_hetero`` model are one layer together.

    Args:
        model: Any module.
        names: Paths of the modules to take instead, as in
            ``model.named_modules()``.

    Raises:
        InputError: If a name is no module, or if nothing is found.

    Example:
        >>> from torch_geometric.nn import GCN
        >>> [layer.name for layer in find_layers(GCN(8, 16, num_layers=2))]
        ['convs.0', 'convs.1']
    """
    modules = dict(model.named_modules())
    if names is not None:
        for name in names:
            if name not in modules:
                raise InputError(
                    "layers",
                    f"{name!r}, which is no module of {type(model).__name__}",
                    f"name some of {', '.join(filter(None, modules))}",
                )
        return [
            Layer(name, {"": modules[name]}, _convs(modules[name])) for name in names
        ]
    found = _outermost(modules)
    if not found:
        raise InputError(
            "model",
            f"no message-passing layer or attention block in {type(model).__name__}",
            "name its layers: layers=[…] with names from model.named_modules()",
        )
    return _group(modules, [_whole_block(modules, name, found) for name in found])


def _outermost(modules: dict[str, nn.Module]) -> list[str]:
    found: list[str] = []
    for name, module in modules.items():
        is_layer = isinstance(module, _LAYERS)
        inside = any(name.startswith(f"{outer}.") or outer == "" for outer in found)
        if is_layer and not inside:
            found.append(name)
    return found


def _whole_block(modules: dict[str, nn.Module], name: str, found: list[str]) -> str:
    """The largest repeated block that holds this layer and no other."""
    parts = name.split(".")
    for end in range(1, len(parts)):
        block, parent = ".".join(parts[:end]), ".".join(parts[: end - 1])
        repeated = isinstance(modules[parent], _CONTAINERS)
        from_pyg = type(modules[block]).__module__.startswith("torch_geometric.nn.conv")
        alone = sum(other.startswith(f"{block}.") for other in found) == 1
        if (
            alone
            and (repeated or from_pyg)
            and not isinstance(modules[block], _CONTAINERS)
        ):
            return block
    return name


def _group(modules: dict[str, nn.Module], names: list[str]) -> list[Layer]:
    """Joins the relations of one ``to_hetero`` layer."""
    groups: dict[str, dict[str, nn.Module]] = {}
    for name in names:
        parent, _, key = name.rpartition(".")
        is_relation = key.count("__") >= 2
        if is_relation and isinstance(modules.get(parent), nn.ModuleDict):
            groups.setdefault(parent, {})[key] = modules[name]
        else:
            groups[name] = {"": modules[name]}
    return [
        Layer(name, members, tuple(c for m in members.values() for c in _convs(m)))
        for name, members in groups.items()
    ]


def _convs(module: nn.Module) -> tuple[MessagePassing, ...]:
    if isinstance(module, MessagePassing):
        return (module,)
    return tuple(m for m in module.modules() if isinstance(m, MessagePassing))
