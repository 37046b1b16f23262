"""Builds what is put around the layers of a model, or says why it cannot be."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Sequence
from typing import Any, TypeVar

import torch
from torch import nn
from torch.nn.parameter import UninitializedParameter
from torch_geometric.nn import JumpingKnowledge, MessagePassing

from benthic.errors import InputError
from benthic.nn.identity_map import IdentityMap
from benthic.nn.residual import Skip
from benthic.treatment.join import Join
from benthic.treatment.placement import (
    Site,
    describe,
    drops_refusal,
    has_two_names,
    label,
)
from benthic.treatment.wanted import Wanted

_Module = TypeVar("_Module", bound=nn.Module)


def make_joins(sites: Sequence[Site], wanted: Wanted) -> dict[tuple[str, str], Join]:
    """Skips, norms and jumping knowledge, by layer and node type.

    Args:
        sites: The layers; told what is inserted and what is left out.
        wanted: The treatments.

    Raises:
        InputError: If one of them can act nowhere, or does not fit.
    """
    _refuse_unused(sites, wanted)
    last = {site.node_type: site for site in sites if not site.starts_because}
    joins = {}
    # A first layer last, so that whether it has a skip changes no weights of others.
    for site in sorted(sites, key=lambda site: site.is_first):
        skips = _skips(site, wanted)
        norm = _norm(site, wanted)
        jump = _jump(site, wanted, last.get(site.node_type) is site)
        if skips or norm is not None or jump is not None:
            join = Join(skips, norm, jump)
            joins[site.layer.name, site.node_type] = like(join, site.layer.parameters)
    return joins


def attach_identity_maps(
    model: nn.Module, sites: Sequence[Site], wanted: Wanted
) -> dict[str, list[IdentityMap]]:
    """Puts identity maps on the square weights of each layer, in place.

    Args:
        model: The copy.
        sites: Its layers.
        wanted: The treatments.

    Returns:
        The maps of each layer that has some, by its name.

    Raises:
        InputError: If no layer has a square weight, or one grows by itself, joins
            several kinds of edges, or has no depth of its own.
    """
    mapped: dict[str, list[IdentityMap]] = {}
    for identity_map in wanted.identity_maps:
        for layer_sites in _by_layer(sites):
            layer = layer_sites[0].layer
            if has_two_names(model, layer):
                raise InputError(
                    "treatments",
                    f"IdentityMap on layer {layer.name!r}, which is used at several "
                    "depths",
                    "give each depth a layer of its own, or use InitialResidual()",
                )
            if len(layer.convs) > 1 or layer_sites[0].node_type:
                raise InputError(
                    "treatments",
                    f"IdentityMap on layer {layer.name!r}, which joins several node "
                    "types or convolutions",
                    "use InitialResidual() alone",
                )
            _refuse_lazy(layer.name, layer.parameters)
            if _attach_identity_map(layer_sites[0], identity_map, len(mapped) + 1):
                parts = layer.convs[0].modules()
                mapped[layer.name] = [m for m in parts if isinstance(m, IdentityMap)]
        if not mapped:
            raise InputError(
                "treatments",
                f"IdentityMap on layers without a square weight ({describe(sites)})",
                "give hidden layers equal width, or use InitialResidual()",
            )
    return mapped


def attach_drops(sites: Sequence[Site], wanted: Wanted, edges: Any, sent: Any) -> None:
    """Hangs drops of edges and of messages on the convolutions of each layer.

    Args:
        sites: The layers.
        wanted: The treatments.
        edges: Drops edges, or None.
        sent: Drops messages, or None.

    Raises:
        InputError: If a layer keeps the first graph it sees, or none can drop.
    """
    names = [label(drop) for drop in wanted.edge_drops]
    if edges is not None:
        _attach(sites, edges, names, drops_refusal, "DropNode or DropMessage")
    if sent is not None:
        names = [label(drop) for drop in wanted.message_drops]
        _attach(sites, sent, names, _message_refusal, "DropNode")


def _attach(
    sites: Sequence[Site], drops: Any, names: list[str], why_not: Any, nearest: str
) -> None:
    attached = False
    for layer_sites in _by_layer(sites):
        layer = layer_sites[0].layer
        reasons = {conv: why_not(conv) for conv in layer.convs}
        for conv, reason in reasons.items():
            if "cached" in reason:
                raise InputError(
                    "treatments",
                    f"{names[0]} on layer {layer.name!r} with {reason}",
                    f"make it with cached=False, or use {nearest}",
                )
            if not reason:
                drops.attach(conv)
                attached = True
        refusal = next((reason for reason in reasons.values() if reason), "")
        for site in layer_sites:
            if refusal:
                site.left_out.append(f"{names[0]}: {refusal}")
            else:
                site.inserted += names
    if not attached:
        first = sites[0]
        raise InputError(
            "treatments",
            f"{names[0]} on layers that cannot drop: {first.name} ({first.kind}) has "
            f"{why_not(first.layer.convs[0])}",
            f"use {nearest}",
        )


def _message_refusal(conv: MessagePassing) -> str:
    if getattr(conv, "cached", False) and (
        hasattr(conv, "_cached_x") or hasattr(conv, "_cached_h")
    ):
        return "cached=True, which keeps the first messages for ever"
    sends = any("message" in vars(kind) for kind in type(conv).__mro__[:-1])
    return "" if sends else "no messages"


def _by_layer(sites: Sequence[Site]) -> list[list[Site]]:
    found: dict[str, list[Site]] = {}
    for site in sites:
        found.setdefault(site.layer.name, []).append(site)
    return list(found.values())


def _attach_identity_map(site: Site, identity_map: IdentityMap, number: int) -> bool:
    try:
        count = identity_map.attach(site.layer.convs[0], number)
    except InputError as error:
        found = f"IdentityMap on layer {site.name!r}: {error.found}"
        raise InputError("treatments", found, error.remedy) from error
    if count:
        site.inserted.append("IdentityMap")
    else:
        site.left_out.append("IdentityMap: no square weight")
    return count > 0


def _refuse_unused(sites: Sequence[Site], wanted: Wanted) -> None:
    for treatment in [*wanted.skips, *wanted.jumps]:
        if all(site.starts_because for site in sites):
            raise InputError(
                "treatments",
                f"{label(treatment)} where no layer keeps its width "
                f"({describe(sites)})",
                "give hidden layers equal width, or use DropEdge or Norm",
            )
    for norm in wanted.norms:
        if all(site.ends_because for site in sites):
            raise InputError(
                "treatments",
                f"{norm} where every layer gives the model's output "
                f"({describe(sites)})",
                "normalizing logits harms; use DropEdge or DropNode, or add layers",
            )


def _skips(site: Site, wanted: Wanted) -> list[Skip]:
    if site.starts_because:
        site.left_out += [f"{label(s)}: {site.starts_because}" for s in wanted.skips]
        return []
    skips = [_skip(site, skip) for skip in wanted.skips]
    site.of_states += [label(skip) for skip in wanted.skips]
    site.inserted += site.of_states
    return skips


def _skip(site: Site, skip: Skip | type[Skip]) -> Skip:
    if isinstance(skip, type):
        return _made(site, skip)
    own = copy.deepcopy(skip)
    if callable(reset := getattr(own, "reset_parameters", None)):
        reset()
    channels = site.widths.returned
    if channels is not None:
        _try(site, skip, channels)
    return own


def _made(site: Site, skip: type[Skip]) -> Skip:
    make: Any = skip
    try:
        made: Skip = make(site.channels)
    except TypeError as error:
        remedy = f"give an instance: {skip.__name__}(…)"
        raise InputError("treatments", f"the class {skip.__name__}", remedy) from error
    return made


def _try(site: Site, skip: Skip, channels: int) -> None:
    """Refuses a skip that cannot act on a layer, before any data is seen."""
    trial = copy.deepcopy(skip).cpu().float().eval()
    x, no_edges = torch.zeros(2, channels), torch.zeros(2, 0, dtype=torch.int64)
    name = type(skip).__name__
    try:
        with torch.no_grad():
            trial(x, [x], None if site.node_type else no_edges)
    except RuntimeError as error:
        raise InputError(
            "treatments",
            f"{label(skip)} on layer {site.name} of {channels} channels",
            f"give the class, which is made for each width: treat(model, {name})",
        ) from error
    except ValueError as error:
        raise InputError(
            "treatments",
            f"{label(skip)} on layer {site.name}, which has several kinds of edges",
            "use Residual() or InitialResidual()",
        ) from error


def _norm(site: Site, wanted: Wanted) -> nn.Module | None:
    if not wanted.norms:
        return None
    name = wanted.norms[0].name
    if site.ends_because:
        site.left_out.append(f"{name}: {site.ends_because}")
        return None
    site.inserted.append(name)
    return wanted.norms[0](site.channels)


def _jump(site: Site, wanted: Wanted, is_last: bool) -> JumpingKnowledge | None:
    if not (wanted.jumps and is_last):
        return None
    jump = copy.deepcopy(wanted.jumps[0])
    channels = site.widths.returned
    if jump.channels is not None and channels not in (None, jump.channels):
        raise InputError(
            "treatments",
            f"{label(jump)} on layer {site.name} of {channels} channels",
            "give it this width, or use JumpingKnowledge('max')",
        )
    jump.reset_parameters()
    site.of_states.append(f"JumpingKnowledge({jump.mode})")
    site.inserted.append(site.of_states[-1])
    return jump


def like(module: _Module, parameters: Iterable[nn.Parameter]) -> _Module:
    """Moves a module to the device and the number format of others' parameters.

    Args:
        module: Moved in place.
        parameters: Of a layer or a model.

    Example:
        >>> like(nn.Linear(1, 1), nn.Linear(1, 1).double().parameters()).weight.dtype
        torch.float64
    """
    for parameter in parameters:
        if parameter.is_floating_point():
            return module.to(device=parameter.device, dtype=parameter.dtype)
    return module


def _refuse_lazy(name: str, parameters: Iterable[nn.Parameter]) -> None:
    if any(isinstance(p, UninitializedParameter) for p in parameters):
        raise InputError(
            "model",
            f"layer {name!r} with weights that have no shape yet",
            "run the model on one batch first",
        )
