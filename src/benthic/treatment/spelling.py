"""How a treatment is written: ``initial_residual(alpha=0.2)+drop_edge``."""

from __future__ import annotations

import ast
import inspect
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from torch_geometric.nn import JumpingKnowledge
from torch_geometric.transforms import BaseTransform

from benthic import nn as parts
from benthic import transforms
from benthic.errors import InputError, nearest
from benthic.nn import APPNP, GeneralizedPageRank
from benthic.nn.drop import DropMessage, DropNode, EdgeDrop
from benthic.nn.identity_map import IdentityMap
from benthic.nn.norm import __all__ as norms
from benthic.nn.residual import Skip

ARGUMENT = "treatments"
NONE = "none"
REWIRING = "rewiring"
_OF_THE_STACK = (
    *("channels", "in_channels", "hidden_channels", "num_layers"),
    *("layer", "num_maps"),  # of IdentityMap
    "merged",  # of EGP: a network knows one set of edges
)
# What DeepGNN calls the place of each kind of part; norms are told by their file, and
# a rewiring is of the graph.
_PLACES: dict[str, tuple[type, ...]] = {
    "residual": (Skip,),
    "identity_map": (IdentityMap,),
    "drop": (EdgeDrop, DropNode, DropMessage),
    "jump": (JumpingKnowledge,),
    "propagation": (APPNP, GeneralizedPageRank),
    REWIRING: (BaseTransform,),
}


@dataclass(frozen=True)
class Part:
    """One class of ``benthic.nn`` or ``benthic.transforms`` with its arguments.

    Args:
        name: The class in snake case.
        arguments: What was written in its parentheses.
    """

    name: str
    arguments: tuple[tuple[str, Any], ...] = ()

    @property
    def kind(self) -> Any:
        """The class."""
        return _classes()[self.name]

    @property
    def place(self) -> str:
        """What ``DeepGNN`` calls the place of such a part, or ``"rewiring"``."""
        return _place(self.kind)

    @property
    def takes(self) -> list[str]:
        """Arguments that the user may set; widths and depths are the stack's."""
        parameters = inspect.signature(self.kind).parameters.values()
        return [
            each.name
            for each in parameters
            if each.name not in _OF_THE_STACK
            and each.kind not in (each.VAR_POSITIONAL, each.VAR_KEYWORD)
        ]

    def build(self, make: Callable[[Part], Any]) -> Any:
        """What is made of it.

        Args:
            make: Makes it.

        Raises:
            InputError: If the arguments are refused; says which.
        """
        try:
            return make(self)
        except InputError as error:
            raise InputError(ARGUMENT, str(self), str(error)) from error
        except (TypeError, ValueError, AssertionError) as error:
            remedy = f"give it sound values of {', '.join(self.takes)}"
            raise InputError(ARGUMENT, str(self), remedy) from error

    def __str__(self) -> str:
        inside = ", ".join(f"{name}={value!r}" for name, value in self.arguments)
        return f"{self.name}({inside})" if inside else self.name


def names() -> list[str]:
    """Every treatment that has a name, sorted: what ``benthic.nn`` exports,
    and the rewirings of ``benthic.transforms``.

    Example:
        >>> {"initial_residual", "layer_norm", "drop_edge", "fosr"} <= set(names())
        True
    """
    return sorted([NONE, *_classes()])


def read(treatments: str | Sequence[str]) -> list[list[Part]]:
    """The parts of each treatment of a list; none for ``none``.

    Args:
        treatments: By comma, or a list.

    Raises:
        InputError: If it cannot be read, or a name or an argument does not exist.

    Example:
        >>> [list(map(str, parts)) for parts in read("none, drop_edge(p=.5) +residual")]
        [[], ['drop_edge(p=0.5)', 'residual']]
    """
    texts: Any = [treatments] if isinstance(treatments, str) else treatments
    if not isinstance(texts, Sequence) or not all(isinstance(t, str) for t in texts):
        raise _no_treatment(treatments)
    return [
        _combination(tree, text) for text in texts for tree in _listed(_parse(text))
    ]


@cache
def _classes() -> dict[str, type]:
    """The namespace is the registry: classes that a place takes, in snake case."""
    # PyG's positions of nodes are transforms as well, but they rewire nothing.
    kinds = {name: getattr(parts, name) for name in parts.__all__}
    kinds = {name: kind for name, kind in kinds.items() if _place(kind) != REWIRING}
    kinds |= {name: getattr(transforms, name) for name in transforms.__all__}
    return {
        _snake(name): kind
        for name, kind in kinds.items()
        if _place(kind) and not inspect.isabstract(kind)
    }


def _place(found: Any) -> str:
    if not inspect.isclass(found):
        return ""
    for place, kinds in _PLACES.items():
        if issubclass(found, kinds):
            return place
    return "norm" if found.__name__ in norms else ""


def _snake(name: str) -> str:
    """InitialResidual -> initial_residual, APPNP -> appnp, FoSR -> fosr.

    The classes' own words stay whole, as the names of files do.
    """
    return re.sub(r"(?<!^)(?=[A-Z][a-z])", "_", name).lower()


def _parse(text: str) -> ast.expr:
    try:
        return ast.parse(text.strip(), mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise _no_treatment(text) from error


def _listed(tree: ast.expr) -> list[ast.expr]:
    return list(tree.elts) if isinstance(tree, ast.Tuple) else [tree]


def _combination(tree: ast.expr, text: str) -> list[Part]:
    """The parts of a sum; none for ``none``."""
    if isinstance(tree, ast.BinOp) and isinstance(tree.op, ast.Add):
        return [*_combination(tree.left, text), *_combination(tree.right, text)]
    if isinstance(tree, ast.Constant) and tree.value is None:
        return []  # "None", as Python writes it
    call = tree if isinstance(tree, ast.Call) else ast.Call(tree, [], [])
    if not isinstance(call.func, ast.Name):
        raise _no_treatment(text)
    name = call.func.id.lower()
    if name == NONE and call is not tree:
        return []
    if name not in _classes():
        raise InputError(ARGUMENT, repr(name), nearest(name, names()))
    part = Part(name, tuple((key.arg or "", _value(key)) for key in call.keywords))
    if call.args or not {key for key, _ in part.arguments} <= set(part.takes):
        remedy = f"name what it takes: {', '.join(part.takes) or 'nothing'}"
        raise InputError(ARGUMENT, ast.unparse(tree), remedy)
    return [part]


def _no_treatment(text: Any) -> InputError:
    remedy = "write names joined by +: initial_residual(alpha=0.2)+drop_edge"
    return InputError(ARGUMENT, repr(text), remedy)


def _value(keyword: ast.keyword) -> Any:
    """A literal; a bare word is a string, since shells eat quotation marks."""
    if isinstance(keyword.value, ast.Name):
        return keyword.value.id
    try:
        return ast.literal_eval(keyword.value)
    except (ValueError, TypeError) as error:
        found = ast.unparse(keyword)
        raise InputError(ARGUMENT, found, "give a number or a word") from error
