"""Text beside a time is a date."""

from __future__ import annotations

from dataclasses import replace
from typing import TypeVar

from benthic.relational.query import canonical, literals
from benthic.relational.query.faults import Faults
from benthic.relational.query.stypes import stype
from benthic.relational.query.tree import (
    Clauses,
    Comparison,
    Expression,
    IsIn,
    Literal,
)
from benthic.relational.query.walking import Node, rebuilt
from benthic.relational.schema import Schema, SType


def dated(clauses: Clauses, schema: Schema, faults: Faults) -> Clauses:
    """The same clauses with dates for quoted text that stands beside a time.

    Args:
        clauses: The query; its names are as the schema spells them.
        schema: Tells which columns are times.
        faults: Takes text beside a time that is no date.
    """

    def is_time(node: Expression) -> bool:
        return stype(node, schema) is SType.timestamp

    def change(node: Node) -> Node:
        if isinstance(node, Comparison) and is_time(node.left):
            return replace(node, right=_as_date(node.right, faults))
        if isinstance(node, Comparison) and is_time(node.right):
            return replace(node, left=_as_date(node.left, faults))
        if isinstance(node, IsIn) and is_time(node.operand):
            values = tuple(_as_date(value, faults) for value in node.values)
            return replace(node, values=values)
        return node

    def renewed(node: Expression | None) -> Expression | None:
        return None if node is None else rebuilt(node, change)

    return replace(
        clauses,
        target=rebuilt(clauses.target, change),
        where=renewed(clauses.where),
        assuming=renewed(clauses.assuming),
    )


Side = TypeVar("Side", bound=Expression)


def _as_date(node: Side, faults: Faults) -> Side | Literal:
    if not isinstance(node, Literal) or not isinstance(node.value, str):
        return node
    try:
        return replace(node, value=literals.date(node.value))
    except ValueError:
        message = f"{canonical.expression(node)} is not a date"
        faults.add("type", node.place, message, "a date like 2024-01-31")
        return Literal(None, place=node.place)
