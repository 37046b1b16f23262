"""Aggregates over the rows of an entity in a window, as SQL."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from benthic.relational.database import Database
from benthic.relational.query import paths
from benthic.relational.query.tree import Aggregate, ColumnRef, Star, Window
from benthic.relational.query.windows import DAYS
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
    slots = _Slots(rows.window, seeds, step)
    source = (
        f"SELECT {key} AS entity, {time} AS happened, {slots.of(time)} AS slot"
        f"{selected} FROM {lineage.tables} WHERE {time} IS NOT NULL{some}"
    )
    results = ", ".join(value.result for value in values)
    return (
        f"SELECT s.entity, s.anchor_time, s.frame, {results}"
        f" FROM {slots.seeds} AS s JOIN ({source}) AS r"
        f" ON r.entity = s.entity AND r.slot = s.slot AND {_inside(rows.window, step)}"
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


def _edges(window: Window, step: int, seed: str) -> tuple[str | None, str]:
    """SQL of the times that a seed's window lies between; None for no beginning."""
    later = f"{seed}.frame * {step}" if step else "0"
    anchor = f"{seed}.anchor_time"
    until = shifted(anchor, window.end, window.unit, later)
    if window.start is None:
        return None, until
    return shifted(anchor, window.start, window.unit, later), until


def _inside(window: Window, step: int) -> str:
    after, until = _edges(window, step, "s")
    begun = "" if after is None else f"r.happened > {after} AND "
    return f"{begun}r.happened <= {until}"


class _Slots:
    """Time cut into slots as long as the window, counted from the earliest one.

    A seed is joined to the rows of its slots only, instead of to all rows of its
    entity: else the cost is rows times anchors. Where anchors are as far apart as the
    window is long, each window is one slot.

    Args:
        window: Which rows.
        seeds: Relation with entity, anchor_time and frame.
        step: By how many units of the window a frame is later than the one before.
    """

    def __init__(self, window: Window, seeds: str, step: int) -> None:
        after, until = _edges(window, step, "a")
        named = "a.entity, a.anchor_time, a.frame"
        self._length = 0
        if after is None or window.start is None:
            self.seeds = f"(SELECT {named}, 0 AS slot FROM {seeds} AS a)"
            return
        days = (window.end - window.start) * DAYS[window.unit]
        self._length = max(1, round(days * _DAY))
        self._origin = f"(SELECT min(epoch_us({after})) FROM {seeds} AS a)"
        # A window begins just after its edge.
        first = self.of(f"{after} + to_microseconds(1)")
        self.seeds = (
            f"(SELECT {named}, unnest(range({first}, {self.of(until)} + 1)) AS slot"
            f" FROM {seeds} AS a)"
        )

    def of(self, time: str) -> str:
        """SQL of the slot of a time; NULL for a time at the end of all times."""
        if not self._length:
            return "0"
        return f"(epoch_us({time}) - 1 - {self._origin}) // {self._length}"


_DAY = 86_400_000_000
"""Microseconds."""


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
        is_truth = column.stype is SType.boolean  # read as one, stored as 0 and 1
        self.exact = column.dtype.startswith(_EXACT) and not is_truth
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
    # Compensated: the order of rows, and so the threads, show in the last bit only.
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
