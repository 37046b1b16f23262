"""What may stand inside each aggregate function?"""

from __future__ import annotations

from dataclasses import replace

from benthic.relational.overrides import written_stype
from benthic.relational.query import canonical, wording
from benthic.relational.query.faults import Faults
from benthic.relational.query.kinds import CONDITIONS
from benthic.relational.query.stypes import (
    PREDICTABLE,
    described,
    is_foreign_key,
    is_key,
    is_number,
    stype,
)
from benthic.relational.query.tree import (
    Aggregate,
    Arithmetic,
    ColumnRef,
    Comparison,
    Literal,
    Negative,
    Star,
    Value,
    Window,
)
from benthic.relational.query.vocabulary import FUNCTIONS
from benthic.relational.query.walking import Node, columns
from benthic.relational.schema import Schema, SType

OF_NUMBERS = frozenset({"SUM", "AVG", "MIN", "MAX"})

DEFAULT_WINDOW = Window(0, 30)


def check_aggregate(node: Aggregate, schema: Schema, faults: Faults) -> None:
    """Notes an argument that the function is not for.

    Args:
        node: Its names are as the schema spells them.
        schema: The database.
        faults: Takes what is wrong.
    """
    argument = node.argument
    if node.function not in FUNCTIONS or isinstance(argument, (Aggregate, *CONDITIONS)):
        return  # noted among the names or the kinds
    if isinstance(argument, Star):
        if node.function != "COUNT":
            _refuse_star(node, argument, schema, faults)
    elif isinstance(argument, ColumnRef):
        _check_column(node, argument, schema, faults)
    elif node.function not in OF_NUMBERS:
        message = f"{node.function} needs a column"
        faults.add("type", argument.place, message, "table.column")
    elif not columns(argument) and isinstance(
        argument, (Arithmetic, Literal, Negative)
    ):
        message = f"{node.function} needs a column: this names no table"
        faults.add("type", argument.place, message, "a numerical column")


def _refuse_star(
    node: Aggregate, argument: Star, schema: Schema, faults: Faults
) -> None:
    counted = canonical.expression(replace(node, function="COUNT"))
    numbers = _numbers(argument.table, schema)
    expected = f"a numerical column{numbers}" if node.function in OF_NUMBERS else None
    faults.add(
        "type",
        argument.place,
        f"{node.function} needs a column: only COUNT takes {argument.table}.*",
        expected or f"a column of {argument.table}",
        f"to count rows: {counted}",
    )


def _check_column(
    node: Aggregate, argument: ColumnRef, schema: Schema, faults: Faults
) -> None:
    found = stype(argument, schema)
    if found is None or node.function == "COUNT":
        return
    if node.function in OF_NUMBERS:
        _check_number(node, argument, schema, faults)
    elif node.function in ("FIRST", "LAST"):
        _check_predictable(node, argument, schema, faults)
    elif node.function == "LIST_DISTINCT":
        _check_listed(argument, schema, faults)
    elif node.function == "COUNT_DISTINCT" and found is SType.timestamp:
        message = f"COUNT_DISTINCT counts values, and {described(argument, schema)}"
        faults.add("type", argument.place, message, "any column but a time")


def _check_number(
    node: Aggregate, argument: ColumnRef, schema: Schema, faults: Faults
) -> None:
    if is_number(argument, schema) and not is_key(argument, schema):
        return
    faults.add(
        "type",
        argument.place,
        f"{node.function} needs numbers, and {described(argument, schema)}",
        f"a numerical column{_numbers(argument.table, schema)}",
        _read_as_numbers(argument, schema) or _counted(node, argument, schema),
    )


def _read_as_numbers(argument: ColumnRef, schema: Schema) -> str | None:
    """How to say that the texts of a column are numbers."""
    for problem in schema.problems:
        place = problem.table, problem.column
        if problem.could_be_number and place == (argument.table, argument.name):
            return problem.text
    if stype(argument, schema) is not SType.text:
        return None
    said = written_stype(argument.table, argument.name, SType.numerical)
    return f"if it holds numbers, write in {said}"


def _numbers(table: str, schema: Schema) -> str:
    if table not in schema.tables:
        return ""
    found = [
        canonical.expression(ColumnRef(table, name))
        for name, column in schema.tables[table].columns.items()
        if column.stype is SType.numerical
        and not is_key(ColumnRef(table, name), schema)
    ]
    return f": {wording.listed(sorted(found))}" if found else ""


def _counted(node: Aggregate, argument: ColumnRef, schema: Schema) -> str | None:
    """How to count what cannot be summed."""
    window = node.window or DEFAULT_WINDOW
    if is_foreign_key(argument, schema):
        counted = replace(node, function="COUNT_DISTINCT", window=window)
        return f"to count different ones: {canonical.expression(counted)}"
    values: dict[SType | None, Value] = {SType.categorical: "...", SType.boolean: True}
    found = stype(argument, schema)
    if found not in values or node.where is not None:
        return None
    counted = replace(
        node,
        function="COUNT",
        argument=Star(argument.table),
        where=Comparison("=", argument, Literal(values[found])),
        window=window,
    )
    text = canonical.expression(counted)
    return f"to count rows with one {argument.name}: {text}"


def _check_predictable(
    node: Aggregate, argument: ColumnRef, schema: Schema, faults: Faults
) -> None:
    if stype(argument, schema) in PREDICTABLE and not is_key(argument, schema):
        return
    hint = None
    if is_foreign_key(argument, schema):
        listed = replace(node, function="LIST_DISTINCT")
        hint = f"for the rows it points to: {canonical.expression(listed)} RANK TOP 10"
    faults.add(
        "type",
        argument.place,
        f"{node.function} needs a value to predict, and {described(argument, schema)}",
        "a numerical, categorical, boolean or multicategorical column",
        hint,
    )


def _check_listed(argument: ColumnRef, schema: Schema, faults: Faults) -> None:
    if is_foreign_key(argument, schema) or _is_category(argument, schema):
        return
    faults.add(
        "type",
        argument.place,
        f"LIST_DISTINCT lists values, and {described(argument, schema)}",
        "a foreign key or a categorical column",
    )


def _is_category(node: Node, schema: Schema) -> bool:
    return stype(node, schema) is SType.categorical and not is_key(node, schema)
