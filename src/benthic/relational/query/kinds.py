"""Are there values where values are needed, and conditions where conditions are?"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from benthic.relational.query import canonical
from benthic.relational.query.faults import Faults
from benthic.relational.query.stypes import stype
from benthic.relational.query.tree import (
    Aggregate,
    And,
    Arithmetic,
    Clauses,
    Comparison,
    Expression,
    IsIn,
    IsNull,
    Literal,
    Negative,
    Not,
    Or,
    Star,
    TextTest,
)
from benthic.relational.query.vocabulary import FUNCTIONS
from benthic.relational.query.walking import Node, columns, walk
from benthic.relational.schema import Schema, SType

NUMBERS = frozenset(FUNCTIONS) - {"FIRST", "LAST"}

CONDITIONS = (Comparison, IsNull, IsIn, TextTest, And, Or, Not)


def check_kinds(clauses: Clauses, schema: Schema | None, faults: Faults) -> None:
    """Notes conditions that should be values, values that should be conditions.

    A boolean column is both. No aggregate may stand inside an aggregate.

    Args:
        clauses: The query.
        schema: Tells which columns are boolean; without it any may be.
        faults: Takes what is wrong.
    """
    check = _Kinds(schema, faults)
    for clause in (clauses.where, clauses.assuming):
        if clause is not None:
            check.condition(clause)
            check.inside(clause)
    check.inside(clauses.target)
    if not columns(clauses.target) and not _has_aggregate(clauses.target):
        faults.add(
            "type",
            clauses.target.place,
            "the target names nothing of the database",
            "an aggregate, or a column of the entity table",
        )


def _has_aggregate(node: Node | None) -> bool:
    inside = walk(node) if node is not None else ()
    return any(isinstance(part, Aggregate) for part in inside)


class _Kinds:
    def __init__(self, schema: Schema | None, faults: Faults) -> None:
        self.schema = schema
        self.faults = faults
        self.checks: dict[type, Callable[[Any], None]] = {
            Aggregate: self._aggregate,
            Arithmetic: self._sides,
            Comparison: self._sides,
            Negative: self._operand,
            IsNull: self._operand,
            IsIn: self._operand,
            TextTest: self._operand,
            And: self._joined,
            Or: self._joined,
            Not: self._negated,
        }

    def inside(self, node: Expression | Star) -> None:
        for part in walk(node, into_aggregates=False):
            if type(part) in self.checks:
                self.checks[type(part)](part)

    def condition(self, node: Expression) -> None:
        if isinstance(node, CONDITIONS) or self._may_be_boolean(node):
            return
        text = canonical.expression(node)
        self.faults.add(
            "type",
            node.place,
            f"a condition is needed here, and {text} is a value",
            "a comparison or a test",
            f"did you mean {text} > 0?" if isinstance(node, Aggregate) else None,
        )

    def value(self, node: Expression | Star) -> None:
        if isinstance(node, CONDITIONS):
            self.faults.add(
                "type",
                node.place,
                "a value is needed here, and this is a condition",
                "a column, an aggregate, a number or arithmetic of these",
            )

    def _may_be_boolean(self, node: Expression) -> bool:
        if isinstance(node, Literal):
            return isinstance(node.value, bool)
        if isinstance(node, (Arithmetic, Negative)):
            return False
        known = None if self.schema is None else stype(node, self.schema)
        counts = isinstance(node, Aggregate) and node.function in NUMBERS
        return known is SType.boolean or (known is None and not counts)

    def _sides(self, node: Arithmetic | Comparison) -> None:
        self.value(node.left)
        self.value(node.right)

    def _operand(self, node: Negative | IsNull | IsIn | TextTest) -> None:
        self.value(node.operand)

    def _joined(self, node: And | Or) -> None:
        for operand in node.operands:
            self.condition(operand)

    def _negated(self, node: Not) -> None:
        self.condition(node.operand)

    def _aggregate(self, node: Aggregate) -> None:
        for part in _inner(node.argument):
            self.faults.add(
                "type",
                part.place,
                "an aggregate cannot contain another aggregate",
                "a column of one row",
            )
        for part in _inner(node.where):
            self.faults.add(
                "type",
                part.place,
                "an aggregate inside the WHERE of an aggregate is not supported yet",
                "columns of the row and of the rows it points to",
            )
        if node.where is not None:
            self.condition(node.where)
            self.inside(node.where)
        self.inside(node.argument)
        if isinstance(node.argument, CONDITIONS):
            self._filtered(node, node.argument)

    def _filtered(self, node: Aggregate, condition: Expression) -> None:
        named = columns(condition)
        hint = None
        if named and node.function in ("COUNT", "SUM") and node.where is None:
            star = Star(named[0].table)
            counted = replace(node, function="COUNT", argument=star, where=condition)
            hint = f"to count rows: {canonical.expression(counted)}"
        self.faults.add(
            "type",
            condition.place,
            f"{node.function} needs a value, and this is a condition",
            "a column or arithmetic of columns",
            hint,
        )


def _inner(node: Node | None) -> list[Node]:
    inside = walk(node, into_aggregates=False) if node is not None else ()
    return [part for part in inside if isinstance(part, Aggregate)]
