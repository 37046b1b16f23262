"""A node of the query's tree as SQL: three-valued, as the tree says it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol, runtime_checkable

from benthic.relational.query.tree import (
    Aggregate,
    And,
    Arithmetic,
    ColumnRef,
    Comparison,
    Expression,
    IsIn,
    IsNull,
    Literal,
    Negative,
    Not,
    Or,
    TextTest,
)
from benthic.relational.schema import Column, SType
from benthic.relational.sql import literal, members
from benthic.relational.task.values import literal_sql


@runtime_checkable
class Scope(Protocol):
    """What columns and aggregates are called where an expression stands."""

    def described(self, node: ColumnRef) -> Column:
        """The column's types."""

    def column(self, node: ColumnRef) -> str:
        """SQL of a column."""

    def aggregate(self, node: Aggregate) -> str:
        """SQL of the value of an aggregate."""


def scalar(node: Expression, scope: Scope) -> str:
    """SQL of an expression; NULL is unknown, as in SQL.

    Args:
        node: Its names are as the schema spells them.
        scope: Where it stands.
    """
    return _WRITERS[type(node)](node, scope)


def number(node: Expression, scope: Scope) -> str:
    """SQL of an expression as a float."""
    return f"CAST({scalar(node, scope)} AS DOUBLE)"


def read(column: Column, sql: str) -> str:
    """SQL of a stored value by what it means.

    A boolean is one, a number is finite, a set is a list.

    Args:
        column: Its types.
        sql: Where it is.

    Example:
        >>> read(Column("spam", "BIGINT", SType.boolean), "m.spam")
        'TRY_CAST(m.spam AS BOOLEAN)'
    """
    if column.stype is SType.boolean and column.dtype != "BOOLEAN":
        return f"TRY_CAST({sql} AS BOOLEAN)"
    if is_delimited(column):
        return members(sql)
    if column.dtype in ("DOUBLE", "FLOAT"):
        return f"NULLIF({sql}, CAST('NaN' AS {column.dtype}))"
    return sql


def is_delimited(column: Column) -> bool:
    """Whether a set is stored as text with delimiters.

    Args:
        column: Its types.
    """
    is_set = column.stype is SType.multicategorical
    return is_set and not column.dtype.endswith("]")


_DTYPES = {"COUNT": "BIGINT", "COUNT_DISTINCT": "BIGINT", "LIST_DISTINCT": None}


def dtype(node: Expression, scope: Scope) -> str | None:
    """DuckDB's type of an expression; None where it is not a single column's.

    Args:
        node: A value.
        scope: Where it stands.
    """
    if isinstance(node, ColumnRef):
        column = scope.described(node)
        stored = "VARCHAR[]" if is_delimited(column) else column.dtype
        return "BOOLEAN" if column.stype is SType.boolean else stored
    if isinstance(node, Aggregate) and node.function in ("FIRST", "LAST"):
        argument = node.argument
        return dtype(argument, scope) if isinstance(argument, ColumnRef) else "DOUBLE"
    if isinstance(node, Aggregate):
        return _DTYPES.get(node.function, "DOUBLE")
    return "DOUBLE" if isinstance(node, (Arithmetic, Negative)) else None


def is_set(node: Expression, scope: Scope) -> bool:
    """Whether an expression is a set of values rather than one."""
    if isinstance(node, ColumnRef):
        return scope.described(node).stype is SType.multicategorical
    if not isinstance(node, Aggregate):
        return False
    one = node.argument if node.function in ("FIRST", "LAST") else None
    listed = isinstance(one, ColumnRef) and is_set(one, scope)
    return node.function == "LIST_DISTINCT" or listed


def _element_dtype(node: Expression, scope: Scope) -> str | None:
    if isinstance(node, Aggregate) and isinstance(node.argument, ColumnRef):
        node = node.argument
    stored = dtype(node, scope)
    return None if stored is None else stored.removesuffix("[]")


def _column(node: ColumnRef, scope: Scope) -> str:
    return scope.column(node)


def _aggregate(node: Aggregate, scope: Scope) -> str:
    return scope.aggregate(node)


def _literal(node: Literal, _: Scope) -> str:
    return literal_sql(node.value)


def _arithmetic(node: Arithmetic, scope: Scope) -> str:
    left, right = number(node.left, scope), number(node.right, scope)
    if node.operator == "/":
        # DuckDB's floats divide by zero to infinity; here that is undefined.
        right = f"NULLIF({right}, 0)"
    return f"({left} {node.operator} {right})"


def _negative(node: Negative, scope: Scope) -> str:
    return f"(- {number(node.operand, scope)})"


def _beside(node: Expression, other: Expression, scope: Scope) -> str:
    if isinstance(node, Literal):
        return literal_sql(node.value, dtype(other, scope))
    return scalar(node, scope)


def _comparison(node: Comparison, scope: Scope) -> str:
    for one, other in ((node.left, node.right), (node.right, node.left)):
        if isinstance(other, Literal) and other.value is None:
            return _is_null(IsNull(one, node.operator == "!="), scope)
    left = _beside(node.left, node.right, scope)
    right = _beside(node.right, node.left, scope)
    return f"({left} {node.operator} {right})"


def _is_null(node: IsNull, scope: Scope) -> str:
    test = "IS NOT NULL" if node.negated else "IS NULL"
    return f"({scalar(node.operand, scope)} {test})"


def _is_in(node: IsIn, scope: Scope) -> str:
    values = ", ".join(_beside(value, node.operand, scope) for value in node.values)
    test = "NOT IN" if node.negated else "IN"
    return f"({scalar(node.operand, scope)} {test} ({values}))"


def _text_test(node: TextTest, scope: Scope) -> str:
    operand = scalar(node.operand, scope)
    if is_set(node.operand, scope):
        value = literal_sql(node.value.value, _element_dtype(node.operand, scope))
        test = f"list_contains({operand}, {value})"
    else:
        words = literal(str(node.value.value))
        test = _TEXT_TESTS[node.operator].format(f"CAST({operand} AS VARCHAR)", words)
    return f"(NOT {test})" if node.negated else test


_TEXT_TESTS = {
    "LIKE": "({} LIKE {} ESCAPE '\\')",
    "CONTAINS": "contains({}, {})",
    "STARTS WITH": "starts_with({}, {})",
    "ENDS WITH": "ends_with({}, {})",
}


def _and(node: And, scope: Scope) -> str:
    return "(" + " AND ".join(scalar(part, scope) for part in node.operands) + ")"


def _or(node: Or, scope: Scope) -> str:
    return "(" + " OR ".join(scalar(part, scope) for part in node.operands) + ")"


def _not(node: Not, scope: Scope) -> str:
    return f"(NOT {scalar(node.operand, scope)})"


_WRITERS: dict[type, Callable[[Any, Scope], str]] = {
    ColumnRef: _column,
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
