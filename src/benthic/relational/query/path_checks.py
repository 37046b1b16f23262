"""Do all rows belong to one entity, and all columns to one row?"""

from __future__ import annotations

from dataclasses import replace

from benthic.relational.query import canonical, wording
from benthic.relational.query.faults import Faults
from benthic.relational.query.functions import DEFAULT_WINDOW, OF_NUMBERS
from benthic.relational.query.names import column_of
from benthic.relational.query.paths import (
    missing_links,
    row_tables,
    shortest,
    steps_up,
    time_step,
)
from benthic.relational.query.stypes import is_foreign_key, is_key, stype
from benthic.relational.query.tree import (
    Aggregate,
    And,
    Clauses,
    ColumnRef,
    Comparison,
    Expression,
    IsIn,
    IsNull,
    Star,
    TextTest,
)
from benthic.relational.query.vocabulary import FUNCTIONS
from benthic.relational.query.walking import aggregates, columns, walk
from benthic.relational.schema import Chain, Schema, SType


def check_paths(clauses: Clauses, schema: Schema, faults: Faults) -> None:
    """Notes aggregates whose rows have no single entity, and columns out of reach.

    Args:
        clauses: The query; its names are as the schema spells them.
        schema: The database.
        faults: Takes what is wrong.
    """
    if clauses.entity.table not in schema.tables:
        return
    check = _Paths(clauses, schema, faults)
    for clause in (clauses.target, clauses.where, clauses.assuming):
        for aggregate in aggregates(clause):
            check.aggregate(aggregate)
    for column in columns(clauses.target):
        check.target_column(column)
    for column in columns(clauses.where):
        check.where_column(column)


