"""Aggregates over the rows of an entity in a window, as SQL."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from benthic.relational.database import Database
from benthic.relational.query import paths
from benthic.relational.query.tree import Aggregate, ColumnRef, Star, Window
from benthic.relational.schema import Chain, SType
from benthic.relational.sql import quoted
from benthic.relational.task.expressions import scalar
from benthic.relational.task.lineage import Lineage, RowScope
from benthic.relational.task.steps import shifted

_EXACT = (
    "INT",
    "UINT",
    "BIGINT",
    "UBIGINT",
    "SMALLINT",
    "TINYINT",
    "HUGEINT",
    "DECIMAL",
)


@dataclass(frozen=True)
class Rows:
    """Aggregates that run over the same rows in the same window: one pass.

    Args:
        name: What the pass is called in the statement.
        chain: From the row table up to the entity.
        window: Which rows.
        aggregates: What is computed over them.
    """

    name: str
    chain: Chain
    window: Window
    aggregates: tuple[Aggregate, ...]

    def value(self, aggregate: Aggregate) -> str:
        """SQL of one aggregate's value, once the pass is joined to its seeds."""
        value = f"{self.name}.v{self.aggregates.index(aggregate)}"
        return _OVER_NO_ROWS.get(aggregate.function, "{}").format(value)


_OVER_NO_ROWS = {
    "COUNT": "COALESCE({}, 0)",
    "SUM": "COALESCE({}, 0)",
    "COUNT_DISTINCT": "COALESCE({}, 0)",
    "LIST_DISTINCT": "COALESCE({}, [])",
}


def passes(
    found: Sequence[Aggregate], entity_table: str, db: Database, prefix: str
) -> tuple[Rows, ...]:
    """The fewest passes over rows that compute all these aggregates.

    Args:
        found: Aggregates; the same one may occur twice.
        entity_table: Whose rows they are.
        db: The database.
        prefix: What the names of the passes begin with.
    """
    groups: dict[tuple[Chain, Window], list[Aggregate]] = {}
    for aggregate in dict.fromkeys(found):
        chain = paths.chain(aggregate, entity_table, db.schema)
        assert aggregate.window is not None  # aggregates without one are refused
        groups.setdefault((chain, aggregate.window), []).append(aggregate)
    return tuple(
        Rows(f"{prefix}_{number}", chain, window, tuple(members))
        for number, ((chain, window), members) in enumerate(groups.items())
    )


def window_time(chain: Chain, db: Database) -> Chain:
    """The part of a chain from the row up to the one whose time the row carries."""
    step = paths.time_step(chain, db.schema)
    assert step is not None  # a chain that no time reaches is refused
    return Chain(chain.tables[: step + 1], chain.columns[:step])


def pass_sql(rows: Rows, seeds: str, db: Database, step: int = 0) -> str:
    """SQL: entity, anchor_time, frame and one value for each aggregate.

    Seeds that have no row in the window do not appear.

    Args:
        rows: What to compute.
        seeds: Relation with entity, anchor_time and frame.
        db: The database.
        step: By how many units of the window a frame is later than the one before.
    """
    lineage = Lineage(db, rows.chain.tables[0])
    values = [
        _Value(aggregate, lineage, place)
        for place, aggregate in enumerate(rows.aggregates)
    ]
    selected = "".join(f", {part}" for value in values for part in value.columns)
    wanted = [value.filter for value in values]
    some = "" if None in wanted else " AND (" + " OR ".join(map(str, wanted)) + ")"
    time = lineage.time(window_time(rows.chain, db))
    key = _entity_key(lineage, rows.chain)
    source = (
        f"SELECT {key} AS entity, {time} AS happened{selected} FROM {lineage.tables}"
        f" WHERE {time} IS NOT NULL{some}"
    )
    results = ", ".join(value.result for value in values)
    return (
        f"SELECT s.entity, s.anchor_time, s.frame, {results}"
        f" FROM {seeds} AS s JOIN ({source}) AS r"
        f" ON r.entity = s.entity AND {_inside(rows.window, step)}"
        " GROUP BY s.entity, s.anchor_time, s.frame"
    )


def _entity_key(lineage: Lineage, chain: Chain) -> str:
    last = Chain(chain.tables[:-1], chain.columns[:-1])
    return typed_key(lineage, last, chain.columns[-1], chain.tables[-1])


