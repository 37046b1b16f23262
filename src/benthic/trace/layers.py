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

_ATTENTION = (
    nn.TransformerEncoderLayer,
    nn.TransformerDecoderLayer,
    nn.MultiheadAttention,
)
_LAYERS = (MessagePassing, HeteroConv, *_ATTENTION)
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
    def parameters(self) -> list[nn.Parameter]:
        """The layer's parameters, each once."""
        parameters = {
            id(parameter): parameter
            for module in self.modules.values()
            for parameter in module.parameters()
        }
        return list(parameters.values())

    @property
    def hearts(self) -> tuple[nn.Module, ...]:
        """The layers inside a block, which its owner may call without the block."""
        return tuple(
            part
            for module in self.modules.values()
            if not isinstance(module, _LAYERS)
            for part in module.modules()
            if isinstance(part, _LAYERS)
        )


def hears_everyone(module: nn.Module) -> bool:
    """Whether a module attends from every node to every other somewhere inside.

    Args:
        module: Any module.

    Example:
        >>> hears_everyone(nn.TransformerEncoderLayer(8, 2))
        True
    """
    return any(
        isinstance(part, nn.MultiheadAttention)
        or type(part).__module__.startswith("torch_geometric.nn.attention.")
        for part in module.modules()
    )


def _uses_gcn_norm(conv: MessagePassing | None) -> bool:
    # Also of a class derived from one of PyG's, such as the accelerated layers.
    modules = {cls.__module__ for cls in type(conv).__mro__}
    return any(hasattr(sys.modules.get(name), "gcn_norm") for name in modules)


def find_layers(model: nn.Module, names: Sequence[str] | None = None) -> list[Layer]:
    """The layers of a model, in the order in which they are defined.

    A layer is a PyG ``MessagePassing`` module, what PyG builds around some (a
    ``HeteroConv``, a ``GPSConv``), or an attention block. A block inside a
    ``ModuleList`` or ``Sequential`` counts as a whole where it holds one of them, or
    one message passing and one attention. The relations of a ``to_hetero`` model are
    one layer together.

    Args:
        model: Any module.
        names: Paths of the modules to take instead, as in
            ``model.named_modules()``.

    Raises:
        InputError: If a name is no module or lies inside another, or if nothing is
            found.

    Example:
        >>> from torch_geometric.nn import GCN
        >>> [layer.name for layer in find_layers(GCN(8, 16, num_layers=2))]
        ['convs.0', 'convs.1']
    """
    if isinstance(names, str):
        raise InputError("layers", f"the text {names!r}", f"give a list: [{names!r}]")
    if names is not None:
        return _named(model, names)
    modules = dict(model.named_modules())
    found = _outermost(modules)
    if not found:
        raise InputError(
            "model",
            f"no message-passing layer or attention block in {type(model).__name__}",
            "name its layers: layers=[…] with names from model.named_modules()",
        )
    blocks = dict.fromkeys(_whole_block(modules, name, found) for name in found)
    return _group(modules, list(blocks))


def _named(model: nn.Module, names: Sequence[str]) -> list[Layer]:
    """The named modules; one module under two names is one layer."""
    modules = dict(model.named_modules(remove_duplicate=False))
    layers: dict[nn.Module, Layer] = {}
    for name in names:
        if name not in modules:
            raise InputError(
                "layers",
                f"{name!r}, which is no module of {type(model).__name__}",
                f"name some of {', '.join(filter(None, modules))}",
            )
        outer = next((o for o in names if o != name and _lies_in(name, o)), None)
        if outer is not None:
            raise InputError(
                "layers", f"{name!r} inside {outer!r}", "name one of the two"
            )
        module = modules[name]
        layers.setdefault(module, Layer(name, {"": module}, _convs(module)))
    if not layers:
        raise InputError("layers", "no name", "name at least one module")
    return list(layers.values())


def _lies_in(name: str, outer: str) -> bool:
    return outer == "" or name.startswith(f"{outer}.")


def _outermost(modules: dict[str, nn.Module]) -> list[str]:
    found: list[str] = []
    for name, module in modules.items():
        if _is_layer(module) and not any(_lies_in(name, outer) for outer in found):
            found.append(name)
    return found


def _is_layer(module: nn.Module) -> bool:
    if isinstance(module, _LAYERS):
        return True
    from_pyg = type(module).__module__.startswith("torch_geometric.nn.conv.")
    return from_pyg and any(isinstance(part, _LAYERS) for part in module.modules())


def _whole_block(modules: dict[str, nn.Module], name: str, found: list[str]) -> str:
    """The largest block of a container that makes one step together with this layer."""
    if _is_relation(modules, name):
        return name
    parts = name.split(".")
    for end in range(1, len(parts)):
        block, parent = ".".join(parts[:end]), ".".join(parts[: end - 1])
        inner = [modules[other] for other in found if other.startswith(f"{block}.")]
        attention = sum(isinstance(module, _ATTENTION) for module in inner)
        if (
            isinstance(modules[parent], _CONTAINERS)
            and not isinstance(modules[block], _CONTAINERS)
            and attention <= 1
            and len(inner) - attention <= 1
        ):
            return block
    return name


def _is_relation(modules: dict[str, nn.Module], name: str) -> bool:
    """Whether ``to_hetero`` made this module for one relation of a layer."""
    parent, _, key = name.rpartition(".")
    return key.count("__") >= 2 and isinstance(modules.get(parent), nn.ModuleDict)


def _group(modules: dict[str, nn.Module], names: list[str]) -> list[Layer]:
    """Joins the relations of one ``to_hetero`` layer."""
    groups: dict[str, dict[str, nn.Module]] = {}
    for name in names:
        if _is_relation(modules, name):
            parent, _, key = name.rpartition(".")
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
