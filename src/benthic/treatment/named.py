"""Treatments by name: ``initial_residual(alpha=0.2)+drop_edge``."""

from __future__ import annotations

import ast
import difflib
import inspect
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache, partial
from typing import Any

import torch
from torch import nn
from torch_geometric.nn import JumpingKnowledge

from benthic import nn as parts
from benthic.errors import InputError
from benthic.nn import APPNP, GeneralizedPageRank
from benthic.nn.acceleration import accelerate
from benthic.nn.deep_gnn import DeepGNN
from benthic.nn.drop import DropMessage, DropNode, EdgeDrop
from benthic.nn.identity_map import IdentityMap
from benthic.nn.norm import __all__ as norms
from benthic.nn.norm import make_norm
from benthic.nn.residual import Skip
from benthic.training import build

_ARGUMENT = "treatments"
_NONE = "none"
# What DeepGNN calls the place of each kind of part; norms are told by their file.
_PLACES: dict[str, tuple[type, ...]] = {
    "residual": (Skip,),
    "identity_map": (IdentityMap,),
    "drop": (EdgeDrop, DropNode, DropMessage),
    "jump": (JumpingKnowledge,),
    "propagation": (APPNP, GeneralizedPageRank),
}


@dataclass(frozen=True)
class _Part:
    """One class of ``benthic.nn`` with its arguments."""

    name: str
    arguments: tuple[tuple[str, Any], ...]

    def __str__(self) -> str:
        inside = ", ".join(f"{name}={value!r}" for name, value in self.arguments)
        return f"{self.name}({inside})" if inside else self.name


def names() -> list[str]:
    """Every treatment that has a name, sorted: what ``benthic.nn`` exports.

    Example:
        >>> {"initial_residual", "layer_norm", "drop_edge", "none"} <= set(names())
        True
    """
    return sorted([_NONE, *_classes()])


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
    texts = [treatments] if isinstance(treatments, str) else list(treatments)
    found = []
    for text in texts:
        for tree in _listed(_parse(text)):
            combination = _combination(tree, text)
            _places(combination, width=8)
            found.append("+".join(map(str, combination)) or _NONE)
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

    Without a treatment it is PyG's own plain stack, by :func:`benthic.training.build`;
    with one it is :class:`benthic.nn.DeepGNN` of the same layer. Both propagate by
    cached sparse matrices.

    Args:
        conv: A name of :func:`benthic.training.build`.
        treatments: ``"none"``, or names of :func:`names` joined by ``+``.
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
    combination = _combination(_parse(treatments), treatments)
    plain = build(
        conv,
        in_channels,
        hidden_channels,
        out_channels,
        num_layers=num_layers,
        dropout=dropout,
        seed=seed,
    )
    if not combination:
        return accelerate(plain)
    places = _places(combination, width=hidden_channels)
    sizes = in_channels, hidden_channels, out_channels, num_layers
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        try:
            return DeepGNN(_maker(conv), *sizes, dropout=dropout, **places)
        except InputError as error:
            found = f"{treatments} on {conv}"
            raise InputError(_ARGUMENT, found, str(error)) from error


def _maker(conv: str) -> Callable[[int, int], nn.Module]:
    """Makes one layer as PyG's stack of that name would."""

    def make(in_channels: int, out_channels: int) -> nn.Module:
        stack: Any = build(conv, in_channels, out_channels, out_channels, num_layers=1)
        layer: nn.Module = stack.convs[0]
        layer.reset_parameters()  # type: ignore[operator]  # build() draws from its seed
        return layer

    return make


@cache
def _classes() -> dict[str, type]:
    """The namespace is the registry: classes that a place takes, in snake case."""
    exported = {_snake(name): getattr(parts, name) for name in parts.__all__}
    return {
        name: found
        for name, found in exported.items()
        if inspect.isclass(found) and not inspect.isabstract(found) and _place(found)
    }


def _place(found: type) -> str:
    for place, kinds in _PLACES.items():
        if issubclass(found, kinds):
            return place
    return "norm" if found.__name__ in norms else ""