def typed_key(lineage: Lineage, chain: Chain, column: str, parent: str) -> str:
    """SQL of a foreign key in the type of the key it points at.

    Args:
        lineage: The row and its ancestors.
        chain: Where the column is.
        column: The foreign key.
        parent: The table it points at.
    """
    table = lineage.db.schema.tables[parent]
    stored = lineage.db.schema.tables[chain.tables[-1]].columns[column].dtype
    value = lineage.column(chain, column)
    wanted = table.columns[str(table.pkey_col)].dtype
    return value if stored == wanted else f"TRY_CAST({value} AS {wanted})"


def _inside(window: Window, step: int) -> str:
    later = f"s.frame * {step}" if step else "0"
    until = f"r.happened <= {shifted('s.anchor_time', window.end, window.unit, later)}"
    if window.start is None:
        return until
    after = shifted("s.anchor_time", window.start, window.unit, later)
    return f"r.happened > {after} AND {until}"


class _Value:
    """One aggregate of a pass: which columns it needs, and what is done with them."""

    def __init__(self, aggregate: Aggregate, lineage: Lineage, place: int) -> None:
        scope = RowScope(lineage)
        self.aggregate = aggregate
        self.place = place
        self.lineage = lineage
        self.columns: list[str] = []
        self.filter: str | None = None
        self.exact = False
        if not isinstance(aggregate.argument, Star):
            self.columns.append(f"{self._argument(scope)} AS x{place}")
        if aggregate.where is not None:
            self.filter = scalar(aggregate.where, scope)
            self.columns.append(f"{self.filter} AS f{place}")
        if aggregate.function in ("FIRST", "LAST"):
            self.columns.append(f"{self._tie()} AS k{place}")

    def _argument(self, scope: RowScope) -> str:
        argument = self.aggregate.argument
        assert not isinstance(argument, Star)
        if not isinstance(argument, ColumnRef):
            return scalar(argument, scope)
        table = self.lineage.db.schema.tables[argument.table]
        column = table.columns[argument.name]
        self.exact = column.dtype.startswith(_EXACT)
        parent = table.fkey_col_to_pkey_table.get(argument.name)
        if parent is not None:
            chain = paths.reach(
                self.lineage.table, argument.table, self.lineage.db.schema
            )
            return typed_key(self.lineage, chain, argument.name, parent)
        value = scope.column(argument)
        if column.stype is SType.categorical and column.dtype.startswith("ENUM"):
            return f"CAST({value} AS VARCHAR)"
        return value

    def _tie(self) -> str:
        table = self.lineage.db.schema.tables[self.lineage.table]
        own = Chain((table.name,))
        if table.pkey_col is None:
            return f"t0.{quoted('_row')}"
        return self.lineage.column(own, table.pkey_col)

    @property
    def result(self) -> str:
        """SQL of the aggregate."""
        conditions = [f"r.f{self.place}"] if self.filter is not None else []
        value = f"r.x{self.place}" if self._has_argument else "*"
        if self._has_argument:
            conditions.append(f"{value} IS NOT NULL")
        kept = f" FILTER (WHERE {' AND '.join(conditions)})" if conditions else ""
        name = self.aggregate.function
        template = _OF_EXACT_NUMBERS.get(name) if self.exact else None
        result = (template or _FUNCTIONS[name]).format(
            value=value, kept=kept, tie=f"r.k{self.place}"
        )
        return f"{result} AS v{self.place}"

    @property
    def _has_argument(self) -> bool:
        return not isinstance(self.aggregate.argument, Star)


_FUNCTIONS = {
    "COUNT": "count({value}){kept}",
    # Compensated summation: the order of rows, and so the threads, do not show.
    "SUM": "CAST(fsum(CAST({value} AS DOUBLE)){kept} AS DOUBLE)",
    "AVG": "favg(CAST({value} AS DOUBLE)){kept}",
    "MIN": "CAST(min({value}){kept} AS DOUBLE)",
    "MAX": "CAST(max({value}){kept} AS DOUBLE)",
    "COUNT_DISTINCT": "count(DISTINCT {value}){kept}",
    "FIRST": "arg_min({value}, row(r.happened, {tie})){kept}",
    "LAST": "arg_max({value}, row(r.happened, {tie})){kept}",
    "LIST_DISTINCT": "list_sort(list(DISTINCT {value}){kept})",
}

_OF_EXACT_NUMBERS = {
    "SUM": "CAST(sum({value}){kept} AS DOUBLE)",
    "AVG": "CAST(avg({value}){kept} AS DOUBLE)",
}
