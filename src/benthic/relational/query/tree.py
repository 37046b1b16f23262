"""What a predictive query says, as a tree that keeps its places in the text."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, field
from typing import TypeAlias


@dataclass(frozen=True)
class Place:
    """Where a node stands in the text: line and column count from 1, in characters."""

    line: int = 1
    column: int = 1
    length: int = 1


Value: TypeAlias = int | float | str | bool | dt.datetime | None
"""A literal; a date is a datetime at midnight."""


@dataclass(frozen=True)
class ColumnRef:
    """``table.name``"""

    table: str
    name: str
    place: Place = field(default=Place(), compare=False, repr=False, kw_only=True)


@dataclass(frozen=True)
class Star:
    """``table.*``: the rows of a table."""

    table: str
    place: Place = field(default=Place(), compare=False, repr=False, kw_only=True)


@dataclass(frozen=True)
class Literal:
    """A number, text, date, TRUE, FALSE or NULL."""

    value: Value
    place: Place = field(default=Place(), compare=False, repr=False, kw_only=True)


@dataclass(frozen=True)
class Window:
    """``(t + start, t + end]``; ``start`` is None for ``-INF``.

    ``unit`` is one of seconds, minutes, hours, days, weeks, months, years.
    """

    start: int | None
    end: int
    unit: str = "days"
    place: Place = field(default=Place(), compare=False, repr=False, kw_only=True)


@dataclass(frozen=True)
class Aggregate:
    """``FUNCTION(argument [WHERE …] [VIA …], start, end, unit)``

    ``function`` is in upper case; ``window`` is None where the text has none.
    """

    function: str
    argument: Star | Expression
    where: Expression | None = None
    via: tuple[ColumnRef, ...] = ()
    window: Window | None = None
    place: Place = field(default=Place(), compare=False, repr=False, kw_only=True)


@dataclass(frozen=True)
class Arithmetic:
    """``left operator right`` with one of ``+ - * /``."""

    operator: str
    left: Expression
    right: Expression
    place: Place = field(default=Place(), compare=False, repr=False, kw_only=True)


@dataclass(frozen=True)
class Negative:
    """``-operand``"""

    operand: Expression
    place: Place = field(default=Place(), compare=False, repr=False, kw_only=True)


@dataclass(frozen=True)
class Comparison:
    """``left operator right`` with one of ``= != < <= > >=`` (``<>`` reads ``!=``)."""

    operator: str
    left: Expression
    right: Expression
    place: Place = field(default=Place(), compare=False, repr=False, kw_only=True)


@dataclass(frozen=True)
class IsNull:
    """``operand IS [NOT] NULL``"""

    operand: Expression
    negated: bool = False
    place: Place = field(default=Place(), compare=False, repr=False, kw_only=True)


@dataclass(frozen=True)
class IsIn:
    """``operand [NOT] IN (values)``"""

    operand: Expression
    values: tuple[Literal, ...]
    negated: bool = False
    place: Place = field(default=Place(), compare=False, repr=False, kw_only=True)


@dataclass(frozen=True)
class TextTest:
    """``operand [NOT] operator value``

    ``operator`` is LIKE, CONTAINS, STARTS WITH or ENDS WITH.
    """

    operator: str
    operand: Expression
    value: Literal
    negated: bool = False
    place: Place = field(default=Place(), compare=False, repr=False, kw_only=True)


@dataclass(frozen=True)
class And:
    """All of two or more operands."""

    operands: tuple[Expression, ...]
    place: Place = field(default=Place(), compare=False, repr=False, kw_only=True)


@dataclass(frozen=True)
class Or:
    """Any of two or more operands."""

    operands: tuple[Expression, ...]
    place: Place = field(default=Place(), compare=False, repr=False, kw_only=True)


@dataclass(frozen=True)
class Not:
    """``NOT operand``"""

    operand: Expression
    place: Place = field(default=Place(), compare=False, repr=False, kw_only=True)


Expression: TypeAlias = (
    ColumnRef
    | Literal
    | Aggregate
    | Arithmetic
    | Negative
    | Comparison
    | IsNull
    | IsIn
    | TextTest
    | And
    | Or
    | Not
)


@dataclass(frozen=True)
class Forecast:
    """``FORECAST frames TIMEFRAMES``"""

    frames: int
    place: Place = field(default=Place(), compare=False, repr=False, kw_only=True)


@dataclass(frozen=True)
class Rank:
    """``RANK TOP k``"""

    k: int
    place: Place = field(default=Place(), compare=False, repr=False, kw_only=True)


@dataclass(frozen=True)
class Classify:
    """``CLASSIFY [TOP k]``"""

    k: int | None = None
    place: Place = field(default=Place(), compare=False, repr=False, kw_only=True)


Modifier: TypeAlias = Forecast | Rank | Classify


@dataclass(frozen=True)
class Clauses:
    """What stands between PREDICT and the end of the text.

    ``entities`` is None for FOR EACH.
    """

    target: Expression
    modifier: Modifier | None
    entity: ColumnRef
    entities: tuple[Literal, ...] | None = None
    where: Expression | None = None
    assuming: Expression | None = None