def _snake(name: str) -> str:
    """InitialResidual -> initial_residual, APPNP -> appnp, GraphNormv2 -> graph_normv2.

    The classes' own words stay whole, as the names of files do.
    """
    name = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name)
    return re.sub(r"(?<=[A-Z])(?=[A-Z][a-z])", "_", name).lower()


def _parse(text: str) -> ast.expr:
    try:
        return ast.parse(text.strip(), mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise _no_treatment(text) from error


def _listed(tree: ast.expr) -> list[ast.expr]:
    return list(tree.elts) if isinstance(tree, ast.Tuple) else [tree]


def _combination(tree: ast.expr, text: str) -> list[_Part]:
    """The parts of a sum; none for ``none``."""
    if isinstance(tree, ast.BinOp) and isinstance(tree.op, ast.Add):
        return [*_combination(tree.left, text), *_combination(tree.right, text)]
    if isinstance(tree, ast.Constant) and tree.value is None:
        return []  # "None", as Python writes it
    call = tree if isinstance(tree, ast.Call) else ast.Call(tree, [], [])
    if not isinstance(call.func, ast.Name):
        raise _no_treatment(text)
    name = call.func.id.lower()
    if name == _NONE and call is not tree:
        return []
    if name not in _classes():
        near = difflib.get_close_matches(name, names(), n=len(names()), cutoff=0.0)
        raise InputError(_ARGUMENT, repr(name), f"did you mean {', '.join(near)}")
    part = _Part(name, tuple((key.arg or "", _value(key)) for key in call.keywords))
    known = _arguments(name)
    if call.args or not {key for key, _ in part.arguments} <= set(known):
        remedy = f"name what it takes: {', '.join(known) or 'nothing'}"
        raise InputError(_ARGUMENT, ast.unparse(tree), remedy)
    return [part]


def _no_treatment(text: str) -> InputError:
    remedy = "write names joined by +: initial_residual(alpha=0.2)+drop_edge"
    return InputError(_ARGUMENT, repr(text), remedy)


def _value(keyword: ast.keyword) -> Any:
    """A literal; a bare word is a string, since shells eat quotation marks."""
    if isinstance(keyword.value, ast.Name):
        return keyword.value.id
    try:
        return ast.literal_eval(keyword.value)
    except (ValueError, TypeError) as error:
        found = ast.unparse(keyword)
        raise InputError(_ARGUMENT, found, "give a number or a word") from error


_OF_THE_STACK = (
    "channels",
    "in_channels",
    "hidden_channels",
    "num_layers",
    "layer",
    "num_maps",
)


def _arguments(name: str) -> list[str]:
    """What the user may set; widths and depths are the stack's."""
    parameters = inspect.signature(_classes()[name]).parameters.values()
    return [
        each.name
        for each in parameters
        if each.name not in _OF_THE_STACK
        and each.kind not in (each.VAR_POSITIONAL, each.VAR_KEYWORD)
    ]


def _places(combination: Sequence[_Part], width: int) -> dict[str, Any]:
    """The parts as DeepGNN's arguments."""
    places: dict[str, Any] = {}
    for part in combination:
        place = _place(_classes()[part.name])
        try:
            made = _made(part, place, width)
        except InputError as error:
            raise InputError(_ARGUMENT, str(part), str(error)) from error
        except (TypeError, ValueError, AssertionError) as error:
            remedy = f"give it sound values of {', '.join(_arguments(part.name))}"
            raise InputError(_ARGUMENT, str(part), remedy) from error
        if place == "drop":
            places.setdefault(place, []).append(made)
        elif place in places:
            text = "+".join(map(str, combination))
            raise InputError(_ARGUMENT, text, f"take one {place} only")
        else:
            places[place] = made
    return places


def _made(part: _Part, place: str, width: int) -> Any:
    made, arguments = _classes()[part.name], dict(part.arguments)
    if place == "norm":
        norm = partial(made, **arguments) if arguments else made
        make_norm(norm, width)  # refuses what does not fit, here and now
        return norm
    if place == "jump":
        mode = arguments.get("mode", "max")
        made(mode, width, num_layers=1)
        return mode
    if "channels" in inspect.signature(made).parameters:
        arguments["channels"] = width
    return made(**arguments)
