"""Do functions and operators fit the semantic types they are used on?"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from benthic.relational.query import canonical, literals, stypes, wording
from benthic.relational.query.faults import Faults
from benthic.relational.query.functions import check_aggregate
from benthic.relational.query.kinds import CONDITIONS
from benthic.relational.query.stypes import described, families, is_number, stype
from benthic.relational.query.tree import (
    Aggregate,
    Arithmetic,
    Clauses,
    Comparison,
    Expression,
    IsIn,
    Literal,
    Negative,
    Star,
    TextTest,
    Value,
)
from benthic.relational.query.walking import Node, walk
from benthic.relational.schema import Schema, SType

EXAMPLES = {
    stypes.NUMBER: "a number",
    stypes.TEXT: "text in single quotes",
    stypes.BOOLEAN: "TRUE or FALSE",
    stypes.TIME: "a date like 2024-01-31",
    stypes.SET: "a set of values",
}

PLURALS = {
    stypes.NUMBER: "numbers",
    stypes.TEXT: "text",
    stypes.BOOLEAN: "truth values",
    stypes.TIME: "times",
    stypes.SET: "sets",
}


def check_types(clauses: Clauses, schema: Schema, faults: Faults) -> None:
    """Notes functions and operators on types they are not for.

    Args:
        clauses: The query; its names are as the schema spells them.
        schema: The database.
        faults: Takes what is wrong.
    """
    check = _Types(schema, faults)
    for clause in (clauses.target, clauses.where, clauses.assuming):
        for node in walk(clause) if clause is not None else ():
            if type(node) in check.checks:
                check.checks[type(node)](node)
    for literal in clauses.entities or ():
        check.beside(Comparison("=", clauses.entity, literal), clauses.entity, literal)


class _Types:
    def __init__(self, schema: Schema, faults: Faults) -> None:
        self.schema = schema
        self.faults = faults
        self.checks: dict[type, Callable[[Any], None]] = {
            Aggregate: lambda node: check_aggregate(node, schema, faults),
            Arithmetic: self._arithmetic,
            Negative: self._negative,
            Comparison: self._comparison,
            IsIn: self._is_in,
            TextTest: self._text_test,
        }

    def _is(self, node: Node) -> SType | None:
        return stype(node, self.schema)

    def _number(self, node: Expression, sign: str) -> None:
        known = self._is(node) is not None or isinstance(node, Literal)
        if known and not is_number(node, self.schema) and not _condition(node):
            words = described(node, self.schema)
            text = (
                words if not isinstance(node, Literal) else f"{words.split()[0]} is not"
            )
            message = f"{sign} needs numbers, and {text}"
            self.faults.add("type", node.place, message, "a number")

    def _arithmetic(self, node: Arithmetic) -> None:
        self._number(node.left, node.operator)
        self._number(node.right, node.operator)

    def _negative(self, node: Negative) -> None:
        self._number(node.operand, "-")

    def _comparison(self, node: Comparison) -> None:
        sides = (node.left, node.right)
        if _condition(node.left) or _condition(node.right):
            return
        if self._sets(node):
            return
        self.beside(node, node.left, node.right)
        if node.operator not in ("=", "!="):
            # One fault is enough: the column says it better than the literal.
            for side in sorted(sides, key=lambda side: isinstance(side, Literal)):
                if self._has_no_order(side):
                    break

    def _sets(self, node: Comparison) -> bool:
        sides = (node.left, node.right)
        found = [side for side in sides if self._is(side) is SType.multicategorical]
        for side in found:
            value = node.right if side is node.left else node.left
            hint = None
            if isinstance(value, Literal) and node.operator in ("=", "!="):
                test = TextTest("CONTAINS", side, value, node.operator == "!=")
                hint = f"did you mean {canonical.expression(test)}?"
            message = f"{described(side, self.schema)}, not one value"
            self.faults.add("type", node.place, message, "CONTAINS and one value", hint)
        return bool(found)

    def _has_no_order(self, side: Expression) -> bool:
        found = self._is(side)
        if isinstance(side, Literal) and side.value is None:
            message = "NULL has no order"
            self.faults.add("type", side.place, message, "IS NULL or IS NOT NULL")
        elif found not in (None, SType.timestamp) and not is_number(side, self.schema):
            message = f"{described(side, self.schema)}, which has no order"
            expected = "= or !=; < and > compare numbers and times"
            self.faults.add("type", side.place, message, expected)
        else:
            return False
        return True

    def beside(self, node: Comparison, left: Expression, right: Expression) -> None:
        """Notes two sides that cannot be equal."""
        one, other = families(left, self.schema), families(right, self.schema)
        if not one or not other or one & other:
            return
        odd, kept = (left, right) if isinstance(left, Literal) else (right, left)
        wanted = families(kept, self.schema)
        words = described(kept, self.schema)
        if stypes.is_key(kept, self.schema):
            words = f"{canonical.expression(kept)} holds {PLURALS[min(wanted)]}"
        message = f"{words}, and {described(odd, self.schema)}"
        hint = None
        if isinstance(odd, Literal) and (mended := _mended(odd, wanted)) is not None:
            side = "left" if odd is left else "right"
            right_one = replace(node, **{side: mended})  # type: ignore[arg-type]
            hint = f"did you mean {canonical.expression(right_one)}?"
        expected = wording.listed([EXAMPLES[kind] for kind in sorted(wanted)], "or")
        self.faults.add("type", odd.place, message, expected, hint)

    def _is_in(self, node: IsIn) -> None:
        if _condition(node.operand):
            return
        for value in node.values:
            side = Comparison("=", node.operand, value)
            if self._is(node.operand) is SType.multicategorical:
                self._sets(replace(side, place=node.place))
            else:
                self.beside(side, node.operand, value)

    def _text_test(self, node: TextTest) -> None:
        if self._is(node.operand) is None or _condition(node.operand):
            return
        kinds = families(node.operand, self.schema)
        if node.operator == "CONTAINS" and stypes.SET in kinds:
            self._member(node)
        elif kinds and stypes.TEXT not in kinds:
            words = described(node.operand, self.schema)
            message = f"{node.operator} needs text, and {words}"
            expected = "a text or categorical column"
            self.faults.add("type", node.operand.place, message, expected)
        elif not isinstance(node.value.value, str):
            message = f"{node.operator} needs text"
            mended = _mended(node.value, frozenset({stypes.TEXT}))
            hint = f"did you mean {canonical.expression(mended)}?" if mended else None
            expected = "text in single quotes"
            self.faults.add("type", node.value.place, message, expected, hint)

    def _member(self, node: TextTest) -> None:
        wanted = stypes.members(node.operand, self.schema)
        given = families(node.value, self.schema)
        if wanted and not wanted & given:
            operand, value = map(canonical.expression, (node.operand, node.value))
            message = f"{operand} never contains {value}"
            mended = _mended(node.value, wanted)
            hint = f"did you mean {canonical.expression(mended)}?" if mended else None
            expected = wording.listed([EXAMPLES[kind] for kind in wanted], "or")
            self.faults.add("type", node.value.place, message, expected, hint)


def _condition(node: Expression | Star) -> bool:
    return isinstance(node, CONDITIONS)


def _mended(literal: Literal, wanted: frozenset[str]) -> Literal | None:
    """The literal that was meant where another type is wanted."""
    value = literal.value
    if stypes.TEXT in wanted and value is not None:
        return Literal(canonical.value(value))
    if stypes.NUMBER in wanted and isinstance(value, str):
        return _read("INT", value) or _read("DECIMAL", value)
    if stypes.BOOLEAN in wanted:
        truth: dict[Value, str] = {
            "true": "TRUE",
            "false": "FALSE",
            1: "TRUE",
            0: "FALSE",
        }
        word = truth.get(value.lower() if isinstance(value, str) else value)
        return None if word is None else _read(word, word)
    return None


def _read(kind: str, text: str) -> Literal | None:
    try:
        return Literal(literals.value(kind, text.strip()))
    except ValueError:
        return None