class _Paths:
    def __init__(self, clauses: Clauses, schema: Schema, faults: Faults) -> None:
        self.clauses = clauses
        self.entity = clauses.entity.table
        self.schema = schema
        self.faults = faults

    def aggregate(self, node: Aggregate) -> None:
        if not self._sound(node):
            return
        tables = row_tables(node, self.schema)
        if len(tables) != 1:
            self._no_row_table(node)
            return
        table = tables[0]
        for column in [*columns(node.argument), *columns(node.where)]:
            self._reach(table, column)
        if all([self._is_link(key) for key in node.via]):
            self._entity_of(node, table)

    def _sound(self, node: Aggregate) -> bool:
        """Whether all names exist and no other aggregate is inside."""
        inside = list(walk(node))[1:]
        named = [part for part in inside if isinstance(part, ColumnRef)]
        stars = [part for part in inside if isinstance(part, Star)]
        return (
            node.function in FUNCTIONS
            and bool(columns(node.argument) or isinstance(node.argument, Star))
            and not any(isinstance(part, Aggregate) for part in inside)
            and all(column_of(part, self.schema) is not None for part in named)
            and all(part.table in self.schema.tables for part in stars)
        )

    def _no_row_table(self, node: Aggregate) -> None:
        named = sorted({column.table for column in columns(node.argument)})
        self.faults.add(
            "path",
            node.argument.place,
            f"no row has a value of {wording.listed(named, 'and')} at once",
            "columns of one table and of the tables it points to",
        )

    def _is_link(self, key: ColumnRef) -> bool:
        if is_foreign_key(key, self.schema):
            return True
        links = sorted(
            canonical.expression(ColumnRef(key.table, column))
            for column in self.schema.tables[key.table].fkey_col_to_pkey_table
        )
        text = canonical.expression(key)
        message = f"{text} points at no table"
        expected = (
            f"a foreign key: {wording.listed(links)}" if links else "a foreign key"
        )
        hint = self._unlinked(key.table, self.entity)
        self.faults.add("path", key.place, message, expected, hint)
        return False

    def _entity_of(self, node: Aggregate, table: str) -> None:
        found = shortest(table, self.entity, self.schema, node.via)
        if len(found) == 1:
            self._check_time(node, found[0])
        elif found:
            self._several(node, table, found)
        elif node.via and shortest(table, self.entity, self.schema):
            self._wrong_via(node, table)
        elif table == self.entity:
            self._own_rows(node)
        else:
            self._unreached(node, table)

    def _check_time(self, node: Aggregate, chain: Chain) -> None:
        if time_step(chain, self.schema) is not None:
            return
        timed = sorted(
            name for name, table in self.schema.tables.items() if table.time_col
        )
        self.faults.add(
            "window",
            node.argument.place,
            f"{chain.tables[0]} has no time, nor has any table on its way to "
            f"{self.entity}",
            f"a table with a time: {wording.listed(timed)}" if timed else None,
            "a time column can be named in the schema",
        )

    def _several(self, node: Aggregate, table: str, found: list[Chain]) -> None:
        keys = _telling_keys(found)
        ways = wording.listed(
            (f"VIA {canonical.expression(key)}" for key in keys), "or"
        )
        mended = replace(
            node, via=(*node.via, keys[0]), window=node.window or DEFAULT_WINDOW
        )
        count = {2: "two", 3: "three", 4: "four"}.get(len(found), str(len(found)))
        self.faults.add(
            "path",
            node.argument.place,
            f"{table} reaches {self.entity} in {count} ways",
            ways,
            f"for example: {canonical.expression(mended)}",
        )

    def _wrong_via(self, node: Aggregate, table: str) -> None:
        keys = _telling_keys(shortest(table, self.entity, self.schema))
        ways = wording.listed(
            (f"VIA {canonical.expression(key)}" for key in keys), "or"
        )
        key = node.via[0]
        self.faults.add(
            "path",
            key.place,
            f"{table} does not reach {self.entity} by {canonical.expression(key)}",
            ways,
        )

    def _own_rows(self, node: Aggregate) -> None:
        hint = None
        if isinstance(node.argument, ColumnRef):
            hint = f"did you mean {canonical.expression(node.argument)}?"
        one = wording.singular(self.entity)
        self.faults.add(
            "path",
            node.argument.place,
            f"{wording.with_article(one)} has no rows of {self.entity} but itself",
            f"a column of {self.entity}, or {self._below()}",
            hint,
        )

    def _unreached(self, node: Aggregate, table: str) -> None:
        between = self._between(table)
        one, entity = wording.singular(table), wording.singular(self.entity)
        message = f"{table} does not reach {self.entity} by foreign keys"
        if table in steps_up(self.entity, self.schema):
            message = f"{wording.with_article(entity)} points to one {one}, not to many"
        elif between:
            owned = "it"
            if isinstance(node.argument, ColumnRef):
                owned = f"its {node.argument.name}"
            message = (
                f"one {one} can belong to many {self.entity}, "
                f"so {owned} has no single {entity}"
            )
        hint = self._unlinked(table, self.entity)
        if between and hint is None:
            hint = f"for example: {canonical.expression(self._example(node, between))}"
        self.faults.add("path", node.argument.place, message, self._below(), hint)

    def _unlinked(self, table: str, ancestor: str) -> str | None:
        """The column that would lead there, and why it was not linked."""
        for problem in missing_links(table, ancestor, self.schema):
            name = canonical.expression(ColumnRef(problem.table, str(problem.column)))
            return f"{name} {problem.text}"
        return None

    def _below(self) -> str:
        tables = dict.fromkeys(name for name, _ in self.schema.children[self.entity])
        found = [name for name in tables if name != self.entity]
        listed = f": {wording.listed(found)}" if found else ""
        return f"a table that points at {self.entity}{listed}"

    def _between(self, table: str) -> str | None:
        """The nearest table that reaches both the row table and the entity."""
        found = []
        for name in self.schema.tables:
            steps = steps_up(name, self.schema)
            if name != self.entity and table in steps and self.entity in steps:
                found.append((steps[table] + steps[self.entity], name))
        return min(found)[1] if found else None

    def _example(self, node: Aggregate, table: str) -> Aggregate:
        numbers = [
            ColumnRef(table, name)
            for name, column in self.schema.tables[table].columns.items()
            if column.stype is SType.numerical
            and not is_key(ColumnRef(table, name), self.schema)
        ]
        window = node.window or DEFAULT_WINDOW
        if numbers and node.function in OF_NUMBERS:
            return Aggregate(node.function, numbers[0], window=window)
        return Aggregate("COUNT", Star(table), window=window)

    def _reach(self, table: str, column: ColumnRef) -> None:
        found = shortest(table, column.table, self.schema)
        if column.table == table or len(found) == 1:
            return
        text = canonical.expression(column)
        message = (
            f"{wording.with_article(wording.singular(table))} has no single {text}"
        )
        expected = f"a column of {table}{self._points_to(table)}"
        if found:
            ways = wording.listed(map(str, found), "and")
            message = f"{table} reaches {column.table} in several ways: {ways}"
        hint = None if found else self._unlinked(table, column.table)
        self.faults.add("path", column.place, message, expected, hint)

    def _points_to(self, table: str) -> str:
        above = list(steps_up(table, self.schema))[1:]
        listed = wording.listed(above)
        return f" or of the tables it points to ({listed})" if above else ""

    def target_column(self, column: ColumnRef) -> None:
        if column.table == self.entity or column_of(column, self.schema) is None:
            return
        text = canonical.expression(column)
        if column.table in steps_up(self.entity, self.schema):
            message = f"{text} as target for {self.entity} is not supported yet"
            hint = self._owner_hint(column)
        else:
            entity = wording.with_article(wording.singular(self.entity))
            message = f"{entity} has no single {text}"
            hint = self._aggregated(column) or self._unlinked(column.table, self.entity)
        expected = f"a column of {self.entity}, or an aggregate"
        self.faults.add("path", column.place, message, expected, hint)

    def _owner_hint(self, column: ColumnRef) -> str | None:
        key = self.schema.tables[column.table].pkey_col
        if key is None:
            return None
        owner = canonical.expression(ColumnRef(column.table, key))
        return f"ask it of its own table: FOR EACH {owner}"

    def _aggregated(self, column: ColumnRef) -> str | None:
        if len(shortest(column.table, self.entity, self.schema)) != 1:
            return None
        number = stype(column, self.schema) is SType.numerical
        function = "SUM" if number and not is_key(column, self.schema) else "LAST"
        if is_key(column, self.schema) or stype(column, self.schema) in (
            SType.timestamp,
            SType.text,
        ):
            counted = Aggregate("COUNT", Star(column.table), window=DEFAULT_WINDOW)
            return f"for example: {canonical.expression(counted)}"
        asked = Aggregate(function, column, window=DEFAULT_WINDOW)
        return f"for example: {canonical.expression(asked)}"

    def where_column(self, column: ColumnRef) -> None:
        if column_of(column, self.schema) is None or column.table == self.entity:
            return
        found = shortest(self.entity, column.table, self.schema)
        if len(found) == 1:
            return
        entity = wording.with_article(wording.singular(self.entity))
        message = (
            f"WHERE filters entities, and {entity} has no single {column.table} row"
        )
        if len(found) > 1:
            ways = wording.listed(map(str, found), "and")
            message = f"{self.entity} reaches {column.table} in several ways: {ways}"
        elif self.entity in steps_up(column.table, self.schema):
            message = f"WHERE filters entities, and {entity} has many {column.table}"
        above = self._points_to(self.entity)
        expected = f"a column of {self.entity}{above}, or a past aggregate"
        hint = self._moved(column) or self._unlinked(self.entity, column.table)
        self.faults.add("path", column.place, message, expected, hint)

    def _moved(self, column: ColumnRef) -> str | None:
        """The first aggregate of the target with the test of this column inside it."""
        test = self._test_of(column)
        for node in aggregates(self.clauses.target):
            if self._sound(node) and row_tables(node, self.schema) == [column.table]:
                mended = replace(node, where=_joined(node.where, test))
                text = canonical.expression(mended)
                return f"to choose which {column.table} count: {text}"
        return None

    def _test_of(self, column: ColumnRef) -> Expression:
        tests = [
            part
            for part in walk(self.clauses.where or column, into_aggregates=False)
            if isinstance(part, (Comparison, IsNull, IsIn, TextTest))
            and any(inside is column for inside in walk(part))
        ]
        return tests[-1] if tests else column


def _joined(where: Expression | None, test: Expression) -> Expression:
    if where is None:
        return test
    earlier = where.operands if isinstance(where, And) else (where,)
    return And((*earlier, test))


def _telling_keys(chains: list[Chain]) -> list[ColumnRef]:
    """For each chain a key that the others lack, else its first."""
    links = [list(zip(c.tables, c.columns, strict=False)) for c in chains]
    found: list[ColumnRef] = []
    for own in links:
        others = {key for other in links if other is not own for key in other}
        table, column = next((key for key in own if key not in others), own[0])
        found.append(ColumnRef(table, column))
    return found
