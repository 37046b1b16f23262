"""A row and its ancestors: the FROM clause that an expression needs."""

from __future__ import annotations

from benthic.relational.database import Database
from benthic.relational.query import paths
from benthic.relational.query.tree import Aggregate, ColumnRef
from benthic.relational.schema import Chain, Column
from benthic.relational.sql import quoted
from benthic.relational.task.expressions import read


class Lineage:
    """One row of a table and, along foreign keys, its ancestors.

    A column is asked for by its chain; what was asked for is joined, and no more.

    Args:
        db: The database.
        table: The table of the row.
    """

    def __init__(self, db: Database, table: str) -> None:
        self.db = db
        self.table = table
        self._columns: list[tuple[str, set[str]]] = [(table, set())]
        self._aliases: dict[tuple[str, ...], int] = {(): 0}
        self._joins: list[str] = []

    def column(self, chain: Chain, name: str) -> str:
        """SQL of a column of the table at the end of a chain that starts here."""
        place = self._place(chain)
        self._columns[place][1].add(name)
        return f"t{place}.{quoted(name)}"

    def time(self, chain: Chain) -> str:
        """SQL of the time of the row at the end of a chain."""
        return f't{self._place(chain)}."_time"'

    def _place(self, chain: Chain) -> int:
        path = chain.columns
        if path not in self._aliases:
            before = Chain(chain.tables[:-1], path[:-1])
            key = self.column(before, path[-1])
            self._aliases[path] = len(self._columns)
            self._columns.append((chain.tables[-1], set()))
            pkey = str(self.db.schema.tables[chain.tables[-1]].pkey_col)
            self._joins.append(f"{key} = {self.column(chain, pkey)}")
        return self._aliases[path]

    def described(self, node: ColumnRef) -> Column:
        """The column's types."""
        return self.db.schema.tables[node.table].columns[node.name]

    def read(self, node: ColumnRef) -> str:
        """SQL of a column of the row or of an ancestor, by its meaning."""
        chain = paths.reach(self.table, node.table, self.db.schema)
        return read(self.described(node), self.column(chain, node.name))

    @property
    def tables(self) -> str:
        """What follows FROM."""
        relations = [
            f"{self.db.relation(table, sorted(columns))} AS t{place}"
            for place, (table, columns) in enumerate(self._columns)
        ]
        joins = zip(relations[1:], self._joins, strict=True)
        return relations[0] + "".join(
            f" LEFT JOIN {relation} ON {condition}" for relation, condition in joins
        )


class RowScope:
    """Where the argument and the filter of an aggregate stand: in one row.

    Args:
        lineage: The row and its ancestors.
    """

    def __init__(self, lineage: Lineage) -> None:
        self.lineage = lineage

    def described(self, node: ColumnRef) -> Column:
        """The column's types."""
        return self.lineage.described(node)

    def column(self, node: ColumnRef) -> str:
        """SQL of a column of the row or of an ancestor."""
        return self.lineage.read(node)

    def aggregate(self, node: Aggregate) -> str:
        """There is none: a row holds no other rows."""
        raise AssertionError(f"aggregate inside a row: {node}")
