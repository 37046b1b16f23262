"""Which treatment goes where in a model, and what is left out and why."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from torch import fx, nn
from torch_geometric.nn import MessagePassing

from benthic.errors import InputError
from benthic.nn.acceleration import accelerate
from benthic.nn.forward_inputs import parameter_names
from benthic.trace import Layer, find_layers
from benthic.treatment.answers import find_maps, is_mapped, may_take
from benthic.treatment.widths import Widths, layer_widths

ANSWER = "the model's output"
NO_STATES = "found no earlier states"
STARTS = "the stream starts here"


@dataclass
class Site:
    """One layer at one node type, and what becomes of it there.

    Args:
        layer: The layer.
        node_type: The node type, or "".
        widths: Channels that it takes and returns.
        starts_because: Why no skip can act here; "" if one can.
        ends_because: Why no norm may act here; "" if one may.
        is_first: Whether it is the first by definition; a call will tell which runs
            first, and that a skip has no states there.
        is_unsure: Whether it is the last by definition, where a norm acts only if a map
            follows, which a call will tell.
    """

    layer: Layer
    node_type: str
    widths: Widths
    starts_because: str = ""
    ends_because: str = ""
    is_first: bool = False
    is_unsure: bool = False
    inserted: list[str] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)
    of_states: list[str] = field(default_factory=list)

    def leave_states_out(self, why: str) -> None:
        """Notes that no earlier state reaches the layer.

        Args:
            why: The reason.
        """
        self.inserted = [name for name in self.inserted if name not in self.of_states]
        self.left_out += [f"{name}: {why}" for name in self.of_states]

    @property
    def name(self) -> str:
        """The layer's name, with its node type where there are types."""
        name = self.layer.name or "the model"
        return f"{name} ({self.node_type})" if self.node_type else name

    @property
    def kind(self) -> str:
        """The class of the layer."""
        first = type(next(iter(self.layer.modules.values())))
        is_fast = first.__module__ == accelerate.__module__
        return (first.__mro__[1] if is_fast else first).__name__

    @property
    def channels(self) -> int:
        """Width of what the layer returns.

        Raises:
            InputError: If it cannot be told.
        """
        if self.widths.returned is None:
            raise InputError(
                "model",
                f"layer {self.name} of unknown width",
                "set its attribute out_channels",
            )
        return self.widths.returned


def find_sites(model: nn.Module) -> list[Site]:
    """The message-passing layers of a model, by node type.

    In order of definition, which is a guess at that of their calls; or in that, where
    the calls are a graph.

    Args:
        model: Any module.

    Raises:
        InputError: If the model has none.

    Example:
        >>> from torch_geometric.nn import GCN
        >>> [(s.name, s.starts_because) for s in find_sites(GCN(6, 8, 3))]
        [('convs.0', '6 -> 8 channels'), ('convs.1', ''), ('convs.2', '')]
    """
    try:
        layers = [layer for layer in find_layers(model) if layer.convs]
    except InputError:
        layers = []
    if not layers:
        raise InputError(
            "model",
            f"no message-passing layer in {type(model).__name__}",
            "give a model of PyG layers (torch_geometric.nn.MessagePassing)",
        )
    if not layers[0].name:
        raise InputError(
            "model",
            f"a single layer ({type(model).__name__})",
            "give the model that holds it",
        )
    if isinstance(model, fx.GraphModule):
        layers = _in_order_of_calls(model, layers)
    sites = [
        Site(layer, node_type, widths)
        for layer in layers
        for node_type, widths in layer_widths(layer).items()
    ]
    for node_type in {site.node_type for site in sites}:
        own = [site for site in sites if site.node_type == node_type]
        own[0].is_first = not isinstance(model, fx.GraphModule)
        for site in own:
            site.starts_because = _starts(site, own)
        _set_ends(model, own, layers)
    return sites


def _in_order_of_calls(model: fx.GraphModule, layers: list[Layer]) -> list[Layer]:
    modules = dict(model.named_modules())
    calls = [modules.get(str(node.target)) for node in model.graph.nodes]

    def first_call(layer: Layer) -> int:
        own = set(layer.modules.values())
        return next((i for i, module in enumerate(calls) if module in own), len(calls))

    return sorted(layers, key=first_call)


def has_two_names(model: nn.Module, layer: Layer) -> bool:
    """Whether a layer is in several places of its model.

    Args:
        model: The model.
        layer: One of its layers.
    """
    modules = [m for _, m in model.named_modules(remove_duplicate=False)]
    return any(
        sum(module is own for module in modules) > 1 for own in layer.modules.values()
    )


def _starts(site: Site, own: Sequence[Site]) -> str:
    taken, returned = site.widths
    if None not in (taken, returned) and taken != returned:
        return f"{taken} -> {returned} channels"
    others = {other.widths.returned for other in own if other is not site}
    if taken is None and others and not others & {None, returned}:
        return f"{site.widths} channels"
    return ""


def _set_ends(model: nn.Module, own: Sequence[Site], layers: Sequence[Layer]) -> None:
    """What nothing takes further is the answer; of a last layer that may be known."""
    maps, last = find_maps(model, layers), own[-1]
    if isinstance(model, fx.GraphModule):
        takers = [*maps, *(m for layer in layers for m in layer.modules.values())]
        for site in own:
            is_taken = is_mapped(model, site.layer, takers)
            site.ends_because = "" if is_taken else ANSWER
    else:
        width = last.widths.returned
        by_layer = width and any(site.widths.taken in (None, width) for site in own)
        last.is_unsure = bool(by_layer) or any(may_take(m, width) for m in maps)
        last.ends_because = "" if last.is_unsure else ANSWER


def drops_refusal(conv: MessagePassing) -> str:
    """Why edges of a convolution cannot be dropped; "" if they can.

    Args:
        conv: One convolution.
    """
    if getattr(conv, "cached", False):
        return "cached=True, which keeps the first graph for ever"
    return "" if takes_edges(conv) else "no input edge_index"


def takes_edges(conv: MessagePassing) -> bool:
    """Whether a convolution takes a list of edges.

    Args:
        conv: One convolution.
    """
    names = parameter_names(type(conv))
    from_pyg = type(conv).__module__.startswith("torch_geometric.")
    return "edge_index" in names or not (from_pyg and names)


def describe(sites: Sequence[Site]) -> str:
    """The widths of layers, for messages.

    Args:
        sites: The layers.
    """
    return ", ".join(f"{site.name}: {site.widths}" for site in sites)


def label(treatment: Any) -> str:
    """What a treatment is called in tables and messages.

    Args:
        treatment: What the user gave.
    """
    if isinstance(treatment, type):
        return treatment.__name__
    text = repr(treatment)
    if "\n" in text:  # torch shows what is inside
        text = f"{type(treatment).__name__}({treatment.extra_repr()})"
    return text.removesuffix("()")
