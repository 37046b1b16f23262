"""One SQL statement that answers a query for a relation of seeds."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from benthic.relational.database import Database
from benthic.relational.query import PredictiveQuery, TaskType
from benthic.relational.query.tree import (
    Aggregate,
    And,
    ColumnRef,
    Comparison,
    Expression,
    Forecast,
    Literal,
    Value,
)
from benthic.relational.query.walking import aggregates, columns, walk
from benthic.relational.schema import Chain, Column
from benthic.relational.task.aggregates import Rows, pass_sql, passes
from benthic.relational.task.expressions import scalar
from benthic.relational.task.lineage import Lineage


class EntityScope:
    """Where a target or a filter stands: at one entity, at one time.

    Args:
        db: The database.
        entity: The key after FOR.
        found: The expressions that stand here.
        prefix: What the names of the passes over rows begin with.
    """

    def __init__(
        self, db: Database, entity: ColumnRef, found: Sequence[Expression], prefix: str
    ) -> None:
        self.db = db
        self.passes = passes(
            [part for node in found for part in aggregates(node)],
            entity.table,
            db,
            prefix,
        )
        self._by_aggregate = {
            aggregate: rows for rows in self.passes for aggregate in rows.aggregates
        }
        self._lineage = Lineage(db, entity.table)
        self._key = self._lineage.column(Chain((entity.table,)), entity.name)
        named = [part for node in found for part in columns(node)]
        self._columns = {
            node: f"c{place}" for place, node in enumerate(dict.fromkeys(named))
        }
        self.rows = f"{prefix}_entity"

    def described(self, node: ColumnRef) -> Column:
        """The column's types."""
        return self._lineage.described(node)

    def column(self, node: ColumnRef) -> str:
        """SQL of a column of the entity or of an ancestor."""
        return f"{self.rows}.{self._columns[node]}"

    def aggregate(self, node: Aggregate) -> str:
        """SQL of the value of an aggregate."""
        return self._by_aggregate[node].value(node)

    @property
    def entity_sql(self) -> str | None:
        """SQL of the entity's row with the columns that are asked for, if any are."""
        if not self._columns:
            return None
        found = ", ".join(
            f"{self._lineage.read(node)} AS {name}"
            for node, name in self._columns.items()
        )
        return f"SELECT {self._key} AS entity, {found} FROM {self._lineage.tables}"

    def joins(self, seeds: str) -> str:
        """What a statement over ``seeds`` joins to know the names of this scope.

        Args:
            seeds: Alias of the relation with entity, anchor_time and frame.
        """
        found = ""
        if self._columns:
            found = f" LEFT JOIN {self.rows} ON {self.rows}.entity = {seeds}.entity"
        for rows in self.passes:
            same = (f"{rows.name}.{c} = {seeds}.{c}" for c in _SEED)
            found += f" LEFT JOIN {rows.name} ON {' AND '.join(same)}"
        return found


@dataclass(frozen=True)
class Assumption:
    """What stands after ASSUMING, its two kinds apart.

    Args:
        future: Conditions on what will happen; None if there are none.
        values: Columns of the entity and the values they are shown with.
    """

    future: Expression | None
    values: tuple[tuple[str, Value], ...]

    @classmethod
    def of(cls, query: PredictiveQuery) -> Assumption:
        """The assumption of a query."""
        node = query.assuming
        parts: Sequence[Expression] = ()
        if node is not None:
            parts = node.operands if isinstance(node, And) else (node,)
        values = [shown for shown in map(_shown_value, parts) if shown is not None]
        future = [part for part in parts if _shown_value(part) is None]
        joined = And(tuple(future)) if len(future) > 1 else next(iter(future), None)
        return cls(joined, tuple(values))


def _shown_value(node: Expression) -> tuple[str, Value] | None:
    if not isinstance(node, Comparison) or node.operator != "=":
        return None
    sides = (node.left, node.right), (node.right, node.left)
    for column, value in sides:
        if isinstance(column, ColumnRef) and isinstance(value, Literal):
            return column.name, value.value
    return None


_DEFINED = ("COUNT", "SUM", "COUNT_DISTINCT")


def _may_be_undefined(node: object) -> bool:
    if isinstance(node, Aggregate):
        return node.function not in _DEFINED
    return isinstance(node, ColumnRef) or getattr(node, "operator", "") == "/"


