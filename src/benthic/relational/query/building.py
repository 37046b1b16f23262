"""From lark's parse tree to ours, with the place of every node."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeAlias, cast

from lark import Token
from lark.tree import Meta
from lark.visitors import Transformer_NonRecursive, v_args

from benthic.errors import QueryError
from benthic.relational.query import literals, suggestions
from benthic.relational.query.faults import Faults
from benthic.relational.query.tree import (
    Aggregate,
    And,
    Arithmetic,
    Classify,
    Clauses,
    ColumnRef,
    Comparison,
    Expression,
    Forecast,
    IsIn,
    IsNull,
    Literal,
    Negative,
    Not,
    Or,
    Place,
    Rank,
    Star,
    TextTest,
    Window,
)
from benthic.relational.query.vocabulary import FUNCTIONS, UNITS, unit

Parts: TypeAlias = Sequence[Any]


def place_of(found: Meta | Token) -> Place:
    """Where a token or a rule stands."""
    start, end = found.start_pos or 0, found.end_pos or 0
    return Place(found.line or 1, found.column or 1, max(1, end - start))


def _nodes(parts: Parts) -> list[Any]:
    return [part for part in parts if part is not None and not isinstance(part, Token)]


def _token(parts: Parts, *kinds: str) -> Token | None:
    tokens = (part for part in parts if isinstance(part, Token))
    return next((token for token in tokens if token.type in kinds), None)


def _after(parts: Parts, kind: str) -> Any:
    """The part that follows the keyword, None without the keyword."""
    found = _token(parts, kind)
    return None if found is None else parts[list(parts).index(found) + 1]


@v_args(meta=True)
class Builder(Transformer_NonRecursive[Any, Any]):
    """One method a rule of the grammar; never deeper than one call.

    Args:
        faults: Takes functions and units that do not exist.
    """

    def __init__(self, faults: Faults) -> None:
        super().__init__()
        self.faults = faults
        self.remarks: list[str] = []

    def refuse(self, place: Place, message: str, expected: str) -> QueryError:
        """A syntax error, which ends the reading."""
        return QueryError(
            "syntax",
            message,
            place.line,
            place.column,
            place.length,
            expected,
            None,
            self.faults.text,
        )

    def query(self, _meta: Meta, parts: Parts) -> Clauses:
        """The whole text."""
        entity, entities = next(part for part in parts if isinstance(part, tuple))
        modifier = parts[2]
        return Clauses(
            target=parts[1],
            modifier=modifier,
            entity=entity,
            entities=entities,
            where=_after(parts, "WHERE"),
            assuming=_after(parts, "ASSUMING"),
        )

    def entity(
        self, _meta: Meta, parts: Parts
    ) -> tuple[ColumnRef, tuple[Literal, ...] | None]:
        """The key, and the values that were named."""
        column, *values = _nodes(parts)
        if not values:
            return column, None
        named = values[0]
        return column, named if isinstance(named, tuple) else (named,)

    def _count(self, token: Token) -> int:
        return cast(int, self._value(token))

    def _value(self, token: Token) -> Any:
        try:
            return literals.value(token.type, str(token))
        except ValueError as error:
            expected = "a date like 2024-01-31" if token.type == "DATE" else "a number"
            raise self.refuse(place_of(token), str(error), expected) from error

    def forecast(self, meta: Meta, parts: Parts) -> Forecast:
        """FORECAST n TIMEFRAMES."""
        return Forecast(self._count(parts[1]), place=place_of(meta))

    def rank(self, meta: Meta, parts: Parts) -> Rank:
        """RANK TOP k."""
        return Rank(self._count(parts[2]), place=place_of(meta))

    def classify(self, meta: Meta, parts: Parts) -> Classify:
        """CLASSIFY, perhaps with TOP k."""
        most = _token(parts, "INT")
        k = None if most is None else self._count(most)
        return Classify(k, place=place_of(meta))

    def any_of(self, meta: Meta, parts: Parts) -> Or:
        """Conditions joined by OR."""
        return Or(tuple(_nodes(parts)), place=place_of(meta))

    def all_of(self, meta: Meta, parts: Parts) -> And:
        """Conditions joined by AND."""
        return And(tuple(_nodes(parts)), place=place_of(meta))

    def negated(self, meta: Meta, parts: Parts) -> Not:
        """NOT before a condition."""
        return Not(parts[1], place=place_of(meta))

    def comparison(self, meta: Meta, parts: Parts) -> Comparison | IsNull:
        """Two sides and a sign between them; a test for NULL if one side is NULL."""
        left, sign, right = parts
        sign = "!=" if sign == "<>" else str(sign)
        null = next((side for side in (right, left) if side == Literal(None)), None)
        if null is None or sign not in ("=", "!="):
            return Comparison(sign, left, right, place=place_of(meta))
        test = "IS NULL" if sign == "=" else "IS NOT NULL"
        self.remarks.append(f"{sign} NULL at line {meta.line} is read as {test}")
        tested = left if null is right else right
        return IsNull(tested, sign == "!=", place=place_of(meta))

    def is_null(self, meta: Meta, parts: Parts) -> IsNull:
        """IS NULL, IS NOT NULL."""
        return IsNull(parts[0], _token(parts, "NOT") is not None, place=place_of(meta))

    def is_in(self, meta: Meta, parts: Parts) -> IsIn:
        """IN, NOT IN, IS IN, IS NOT IN."""
        negated = _token(parts, "NOT") is not None
        return IsIn(parts[0], parts[-1], negated, place=place_of(meta))

    def text_test(self, meta: Meta, parts: Parts) -> TextTest:
        """LIKE, CONTAINS, STARTS WITH, ENDS WITH."""
        word = _token(parts, "LIKE", "CONTAINS", "STARTS", "ENDS")
        ending = " WITH" if _token(parts, "WITH") else ""
        operator = f"{str(word).upper()}{ending}"
        negated = _token(parts, "NOT") is not None
        return TextTest(operator, parts[0], parts[-1], negated, place=place_of(meta))

    def arithmetic(self, meta: Meta, parts: Parts) -> Arithmetic:
        """Two numbers and a sign between them."""
        left, sign, right = parts
        return Arithmetic(str(sign), left, right, place=place_of(meta))

    def signed(self, meta: Meta, parts: Parts) -> Expression:
        """A sign before a number; before a literal it becomes part of it."""
        sign, operand = parts
        if isinstance(operand, Literal):
            return self._signed_literal(place_of(meta), sign, operand)
        if sign == "+":
            return cast(Expression, operand)
        return Negative(operand, place=place_of(meta))

    def _signed_literal(self, place: Place, sign: Token, operand: Literal) -> Literal:
        number = operand.value
        if isinstance(number, bool) or not isinstance(number, (int, float)):
            raise self.refuse(place, f"{sign} stands before a number only", "a number")
        return Literal(-number if sign == "-" else number, place=place)

    def atom(self, _meta: Meta, parts: Parts) -> Expression:
        """What stands between parentheses."""
        return cast(Expression, parts[1])

    def aggregate(self, meta: Meta, parts: Parts) -> Aggregate:
        """A function over the rows of a window."""
        name: Token = parts[0]
        function = name.upper()
        if function not in FUNCTIONS:
            suggestions.unknown_function(self.faults, place_of(name), str(name))
        via = next(part for part in parts if isinstance(part, tuple))
        window = next((part for part in parts if isinstance(part, Window)), None)
        where = _after(parts, "WHERE")
        argument = parts[2]
        return Aggregate(function, argument, where, via, window, place=place_of(meta))

    def star(self, meta: Meta, parts: Parts) -> Star:
        """All rows of a table."""
        return Star(parts[0], place=place_of(meta))

    def via(self, _meta: Meta, parts: Parts) -> tuple[ColumnRef, ...]:
        """The foreign keys to go by."""
        return tuple(_nodes(parts))

    def window(self, meta: Meta, parts: Parts) -> Window:
        """Two bounds and a unit; an end that never comes is noted as a fault."""
        start, end = (part for part in parts if isinstance(part, (int, float)))
        word = _token(parts, "NAME")
        found = "days" if word is None else unit(word)
        if found is None and word is not None:
            suggestions.unknown_unit(self.faults, place_of(word), str(word), UNITS)
        place = place_of(meta)
        first = start if isinstance(start, int) else None
        if start == float("inf") or isinstance(end, float):
            message = "a window may begin at -INF but always has an end"
            self.faults.add("window", place, message, "a whole number as end")
            return Window(None, 1, found or "days", place=place)
        return Window(first, end, found or "days", place=place)

    def bound(self, _meta: Meta, parts: Parts) -> int | float:
        """A whole number, or infinity."""
        sign = -1 if _token(parts, "MINUS") else 1
        number = _token(parts, "INT")
        return sign * (float("inf") if number is None else self._count(number))

    def column(self, meta: Meta, parts: Parts) -> ColumnRef:
        """table.name."""
        return ColumnRef(parts[0], parts[2], place=place_of(meta))

    def name(self, _meta: Meta, parts: Parts) -> str:
        """A name without its quotes."""
        token: Token = parts[0]
        return literals.text(token) if token.type == "QUOTED" else str(token)

    def list(self, _meta: Meta, parts: Parts) -> tuple[Literal, ...]:
        """The values between parentheses."""
        return tuple(_nodes(parts))

    def value(self, meta: Meta, parts: Parts) -> Literal:
        """A literal, perhaps with a sign."""
        sign, literal = parts
        if sign is None:
            return cast(Literal, literal)
        return self._signed_literal(place_of(meta), sign, literal)

    def literal(self, meta: Meta, parts: Parts) -> Literal:
        """A number, text, date, TRUE, FALSE or NULL."""
        return Literal(self._value(parts[0]), place=place_of(meta))
