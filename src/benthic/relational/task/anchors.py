"""When is the question asked? Anchors walked back in time, and who is asked at each."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import islice

import pandas as pd

from benthic.relational.database import Database
from benthic.relational.schema import Table
from benthic.relational.sql import literal, quoted
from benthic.relational.task.steps import Horizon, Span
from benthic.relational.task.values import literal_sql

MOST_ANCHORS = 10_000
"""A label of a few seconds does not need every second of twenty years."""

MOST_EMPTY = 50
"""So many anchors without a label are passed over in search of one that judges."""


@dataclass(frozen=True)
class Anchors:
    """The times at which the examples of each part are asked, latest first.

    Args:
        train: Their labels were observed when ``validation`` began.
        validation: Their labels were observed when ``test`` began.
        test: Their labels were observed when the data, or what may be known, end.
    """

    train: tuple[pd.Timestamp, ...]
    validation: tuple[pd.Timestamp, ...]
    test: tuple[pd.Timestamp, ...]


def walk_back(
    start: pd.Timestamp, step: Span, earliest: pd.Timestamp
) -> Iterator[pd.Timestamp]:
    """Start - step, start - 2 steps, … as far as ``earliest``.

    Each is counted from the start, so that months do not wear away at their ends.

    Args:
        start: Where the walk begins; it is not given itself.
        step: How far apart.
        earliest: No anchor before this.

    Example:
        >>> start, step = pd.Timestamp("2024-05-31"), Span(1, "months")
        >>> [t.day for t in walk_back(start, step, pd.Timestamp("2024-02-01"))]
        [30, 31, 29]
    """
    for times in range(1, MOST_ANCHORS + 1):
        time = step.after(start, -times)
        if time < earliest:
            return
        yield time


def split_anchors(
    times: Iterable[pd.Timestamp],
    observed: Callable[[pd.Timestamp], pd.Timestamp],
    limit: pd.Timestamp,
    *,
    num_validation: int,
    num_test: int,
    num_train: int | None,
    is_empty: Callable[[pd.Timestamp], bool] | None = None,
) -> Anchors:
    """The latest anchors for the test, those before for validation, the rest to learn.

    An anchor whose label is not yet observed when the next part begins is left out, so
    that no part knows what the next one is asked.

    Args:
        times: Anchors, latest first.
        observed: When the label of an anchor is known.
        limit: What happens later is not known.
        num_validation: Anchors of validation.
        num_test: Anchors of the test.
        num_train: At most so many to learn from; None for all.
        is_empty: Whether no entity has a label at an anchor; such a one judges nothing.

    Example:
        >>> days = [pd.Timestamp(2024, 1, day) for day in (4, 3, 2, 1)]
        >>> found = split_anchors(days, lambda t: t + pd.Timedelta(days=1),
        ...     pd.Timestamp(2024, 1, 5), num_validation=1, num_test=1, num_train=None)
        >>> [t.day for t in found.test + found.validation + found.train]
        [4, 3, 2, 1]
    """
    waiting = iter(times)

    def judging(most: int, limit: pd.Timestamp) -> tuple[pd.Timestamp, ...]:
        known = (time for time in waiting if observed(time) <= limit)
        tried = islice(known, most + MOST_EMPTY) if most else ()
        found = (time for time in tried if is_empty is None or not is_empty(time))
        return tuple(islice(found, most))

    test = judging(num_test, limit)
    limit = test[-1] if test else limit
    validation = judging(num_validation, limit)
    limit = validation[-1] if validation else limit
    train = (time for time in waiting if observed(time) <= limit)
    return Anchors(tuple(islice(train, num_train)), validation, test)


def entities_at(db: Database, table: Table, times: Iterable[pd.Timestamp]) -> str:
    """SQL: entity and anchor_time of all that exist at each of these times.

    An entity exists once its row is visible and until its end time, if it has one.

    Args:
        db: The database.
        table: The entity table.
        times: Anchors.
    """
    moments = ", ".join(f"({literal(time)})" for time in times)
    anchors = f"(VALUES {moments}) AS a(anchor_time)"
    return (
        f"SELECT e.{_key(table)} AS entity, a.anchor_time"
        f" FROM {_relation(db, table)} AS e CROSS JOIN {anchors}"
        f" WHERE {_exists(db, table, 'a.anchor_time')}"
    )


def entities_at_own_time(db: Database, table: Table, until: pd.Timestamp) -> str:
    """SQL: entity and its own time as anchor_time, of all up to ``until``.

    Args:
        db: The database.
        table: The entity table; it has a time column.
        until: Rows later than this do not exist yet.
    """
    return (
        f'SELECT e.{_key(table)} AS entity, e."_time" AS anchor_time'
        f" FROM {_relation(db, table)} AS e"
        f' WHERE e."_time" <= {literal(until)} AND {_exists(db, table, _OWN)}'
    )


def named_entities(
    db: Database, table: Table, keys: Iterable[object], time: pd.Timestamp, own: bool
) -> str:
    """SQL: entity and anchor_time of these entities, whether they exist yet or not.

    Args:
        db: The database.
        table: The entity table.
        keys: Values of its primary key.
        time: The anchor.
        own: Whether the anchor is the row's own time, where it has one.
    """
    dtype = table.columns[str(table.pkey_col)].dtype
    values = ", ".join(f"({literal_sql(key, dtype)})" for key in keys)  # type: ignore[arg-type]
    moment = literal(time)
    anchor = f'COALESCE(e."_time", {moment})' if own else moment
    return (
        f"SELECT e.{_key(table)} AS entity, {anchor} AS anchor_time"
        f" FROM {_relation(db, table)} AS e"
        f" WHERE e.{_key(table)} IN (SELECT * FROM (VALUES {values}))"
    )


_OWN = 'e."_time"'


def _key(table: Table) -> str:
    return quoted(str(table.pkey_col))


def _relation(db: Database, table: Table) -> str:
    needed = [str(table.pkey_col)]
    if table.end_time_col is not None:
        needed.append(table.end_time_col)
    return db.relation(table.name, needed)


def _exists(db: Database, table: Table, time: str) -> str:
    found = f"e.{_key(table)} IS NOT NULL"
    # Where there is time at all, a row without one came nobody knows when.
    if db.schema.dated_by(table.name):
        found += f" AND {_OWN} <= {time}"
    if table.end_time_col is not None:
        end = f"e.{quoted(table.end_time_col)}"
        found += f" AND ({end} IS NULL OR {end} > {time})"
    return found


def observed_by(horizon: Horizon | None, limit: pd.Timestamp) -> str:
    """SQL: whether the label of ``anchor_time`` is known at ``limit``.

    Args:
        horizon: How far the label reaches; None for one that is known at once.
        limit: What happens later is not known.
    """
    if horizon is None:
        return "TRUE"
    return f"{horizon.sql('anchor_time')} <= {literal(limit)}"
