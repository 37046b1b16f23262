"""Treatments by name: ``initial_residual(alpha=0.2)+drop_edge``."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import torch
from torch import nn

from benthic.errors import InputError
from benthic.nn.acceleration import accelerate
from benthic.nn.deep_gnn import DeepGNN
from benthic.nn.norm import make_norm
from benthic.training import build
from benthic.treatment.rewiring import rewirings
from benthic.treatment.spelling import ARGUMENT, NONE, REWIRING, Part, read
from benthic.treatment.wanted import sort_treatments

_NUM_LAYERS = "num_layers"  # as an argument: as many hops as the network has layers


def canonical(treatments: str | Sequence[str]) -> list[str]:
    """The treatments of a list, each written the same way however it was typed.

    Args:
        treatments: By comma, or a list.

    Raises:
        InputError: If a name or an argument does not exist, or two do not go together.

    Example:
        >>> canonical("none, drop_edge(p = 0.5) +initial_residual(alpha=.2)")
        ['none', 'drop_edge(p=0.5)+initial_residual(alpha=0.2)']
        >>> canonical("initial_residul")
        Traceback (most recent call last):
        ...
        benthic.errors.InputError: treatments: found 'initial_residul'; \
did you mean initial_residual, ...
    """
    found = []
    for combination in read(treatments):
        rewirings(combination)
        _places(combination, width=8, num_layers=1)
        found.append("+".join(map(str, combination)) or NONE)
    return found


def build_treated(
    conv: str,
    treatments: str,
    in_channels: int,
    hidden_channels: int,
    out_channels: int,
    num_layers: int,
    dropout: float,
    seed: int,
) -> nn.Module:
    """Builds the network of one cell of the depth table.

    Without a treatment it is what :func:`benthic.training.build` makes; with one it is
    :class:`benthic.nn.DeepGNN` of the same layer. Both propagate by cached sparse
    matrices. A rewiring is of the graph (:func:`~benthic.treatment.rewiring.rewired`)
    and leaves the network as it is. With ``appnp(K=num_layers, alpha=0.1)`` the depth
    is that of the propagation, and no layer has weights.

    Args:
        conv: A name of :func:`benthic.training.build`.
        treatments: ``"none"``, or names of
            :func:`~benthic.treatment.spelling.names` joined by ``+``.
        in_channels: Features of a node.
        hidden_channels: Width of the hidden layers.
        out_channels: Classes.
        num_layers: Message-passing layers.
        dropout: Share of hidden units that a training step drops.
        seed: Seeds the initial weights; the caller's random state stays.

    Raises:
        InputError: If a name does not exist, or the parts do not go together.

    Example:
        >>> build_treated("gcn", "none", 3, 8, 2, 4, 0.5, 0)
        GCN(3, 2, num_layers=4)
        >>> build_treated("gcn", "residual+layer_norm", 3, 8, 2, 4, 0.5, 0)
        DeepGNN(3, 2, num_layers=4, residual=Residual(), norm=LayerNorm(8, ...
    """
    combination = read([treatments])[0]
    places = _places(combination, hidden_channels, num_layers)
    plain = build(
        conv,
        in_channels,
        hidden_channels,
        out_channels,
        num_layers=num_layers,
        dropout=dropout,
        seed=seed,
    )
    if not places:
        return accelerate(plain)
    if not hasattr(plain, "convs"):
        remedy = "take none or a rewiring: it has skips and norms of its own"
        raise InputError(ARGUMENT, f"{treatments} on {conv}", remedy)
    depth = 0 if _spreads_alone(combination) else num_layers
    sizes = in_channels, hidden_channels, out_channels, depth
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        try:
            return DeepGNN(_maker(conv), *sizes, dropout=dropout, **places)
        except InputError as error:
            found = f"{treatments} on {conv}"
            raise InputError(ARGUMENT, found, str(error)) from error


def _maker(conv: str) -> Callable[[int, int], nn.Module]:
    """Makes one layer as PyG's stack of that name would."""

    def make(in_channels: int, out_channels: int) -> nn.Module:
        stack: Any = build(conv, in_channels, out_channels, out_channels, num_layers=1)
        layer: nn.Module = stack.convs[0]
        layer.reset_parameters()  # type: ignore[operator]  # build() draws from its seed
        return layer

    return make


def _places(combination: Sequence[Part], width: int, num_layers: int) -> dict[str, Any]:
    """The parts of the network as DeepGNN's arguments."""
    places: dict[str, Any] = {}
    text = "+".join(map(str, combination))
    for part in combination:
        if part.place == REWIRING:
            continue
        made = part.build(partial(_made, width=width, num_layers=num_layers))
        if part.place == "drop":
            places.setdefault(part.place, []).append(made)
        elif part.place in places:
            raise InputError(ARGUMENT, text, f"take one {part.place} only")
        else:
            places[part.place] = made
    per_layer = {"residual", "identity_map", "jump"} & places.keys()
    if per_layer and _spreads_alone(combination):
        remedy = f"leave out the {min(per_layer)}: with K=num_layers no layer is left"
        raise InputError(ARGUMENT, text, remedy)
    return places


def _spreads_alone(combination: Sequence[Part]) -> bool:
    """Whether the depth of the network is that of its propagation."""
    return any(
        part.place == "propagation" and _NUM_LAYERS in dict(part.arguments).values()
        for part in combination
    )


def _made(part: Part, width: int, num_layers: int) -> Any:
    made, arguments = part.kind, dict(part.arguments)
    if part.place == "norm":
        norm = partial(made, **arguments) if arguments else made
        make_norm(norm, width)  # refuses what does not fit, here and now
        return norm
    if part.place == "jump":
        mode = arguments.get("mode", "max")
        made(mode, width, num_layers=1)
        return mode
    if part.place == "propagation":
        depths = {k: num_layers for k, v in arguments.items() if v == _NUM_LAYERS}
        propagation = made(**{**arguments, **depths})
        sort_treatments([propagation])  # refuses numbers that PyG takes
        return propagation
    if "channels" in inspect.signature(made).parameters:
        arguments["channels"] = width
    return made(**arguments)
