"""Which rows belong to an entity, and whose time do they carry?"""

from __future__ import annotations

from collections.abc import Sequence

from benthic.errors import QueryError
from benthic.relational.query.tree import Aggregate, ColumnRef, Place, Star
from benthic.relational.query.walking import walk
from benthic.relational.schema import Chain, Problem, Schema

DETOUR = 6
"""How many keys longer than the shortest chain a chain named by VIA may be."""


def row_table(aggregate: Aggregate, schema: Schema) -> str:
    """The table whose rows an aggregate runs over.

    It is the one table named in the argument from which all others named there are
    reached by foreign keys, child to parent.

    Args:
        aggregate: Its names are as the schema spells them.
        schema: The database.

    Raises:
        QueryError: There is no such table, or more than one.
    """
    found = row_tables(aggregate, schema)
    if len(found) != 1:
        raise _refused(aggregate.place, "the argument has no single table of rows")
    return found[0]


def row_tables(aggregate: Aggregate, schema: Schema) -> list[str]:
    """The tables named in the argument from which all others named are reached."""
    inside = walk(aggregate.argument, into_aggregates=False)
    named = {part.table for part in inside if isinstance(part, (ColumnRef, Star))}
    return [
        table
        for table in sorted(named)
        if table in schema.tables and named <= steps_up(table, schema).keys()
    ]


def steps_up(table: str, schema: Schema) -> dict[str, int]:
    """Each ancestor and the least number of keys to it; the table itself at 0.

    Args:
        table: Where to start.
        schema: The database.
    """
    steps = {table: 0}
    waiting = [table]
    for child in waiting:
        for key in schema.tables[child].fkeys:
            if key.table not in steps:
                steps[key.table] = steps[child] + 1
                waiting.append(key.table)
    return steps


def missing_links(child: str, ancestor: str, schema: Schema) -> list[Problem]:
    """Columns that were not linked, and whose link would join the two tables.

    Args:
        child: Where to start.
        ancestor: Where to end.
        schema: The database.
    """
    below = steps_up(child, schema)
    return [
        problem
        for problem in schema.problems
        if problem.table in below
        and any(
            parent in schema.tables and ancestor in steps_up(parent, schema)
            for parent in problem.could_point_at
        )
    ]


def shortest(
    child: str, ancestor: str, schema: Schema, via: Sequence[ColumnRef] = ()
) -> list[Chain]:
    """All chains of the least length from child to ancestor.

    From a table to itself it is the self-reference, one key long.

    Args:
        child: Where to start.
        ancestor: Where to end.
        schema: The database.
        via: Keys that a chain must go by.
    """
    steps = steps_up(child, schema).get(ancestor)
    if steps is None:
        return []
    found: list[Chain] = []
    most = max(1, steps) + (DETOUR if via else 0)
    for chain in schema.chains(child, ancestor, most):
        if found and len(chain) > len(found[0]):
            break
        if goes_by(chain, via):
            found.append(chain)
    return found


def goes_by(chain: Chain, via: Sequence[ColumnRef]) -> bool:
    """Whether a chain contains all these keys."""
    keys = set(zip(chain.tables, chain.columns, strict=False))
    return all((key.table, key.name) in keys for key in via)


def chain(aggregate: Aggregate, entity_table: str, schema: Schema) -> Chain:
    """The foreign keys from the row table up to the entity.

    The shortest chain, among those that go by the keys after VIA.

    Args:
        aggregate: Its names are as the schema spells them.
        entity_table: Where the chain ends.
        schema: The database.

    Raises:
        QueryError: There is no chain, or more than one of the least length.
    """
    table = row_table(aggregate, schema)
    found = shortest(table, entity_table, schema, aggregate.via)
    return _single(found, aggregate.place, table, entity_table)


def reach(table: str, column_table: str, schema: Schema) -> Chain:
    """The foreign keys from a row to the row whose column a filter or argument names.

    No key at all where both are the same table.

    Args:
        table: The table of the row.
        column_table: The table of the column, an ancestor.
        schema: The database.

    Raises:
        QueryError: There is no chain, or more than one of the least length.
    """
    if table == column_table:
        return Chain((table,))
    found = shortest(table, column_table, schema)
    return _single(found, Place(), table, column_table)


def time_step(chain: Chain, schema: Schema) -> int | None:
    """Where on the chain the time of a row stands, counted from the row table.

    0 if the row table has a time itself, else the nearest ancestor's place; None if no
    table on the chain has a time.

    Args:
        chain: From the row table to the entity.
        schema: The database.
    """
    timed = (
        step
        for step, table in enumerate(chain.tables)
        if schema.tables[table].time_col is not None
    )
    return next(timed, None)


def _single(found: list[Chain], place: Place, child: str, ancestor: str) -> Chain:
    if len(found) == 1:
        return found[0]
    ways = " or ".join(map(str, found))
    several = f"{child} reaches {ancestor} in {len(found)} ways: {ways}"
    none = f"{child} does not reach {ancestor} by foreign keys"
    raise _refused(place, several if found else none)


def _refused(place: Place, message: str) -> QueryError:
    return QueryError("path", message, place.line, place.column, place.length)