def _tables(
    scope: EntityScope, seeds: str, step: Callable[[Rows], int] | None = None
) -> list[str]:
    """The common table expressions that a scope's joins name."""
    found = [
        f"{rows.name} AS ({pass_sql(rows, seeds, scope.db, step(rows) if step else 0)})"
        for rows in scope.passes
    ]
    if scope.entity_sql is not None:
        found.append(f"{scope.rows} AS ({scope.entity_sql})")
    return found


@dataclass(frozen=True)
class LabelQuery:
    """The statement of one query over any seeds.

    Args:
        db: The database.
        query: Checked against its schema.
        task_type: What kind of label it has.
    """

    db: Database
    query: PredictiveQuery
    task_type: TaskType

    @property
    def frames(self) -> int:
        """Number of timeframes; 1 without FORECAST."""
        modifier = self.query.modifier
        return modifier.frames if isinstance(modifier, Forecast) else 1

    @property
    def may_be_undefined(self) -> bool:
        """Whether an entity may have no label at some time."""
        found = walk(self.query.target, into_aggregates=False)
        return self.query.assuming is not None or any(map(_may_be_undefined, found))

    def judged(self, seeds: str, *, keep_all: bool) -> str:
        """SQL: entity, anchor_time, matches_where.

        Args:
            seeds: Relation with entity and anchor_time, no pair twice.
            keep_all: Also those that fail WHERE.
        """
        return (
            f"WITH {self._judging(seeds, keep_all)} SELECT {_JUDGED} FROM task_judged"
        )

    def labelled(self, seeds: str, *, keep_all: bool) -> str:
        """SQL: entity, anchor_time, frame, label, matches_where, assumed.

        ``label`` is NULL where the target is undefined; ``assumed`` is whether what
        ASSUMING says of the future came true.

        Args:
            seeds: Relation with entity and anchor_time, no pair twice.
            keep_all: Also those that fail WHERE.
        """
        target = EntityScope(
            self.db, self.query.entity, [self.query.target], "task_target"
        )
        future = Assumption.of(self.query).future
        assumed = EntityScope(
            self.db,
            self.query.entity,
            [] if future is None else [future],
            "task_assumed",
        )
        parts = [
            self._judging(seeds, keep_all),
            f"task_asked AS (SELECT {_JUDGED}, CAST(f.range AS BIGINT) AS frame"
            f" FROM task_judged CROSS JOIN range({self.frames}) AS f)",
            *_tables(target, "task_asked", self._step),
            *_tables(assumed, "task_asked"),
        ]
        condition = "TRUE" if future is None else f"{scalar(future, assumed)} IS TRUE"
        return (
            f"WITH {', '.join(parts)}"
            " SELECT q.entity, q.anchor_time, q.frame,"
            f" {self._label(target)} AS label, q.matches_where, {condition} AS assumed"
            f" FROM task_asked AS q{target.joins('q')}{assumed.joins('q')}"
        )

    def _step(self, rows: Rows) -> int:
        if self.frames == 1:
            return 0
        return rows.window.end - (rows.window.start or 0)

    def _judging(self, seeds: str, keep_all: bool) -> str:
        where = self.query.where
        scope = EntityScope(
            self.db, self.query.entity, [] if where is None else [where], "task_past"
        )
        condition = "TRUE" if where is None else f"{scalar(where, scope)} IS TRUE"
        parts = [
            "task_seeds AS (SELECT entity, anchor_time, CAST(0 AS BIGINT) AS frame"
            f" FROM {seeds})",
            *_tables(scope, "task_seeds"),
            "task_judged AS (SELECT s.entity, s.anchor_time,"
            f" {condition} AS matches_where FROM task_seeds AS s{scope.joins('s')}"
            + ("" if keep_all else f" WHERE {condition}")
            + ")",
        ]
        return ", ".join(parts)

    def _label(self, scope: EntityScope) -> str:
        value = scalar(self.query.target, scope)
        return _LABELS.get(self.task_type, "{}").format(value)


_SEED = ("entity", "anchor_time", "frame")

_JUDGED = "entity, anchor_time, matches_where"

_NUMBER = "CASE WHEN isfinite(CAST({0} AS DOUBLE)) THEN CAST({0} AS DOUBLE) END"

_LABELS = {
    TaskType.regression: _NUMBER,
    TaskType.forecast: _NUMBER,
    TaskType.binary: "CAST({} AS BOOLEAN)",
    TaskType.ranking: "list_sort(list_distinct({}))",
    TaskType.multilabel: "list_sort(list_distinct({}))",
}
