"""Do the clauses fit the target and each other?"""

from __future__ import annotations

from benthic.relational.query import canonical
from benthic.relational.query.assumptions import check_assuming
from benthic.relational.query.faults import Faults
from benthic.relational.query.modifiers import check_modifier
from benthic.relational.query.names import column_of
from benthic.relational.query.stypes import is_key, stype
from benthic.relational.query.tree import (
    And,
    Clauses,
    ColumnRef,
    Expression,
    IsNull,
    Literal,
)
from benthic.relational.query.walking import columns
from benthic.relational.schema import Schema, SType

PREDICTABLE_COLUMN = "a numerical, categorical, boolean or multicategorical column"


def check_clauses(clauses: Clauses, schema: Schema | None, faults: Faults) -> None:
    """Notes what each clause may not say beside the others.

    Args:
        clauses: The query.
        schema: The database; without it only the words themselves are checked.
        faults: Takes what is wrong.
    """
    _check_values(clauses, faults)
    if schema is not None:
        _check_entity(clauses.entity, schema, faults)
        for column in columns(clauses.target):
            _check_predictable(column, clauses, schema, faults)
    check_modifier(clauses, schema, faults)
    check_assuming(clauses, schema, faults)
    _check_known(clauses, faults)


def _check_values(clauses: Clauses, faults: Faults) -> None:
    for value in clauses.entities or ():
        if value == Literal(None):
            message = "NULL names no entity"
            faults.add("clause", value.place, message, "a key")


def _check_entity(entity: ColumnRef, schema: Schema, faults: Faults) -> None:
    table = schema.tables.get(entity.table)
    if table is None or column_of(entity, schema) is None:
        return
    key = table.pkey_col
    if key is None:
        message = f"{table.name} has no primary key, so its rows have no names"
        hint = "a primary key can be named in the schema"
        faults.add("clause", entity.place, message, "a table with a primary key", hint)
    elif "+" in key and all(part in table.columns for part in key.split("+")):
        message = "a key of several columns as entity is not supported yet"
        faults.add("clause", entity.place, message, "a table with a key of one column")
    elif entity.name != key:
        message = "the entity must be named by its primary key"
        expected = canonical.expression(ColumnRef(table.name, key))
        faults.add("clause", entity.place, message, expected)


def _check_predictable(
    column: ColumnRef, clauses: Clauses, schema: Schema, faults: Faults
) -> None:
    if column.table != clauses.entity.table or column_of(column, schema) is None:
        return
    what = None
    if is_key(column, schema) or stype(column, schema) is SType.id:
        what = "a key"
    elif stype(column, schema) is SType.timestamp:
        what = "a time column"
    elif stype(column, schema) is SType.text and column is clauses.target:
        what = "free text"
    if what is not None:
        message = f"{what} cannot be predicted"
        faults.add("type", column.place, message, PREDICTABLE_COLUMN)


def _check_known(clauses: Clauses, faults: Faults) -> None:
    target = clauses.target
    if not isinstance(target, ColumnRef):
        return
    for test in _conjuncts(clauses.where):
        if isinstance(test, IsNull) and not test.negated and test.operand == target:
            name = target.name
            faults.add(
                "clause",
                test.place,
                f"the filter leaves no row with a known {name} to learn from",
                "a filter that keeps rows with a known target",
                f"drop it: {target.table} whose {name} is NULL are predicted anyway",
            )


def _conjuncts(node: Expression | None) -> tuple[Expression, ...]:
    if node is None:
        return ()
    return node.operands if isinstance(node, And) else (node,)
