"""A question about the future of a database, as an object."""

from __future__ import annotations

from dataclasses import dataclass, field

from benthic.errors import QueryError
from benthic.relational.query import canonical
from benthic.relational.query.checking import checked
from benthic.relational.query.faults import Faults
from benthic.relational.query.notes import notes
from benthic.relational.query.parse import read
from benthic.relational.query.task_type import TaskType, task_type
from benthic.relational.query.tree import (
    Clauses,
    ColumnRef,
    Expression,
    Literal,
    Modifier,
    Place,
    Value,
    Window,
)
from benthic.relational.query.walking import aggregates, columns
from benthic.relational.query.windows import end_in_days
from benthic.relational.schema import Schema


@dataclass(frozen=True)
class PredictiveQuery:
    """What is predicted, for whom, and when.

    Args:
        target: What stands after PREDICT.
        modifier: FORECAST, RANK or CLASSIFY.
        entity: The key after FOR.
        entities: The values that were named; None for FOR EACH.
        where: Which examples count, judged by their past.
        assuming: What is taken to come true.
        text: As the user wrote it.
        remarks: What the reading took the liberty of.

    Example:
        >>> query = PredictiveQuery.parse(
        ...     "predict count(orders.*, 0, 30) = 0 for each customers.customer_id"
        ... )
        >>> print(query)
        PREDICT COUNT(orders.*, 0, 30, days) = 0 FOR EACH customers.customer_id
        >>> query.horizon
        Window(start=0, end=30, unit='days')
    """

    target: Expression
    modifier: Modifier | None
    entity: ColumnRef
    entities: tuple[Value, ...] | None = None
    where: Expression | None = None
    assuming: Expression | None = None
    text: str = field(default="", compare=False, repr=False)
    remarks: tuple[str, ...] = field(default=(), compare=False, repr=False)

    @classmethod
    def parse(cls, text: str, schema: Schema | None = None) -> PredictiveQuery:
        """The query that a text states.

        Args:
            text: One query.
            schema: With it, names are resolved to the database's spelling and types,
                windows, paths and clauses are checked.

        Raises:
            QueryError: The text is no query, or the database cannot answer it.
        """
        faults = Faults(text)
        clauses, remarks = read(faults, schema)
        clauses = checked(clauses, schema, faults)
        faults.raise_any()
        values = clauses.entities
        return cls(
            clauses.target,
            clauses.modifier,
            clauses.entity,
            None if values is None else tuple(literal.value for literal in values),
            clauses.where,
            clauses.assuming,
            text,
            tuple(remarks),
        )

    @property
    def clauses(self) -> Clauses:
        """The clauses without the text."""
        values = self.entities
        return Clauses(
            self.target,
            self.modifier,
            self.entity,
            None if values is None else tuple(map(Literal, values)),
            self.where,
            self.assuming,
        )

    def __str__(self) -> str:
        return canonical.query(self.clauses)

    @property
    def windows(self) -> tuple[Window, ...]:
        """The windows of the target, in the order of the text."""
        found = [part.window for part in aggregates(self.target)]
        return tuple(window for window in found if window is not None)

    @property
    def horizon(self) -> Window | None:
        """The window of the target that ends last; None for a static target."""
        return max(self.windows, key=end_in_days, default=None)

    @property
    def is_temporal(self) -> bool:
        """Whether the label is a matter of time."""
        return bool(self.windows)

    @property
    def asked_columns(self) -> tuple[str, ...]:
        """Columns of the entity's own row whose values are what is asked for.

        Beside a window a column is none: the future is asked for, and what the row
        says is known at the anchor, as it is in WHERE.

        Example:
            >>> text = "PREDICT loans.rate * 2 > loans.fee FOR EACH loans.loan_id"
            >>> PredictiveQuery.parse(text).asked_columns
            ('rate', 'fee')
        """
        if self.is_temporal:
            return ()
        return tuple(dict.fromkeys(node.name for node in columns(self.target)))

    def task_type(self, schema: Schema) -> TaskType:
        """Which kind of task the target sets.

        Args:
            schema: Its semantic types decide.
        """
        return task_type(self.clauses, schema)

    def notes(self, schema: Schema) -> tuple[str, ...]:
        """What goes with every answer: the task type and why, what is known already.

        Args:
            schema: The database.
        """
        return notes(self.clauses, self.remarks, schema)

    def error(
        self,
        kind: str,
        message: str,
        place: Place | None = None,
        expected: str | None = None,
        suggestion: str | None = None,
    ) -> QueryError:
        """An error about this query, for what only the data can tell.

        Args:
            kind: "data", or one of the kinds of ``QueryError``.
            message: What is wrong.
            place: Where; the entity by default.
            expected: What could stand there.
            suggestion: What to do.
        """
        where = self.entity.place if place is None else place
        return QueryError(
            kind,
            message,
            where.line,
            where.column,
            where.length,
            expected,
            suggestion,
            self.text or str(self),
        )
