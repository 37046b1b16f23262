"""Ways through the tree of an expression."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from typing import Any, TypeAlias

from benthic.relational.query.tree import (
    Aggregate,
    ColumnRef,
    Expression,
    Star,
)

Node: TypeAlias = Expression | Star


def children(node: Node) -> tuple[Node, ...]:
    """The expressions directly inside a node, in the order of the text.

    Example:
        >>> from benthic.relational.query.tree import Comparison, Literal
        >>> children(Comparison("=", ColumnRef("a", "b"), Literal(1)))
        (ColumnRef(table='a', name='b'), Literal(value=1))
    """
    found: list[Node] = []
    for field in dataclasses.fields(node):
        value = getattr(node, field.name)
        parts = value if isinstance(value, tuple) else (value,)
        found += [part for part in parts if isinstance(part, Node)]
    return tuple(found)


def walk(node: Node, into_aggregates: bool = True) -> Iterator[Node]:
    """The node and everything inside it, in the order of the text.

    Args:
        node: Where to start.
        into_aggregates: False stops at each aggregate (and still gives it).
    """
    waiting = [node]
    while waiting:
        node = waiting.pop()
        yield node
        if into_aggregates or not isinstance(node, Aggregate):
            waiting += reversed(children(node))


def depth(node: Node) -> int:
    """How many nodes lie on the longest way down."""
    deepest, waiting = 0, [(node, 1)]
    while waiting:
        node, level = waiting.pop()
        deepest = max(deepest, level)
        waiting += [(child, level + 1) for child in children(node)]
    return deepest


def aggregates(node: Node | None) -> list[Aggregate]:
    """The outermost aggregates inside a node."""
    inside = walk(node, into_aggregates=False) if node is not None else ()
    return [part for part in inside if isinstance(part, Aggregate)]


def columns(node: Node | None) -> list[ColumnRef]:
    """The columns that stand outside any aggregate."""
    inside = walk(node, into_aggregates=False) if node is not None else ()
    return [part for part in inside if isinstance(part, ColumnRef)]


def rebuilt(node: Any, change: Callable[[Node], Node]) -> Any:
    """The same tree with ``change`` applied to every node, innermost first.

    Args:
        node: An expression.
        change: Gives a node of a kind that may stand in the same place.
    """

    def renewed(value: object) -> object:
        if isinstance(value, tuple):
            return tuple(renewed(part) for part in value)
        return rebuilt(value, change) if isinstance(value, Node) else value

    parts = {
        field.name: renewed(getattr(node, field.name))
        for field in dataclasses.fields(node)
    }
    return change(dataclasses.replace(node, **parts))
