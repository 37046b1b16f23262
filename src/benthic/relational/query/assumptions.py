"""May this be assumed?"""

from __future__ import annotations

from benthic.relational.query import canonical
from benthic.relational.query.faults import Faults
from benthic.relational.query.names import column_of
from benthic.relational.query.stypes import is_key, stype
from benthic.relational.query.tree import (
    And,
    Clauses,
    ColumnRef,
    Comparison,
    Expression,
    Literal,
)
from benthic.relational.query.walking import aggregates, columns
from benthic.relational.schema import Schema, SType

FORMS = "an aggregate over the future, or column = value on the entity table"


def conjuncts(assuming: Expression | None) -> tuple[Expression, ...]:
    """The assumptions that AND joins, also through parentheses."""
    if assuming is None:
        return ()
    if not isinstance(assuming, And):
        return (assuming,)
    return tuple(part for node in assuming.operands for part in conjuncts(node))


def check_assuming(clauses: Clauses, schema: Schema | None, faults: Faults) -> None:
    """Notes assumptions that are neither about the future nor about the entity's row.

    Args:
        clauses: The query.
        schema: Tells keys and times; without it any column will do.
        faults: Takes what is wrong.
    """
    assumed: set[ColumnRef] = set()
    for part in conjuncts(clauses.assuming):
        if aggregates(part):
            _check_future(part, clauses, faults)
            continue
        column = _column_of(part, faults)
        if column is None:
            continue
        if column in assumed:
            message = f"{canonical.expression(column)} is assumed twice"
            faults.add("clause", part.place, message, "one value for each column")
        assumed.add(column)
        _check_column(column, clauses, schema, faults)


def _check_future(part: Expression, clauses: Clauses, faults: Faults) -> None:
    if columns(part):
        faults.add(
            "clause",
            columns(part)[0].place,
            "an assumption speaks of the future or of the entity's row, not of both",
            FORMS,
            "join the two by AND",
        )
    if not aggregates(clauses.target):
        faults.add(
            "clause",
            part.place,
            "the target has no future: an assumption over the future changes nothing",
            "an assumption on a column of the entity table, or a target with a window",
        )


def _column_of(part: Expression, faults: Faults) -> ColumnRef | None:
    if (
        isinstance(part, Comparison)
        and part.operator == "="
        and isinstance(part.left, ColumnRef)
        and isinstance(part.right, Literal)
    ):
        return part.left
    hint = None
    if isinstance(part, ColumnRef):
        hint = f"did you mean {canonical.expression(part)} = TRUE?"
    message = "this cannot be assumed of a row: only = and one value can"
    faults.add("clause", part.place, message, FORMS, hint)
    return None


def _check_column(
    column: ColumnRef, clauses: Clauses, schema: Schema | None, faults: Faults
) -> None:
    text = canonical.expression(column)
    entity = clauses.entity.table
    message, expected = None, f"a column of {entity}"
    if column in columns(clauses.target):
        message = f"{text} is what is to be predicted"
    elif schema is None or column_of(column, schema) is None:
        return
    elif entity in schema.tables and column.table != entity:
        message = f"only the entity's own row can be assumed otherwise, not {text}"
    elif is_key(column, schema):
        message = f"{text} is a key, and another key is another row"
    elif stype(column, schema) is SType.timestamp:
        message = f"{text} is a time, which cannot be assumed otherwise"
    if message is not None:
        faults.add("clause", column.place, message, expected)
