"""How is a tree written as text?"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable
from typing import Any

from benthic.relational.query.tree import (
    Aggregate,
    And,
    Arithmetic,
    Classify,
    Clauses,
    ColumnRef,
    Comparison,
    Forecast,
    IsIn,
    IsNull,
    Literal,
    Modifier,
    Negative,
    Not,
    Or,
    Rank,
    Star,
    TextTest,
    Value,
    Window,
)
from benthic.relational.query.vocabulary import KEYWORDS
from benthic.relational.query.walking import Node

_PLAIN_NAME = re.compile(r"[^\W\d]\w*")

OR, AND, NOT, TEST, SUM, PRODUCT, UNARY, ATOM = range(8)
"""How tightly a node binds."""


def name(word: str, after_dot: bool = False) -> str:
    """A table or column, in double quotes where it could not stand bare.

    Args:
        word: The name.
        after_dot: There no keyword can stand, so one may be a name.

    Example:
        >>> name("unit price")
        '"unit price"'
    """
    keyword = word.upper() in KEYWORDS and not after_dot
    if _PLAIN_NAME.fullmatch(word) and not keyword:
        return word
    return '"' + word.replace('"', '""') + '"'


def value(literal: Value) -> str:
    """A number, text, date, TRUE, FALSE or NULL.

    Example:
        >>> value("it's"), value(dt.datetime(2024, 1, 31)), value(None)
        ("'it''s'", '2024-01-31', 'NULL')
    """
    if literal is None:
        return "NULL"
    if isinstance(literal, bool):
        return str(literal).upper()
    if isinstance(literal, str):
        return "'" + literal.replace("'", "''") + "'"
    if isinstance(literal, dt.datetime):
        return literal.isoformat().removesuffix("T00:00:00")
    return repr(literal)


def window(window: Window) -> str:
    """The two bounds and the unit."""
    start = "-INF" if window.start is None else window.start
    return f"{start}, {window.end}, {window.unit}"


def expression(node: Node) -> str:
    """An expression with no more parentheses than it needs.

    Example:
        >>> both = Arithmetic("+", ColumnRef("a", "b"), Literal(1))
        >>> expression(Arithmetic("*", both, Literal(-2)))
        '(a.b + 1) * -2'
    """
    return _WRITERS[type(node)](node)


def _binding(node: Node) -> int:
    if isinstance(node, Arithmetic):
        return SUM if node.operator in "+-" else PRODUCT
    if isinstance(node, Literal) and value(node.value).startswith("-"):
        return UNARY
    return _BINDINGS.get(type(node), TEST)


def _inside(node: Node, least: int) -> str:
    text = expression(node)
    return text if _binding(node) >= least else f"({text})"


def _column(node: ColumnRef) -> str:
    return f"{name(node.table)}.{name(node.name, after_dot=True)}"


def _star(node: Star) -> str:
    return f"{name(node.table)}.*"


def _literal(node: Literal) -> str:
    return value(node.value)


def _aggregate(node: Aggregate) -> str:
    where = "" if node.where is None else f" WHERE {expression(node.where)}"
    via = "".join(f" VIA {_column(key)}" for key in node.via)
    when = "" if node.window is None else f", {window(node.window)}"
    return f"{node.function}({expression(node.argument)}{where}{via}{when})"


def _arithmetic(node: Arithmetic) -> str:
    level = _binding(node)
    right = _inside(node.right, level + 1)
    return f"{_inside(node.left, level)} {node.operator} {right}"


def _negative(node: Negative) -> str:
    operand = _inside(node.operand, UNARY)
    # Two minus signs in a row would open a comment.
    return f"-({operand})" if operand.startswith("-") else f"-{operand}"


def _comparison(node: Comparison) -> str:
    return f"{_inside(node.left, SUM)} {node.operator} {_inside(node.right, SUM)}"


def _is_null(node: IsNull) -> str:
    test = "IS NOT NULL" if node.negated else "IS NULL"
    return f"{_inside(node.operand, SUM)} {test}"


def _is_in(node: IsIn) -> str:
    values = ", ".join(map(_literal, node.values))
    test = "NOT IN" if node.negated else "IN"
    return f"{_inside(node.operand, SUM)} {test} ({values})"


def _text_test(node: TextTest) -> str:
    test = f"NOT {node.operator}" if node.negated else node.operator
    return f"{_inside(node.operand, SUM)} {test} {_literal(node.value)}"


def _and(node: And) -> str:
    return " AND ".join(_inside(part, NOT) for part in node.operands)


def _or(node: Or) -> str:
    return " OR ".join(_inside(part, AND) for part in node.operands)


def _not(node: Not) -> str:
    return f"NOT {_inside(node.operand, NOT)}"


_WRITERS: dict[type, Callable[[Any], str]] = {
    ColumnRef: _column,
    Star: _star,
    Literal: _literal,
    Aggregate: _aggregate,
    Arithmetic: _arithmetic,
    Negative: _negative,
    Comparison: _comparison,
    IsNull: _is_null,
    IsIn: _is_in,
    TextTest: _text_test,
    And: _and,
    Or: _or,
    Not: _not,
}

_BINDINGS: dict[type, int] = {
    ColumnRef: ATOM,
    Star: ATOM,
    Literal: ATOM,
    Aggregate: ATOM,
    Negative: UNARY,
    Not: NOT,
    And: AND,
    Or: OR,
}


def modifier(node: Modifier | None) -> str:
    """The words after the target; empty if there are none."""
    if isinstance(node, Forecast):
        return f" FORECAST {node.frames} TIMEFRAMES"
    if isinstance(node, Rank):
        return f" RANK TOP {node.k}"
    if isinstance(node, Classify):
        return " CLASSIFY" if node.k is None else f" CLASSIFY TOP {node.k}"
    return ""


def entity(column: ColumnRef, values: tuple[Literal, ...] | None) -> str:
    """FOR and what follows it."""
    if values is None:
        return f"FOR EACH {_column(column)}"
    if len(values) == 1:
        return f"FOR {_column(column)} = {_literal(values[0])}"
    return f"FOR {_column(column)} IN ({', '.join(map(_literal, values))})"


def query(clauses: Clauses) -> str:
    """The whole query on one line."""
    text = f"PREDICT {expression(clauses.target)}{modifier(clauses.modifier)}"
    text += f" {entity(clauses.entity, clauses.entities)}"
    if clauses.where is not None:
        text += f" WHERE {expression(clauses.where)}"
    if clauses.assuming is not None:
        text += f" ASSUMING {expression(clauses.assuming)}"
    return text
